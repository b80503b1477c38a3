import { memory, MemoryStore } from '@sessiontree/memory'
import { describe, expect, test } from 'vitest'
import { SessionError, type RoleMessage, type Session, type Sessions } from '../src/index.ts'
import { paused } from './paused.ts'
import { nothing, open, user } from './swept-store.ts'

const texts = async (session: Session<RoleMessage>) =>
  (await session.context()).messages.map(({ content }) => content as string)

/** A session a, b that forks it, and c that forks b. */
async function family(): Promise<MemoryStore> {
  const store = new MemoryStore()
  const sessions = open(memory({ store }))
  const a = await sessions.create('a')
  await a.append([user('a0'), user('a1')], { id: ['a0', 'a1'] })
  const b = await a.fork({ id: 'b' })
  await b.append(user('b0'), { id: 'b0' })
  await (await b.fork({ id: 'c' })).append(user('c0'), { id: 'c0' })
  return store
}
const WHOLE: Readonly<Record<string, readonly string[]>> = {
  a: ['a0', 'a1'],
  b: ['a0', 'a1', 'b0'],
  c: ['a0', 'a1', 'b0', 'c0'],
}

type Work = (sessions: Sessions<RoleMessage>) => Promise<unknown>
const forkOf =
  (source: string, id = 'e'): Work =>
  async (sessions) =>
    (await sessions.open(source)).fork({ id })
const deletionOf =
  (id: string): Work =>
  (sessions) =>
    sessions.delete(id)
const codeOf = async (work: Promise<unknown>): Promise<string | undefined> => {
  try {
    await work
    return undefined
  } catch (error) {
    if (!SessionError.is(error)) throw error
    return error.code
  }
}

/**
 * Lets one stand still before each of its calls, and the other before each of its own while the first one stands; then the first goes to its
 * end, then the second: every schedule in which each is interrupted once.
 */
async function everySchedule(
  first: Work,
  second: Work,
  check: (store: MemoryStore, outcomes: readonly (string | undefined)[]) => Promise<void>,
): Promise<number> {
  let schedules = 0
  for (let i = 0, isFirstDone = false; !isFirstDone; i++) {
    for (let j = 0, isSecondDone = false; !isSecondDone; j++, schedules++) {
      const store = await family()
      const [one, other] = [paused(memory({ store }), i), paused(memory({ store }), j)]
      const doing = codeOf(first(open(one.adapter, { seed: 2 })))
      await one.standsOrEnds(doing)
      const doingToo = codeOf(second(open(other.adapter, { seed: 3 })))
      await other.standsOrEnds(doingToo)
      isFirstDone = one.calls <= i
      isSecondDone = other.calls <= j
      one.goOn()
      const outcome = await doing
      other.goOn()
      await check(store, [outcome, await doingToo])
    }
  }
  return schedules
}

async function expectWhole(store: MemoryStore, id: string, source: string): Promise<void> {
  const session = await open(memory({ store }), { seed: 9 }).open(id)
  expect(await texts(session)).toEqual(WHOLE[source])
  expect(await session.verify()).toMatchObject({ ok: true, problems: [] })
}

describe('a fork beside a deletion, at every interleaving', () => {
  for (const [source, deleted] of [
    ['a', 'a'],
    ['b', 'a'],
    ['c', 'a'],
    ['c', 'b'],
  ] as const) {
    test(`of ${source}, while ${deleted} is deleted: whole, or refused because its source is gone`, async () => {
      const outcomes = new Map<string | undefined, number>()
      for (const isForkFirst of [true, false]) {
        const works = [forkOf(source), deletionOf(deleted)] as const
        const [first, second] = isForkFirst ? works : [works[1], works[0]]
        const schedules = await everySchedule(first, second, async (store, codes) => {
          const [forked, removed] = isForkFirst ? codes : codes.toReversed()
          outcomes.set(forked, (outcomes.get(forked) ?? 0) + 1)
          expect(removed).toBeUndefined()
          // A fork of a session that lives always comes to be.
          expect(source === deleted ? [undefined, 'DELETED'] : [undefined]).toContain(forked)
          if (forked === undefined) await expectWhole(store, 'e', source)
          for (const id of ['b', 'c']) if (id !== deleted) await expectWhole(store, id, id)
          expect([...store.logs.keys()].filter((log) => log.startsWith(`session/${deleted}/`))).toEqual([])
          const sessions = open(memory({ store }), { seed: 4 })
          await sessions.sweep()
          expect(await sessions.sweep()).toEqual(nothing)
          if (forked === undefined) await expectWhole(store, 'e', source)
        })
        expect(schedules).toBeGreaterThan(80)
      }
      if (source === deleted) expect(outcomes.get('DELETED')).toBeGreaterThan(20)
      expect(outcomes.get(undefined)).toBeGreaterThan(20)
    }, 120_000)
  }
})

describe('deletions beside one another, at every interleaving', () => {
  for (const [name, first, second] of [
    ['two of one session', deletionOf('a'), deletionOf('a')],
    ['of a session and of the fork between', deletionOf('a'), deletionOf('b')],
    ['and a sweep', deletionOf('a'), ((sessions) => sessions.sweep()) as Work],
  ] as const) {
    test(
      name,
      async () => {
        const schedules = await everySchedule(first, second, async (store, outcomes) => {
          expect(outcomes).toEqual([undefined, undefined])
          await expectWhole(store, 'c', 'c')
          expect([...store.logs.keys()].filter((log) => log.startsWith('session/a/'))).toEqual([])
          const sessions = open(memory({ store }), { seed: 4 })
          await sessions.sweep()
          expect(await sessions.sweep()).toEqual(nothing)
          await expectWhole(store, 'c', 'c')
        })
        expect(schedules).toBeGreaterThan(80)
      },
      120_000,
    )
  }
})
