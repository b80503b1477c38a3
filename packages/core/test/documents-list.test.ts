import { counting } from '@sessiontree/contract'
import { memory, MemoryStore } from '@sessiontree/memory'
import { describe, expect, test } from 'vitest'
import { CorruptError, openSessions, SessionError, type StorageAdapter } from '../src/index.ts'
import { seededClock, seededRandom } from './seeded.ts'

function open(adapter: StorageAdapter) {
  return openSessions(adapter, { clock: seededClock(), random: seededRandom(1) })
}

async function withSessions(count: number) {
  const store = new MemoryStore()
  const adapter = memory({ store })
  const sessions = open(adapter)
  for (let i = 0; i < count; i++) await sessions.create(`s${i}`)
  return { store, adapter, sessions }
}

describe('list', () => {
  test('shows damage that the adapter reports as the problem of one session', async () => {
    const { adapter } = await withSessions(3)
    const damaged: StorageAdapter = {
      ...adapter,
      async get(key, options) {
        if (key === 'session/s1') throw new CorruptError('a torn page', { where: 'file 7' })
        return adapter.get(key, options)
      },
    }
    const shown = await Array.fromAsync(open(damaged).list())
    expect(shown.map(({ id, problem }) => [id, problem?.code])).toEqual([
      ['s2', undefined],
      ['s1', 'CORRUPT'],
      ['s0', undefined],
    ])
  })

  test('a store that does not answer is an error, not a session with a problem', async () => {
    const { adapter } = await withSessions(3)
    const silent: StorageAdapter = {
      ...adapter,
      async get() {
        throw new SessionError('UNAVAILABLE', 'no answer')
      },
    }
    await expect(Array.fromAsync(open(silent).list())).rejects.toMatchObject({ code: 'UNAVAILABLE' })
  })

  test('passes over index keys that it does not know', async () => {
    const { store, adapter, sessions } = await withSessions(1)
    await adapter.put('index/odd', '{}', { expect: 'absent' })
    await adapter.put('index/zzzzzzzzzzzz-s0', '{}', { expect: 'absent' })
    expect(await Array.fromAsync(sessions.list())).toHaveLength(1)
    expect(store.documents.size).toBe(4)
  })

  test('a cursor that is none is a TypeError', async () => {
    const { sessions } = await withSessions(1)
    for (const after of ['', 'a/b', 'A', 7 as never]) {
      await expect(Array.fromAsync(sessions.list({ after }))).rejects.toThrow(TypeError)
    }
    await expect(Array.fromAsync(sessions.list({ limit: -1 }))).rejects.toThrow(TypeError)
  })

  test('stops at a signal', async () => {
    const { sessions } = await withSessions(45)
    const reason = new Error('enough')
    const aborting = new AbortController()
    const seen: string[] = []
    const listing = (async () => {
      for await (const { id } of sessions.list({ signal: aborting.signal })) {
        seen.push(id)
        aborting.abort(reason)
      }
    })()
    await expect(listing).rejects.toBe(reason)
    // What was read together is still delivered.
    expect(seen).toHaveLength(20)
  })
})

test('an aborted signal rejects every call with its reason, and nothing is written', async () => {
  const { store } = await withSessions(1)
  const { adapter, counts } = counting(memory({ store }))
  const reason = new Error('enough')
  const signal = AbortSignal.abort(reason)
  for (const scope of [[], ['acme']]) {
    const sessions = openSessions(adapter, { scope })
    for (const attempt of [
      sessions.create(undefined, { signal }),
      sessions.create('x', { signal }),
      sessions.getOrCreate('x', { signal }),
      sessions.open('s0', { signal }),
      sessions.delete('s0', { signal }),
      sessions.sweep({ signal }),
      Array.fromAsync(sessions.list({ signal })),
    ]) {
      await expect(attempt).rejects.toBe(reason)
    }
  }
  await expect(openSessions(adapter, { scope: ['acme'] }).erase({ signal })).rejects.toBe(reason)
  expect(counts.put.calls + counts.remove.calls + counts.append.calls + counts.drop.calls).toBe(0)
})
