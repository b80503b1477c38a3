import { describe, expect, test } from 'vitest'
import { retryTarget, RetrySearch } from '../src/retry.ts'
import { assistant, call, marker, pathOf, result, user, type Step } from './path-of.ts'

const target = (steps: readonly Step[]) => retryTarget(pathOf(steps).toReversed())
const failure = (turnId?: string): Step => ({ type: 'run_failure', error: 'broken', ...(turnId ? { turnId } : {}) })

describe('retryTarget', () => {
  const turn = [marker('started', 't'), user('go'), call('a'), result('a')]

  test('tree:36 the entry before the newest save point of the turn that failed', () => {
    const steps = [
      ...turn,
      marker('save_point', 't'),
      call('b'),
      result('b'),
      marker('save_point', 't'),
      assistant('half'),
      failure('t'),
      marker('failed', 't'),
    ]
    expect(target(steps)).toMatchObject({ entryId: 'e6', source: 'save_point', failure: { id: 'e9' } })
  })

  test('tree:36 without a save point of that turn, the newest message of a user', () => {
    expect(target([...turn, failure('t')])).toMatchObject({ entryId: 'e1', source: 'user', failure: { id: 'e4' } })
    expect(target([...turn, marker('save_point', 's'), failure('t')])).toMatchObject({ entryId: 'e1', source: 'user' })
    expect(target([...turn, marker('save_point', 't'), failure()])).toMatchObject({ entryId: 'e1', source: 'user' })
    // A retry has no message of a user: that of the turn before it counts.
    const again = [...turn, marker('started', 'u'), assistant('x'), failure('u')]
    expect(target(again)).toMatchObject({ entryId: 'e1', source: 'user' })
  })

  test('tree:36 of several failures and messages the newest counts', () => {
    const steps = [...turn, marker('save_point', 't'), failure('t'), failure('u')]
    expect(target(steps)).toMatchObject({ entryId: 'e1', source: 'user', failure: { id: 'e6' } })
    expect(target([marker('started', 't'), user('one'), user('two'), failure('t')])).toMatchObject({ entryId: 'e2' })
  })

  test('tree:36 without a failure, the newest message of a user; without any, nothing', () => {
    expect(target([user('one'), user('two'), assistant('x')])).toEqual({ entryId: 'e1', source: 'user' })
    expect(target([])).toBeUndefined()
    expect(target([assistant('x'), failure('t')])).toBeUndefined()
    expect(target([marker('save_point', 't'), failure('t')])).toBeUndefined()
  })

  test('a failure that was overcome is over', () => {
    const steps = [
      ...turn,
      marker('save_point', 't'),
      failure('t'),
      marker('failed', 't'),
      user('again'),
      assistant('done'),
    ]
    expect(target(steps)).toEqual({ entryId: 'e7', source: 'user' })
  })

  test('takes entries up to the newest message of a user, or the save point', () => {
    const old = Array.from({ length: 100 }, () => assistant('old'))
    const taken = (steps: readonly Step[]) => {
      const search = new RetrySearch<never>()
      let count = 0
      for (const entry of pathOf([...old, ...steps]).toReversed()) {
        count++
        if (!search.add(entry)) break
      }
      return count
    }
    expect(taken([user('go'), assistant('x')])).toBe(2)
    expect(taken([...turn, failure('t')])).toBe(5)
    expect(taken([user('go'), marker('save_point', 't'), assistant('x'), failure('t')])).toBe(3)
  })
})
