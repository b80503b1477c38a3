import { faulty, gating } from '@sessiontree/contract'
import { memory, MemoryStore } from '@sessiontree/memory'
import { describe, expect, test } from 'vitest'
import { endLog } from '../src/end-log.ts'
import {
  ConflictError,
  CorruptError,
  decodeRecord,
  openSessions,
  SessionError,
  type StorageAdapter,
} from '../src/index.ts'
import { seededClock, seededRandom } from './seeded.ts'

const log = 'session/s/0'
const environment = (adapter: StorageAdapter, seed = 7) => ({
  adapter,
  clock: seededClock(),
  random: seededRandom(seed),
})
const user = (content: string) => ({ role: 'user', content })

async function withLog() {
  const store = new MemoryStore()
  const adapter = memory({ store })
  const session = await openSessions(adapter, { clock: seededClock(), random: seededRandom(1) }).create('s')
  const first = await session.append(user('one'))
  await session.append(user('two'))
  const records = () => (store.logs.get(log) ?? []).map((text, at) => decodeRecord(text, [0, at], log))
  const types = () => records().map(({ content }) => content.type)
  return { store, adapter, session, first, records, types }
}

describe('endLog', () => {
  test('puts one closed record behind the last one, which leaves the same state', async () => {
    const { adapter, session, first, records, types } = await withLog()
    await session.moveTo(first)
    expect(await endLog(environment(adapter), log)).toEqual({ fenced: true, at: 3 })
    expect(types()).toEqual(['user_message', 'user_message', 'leaf_move', 'closed'])
    const { parentId, state } = records()[3]!
    expect({ parentId, state }).toEqual({
      parentId: null,
      state: { leaf: { id: first.id, position: [0, 0] }, epoch: 0, turn: null },
    })
    expect(await endLog(environment(adapter), log)).toEqual({ fenced: true, at: 3 })
    expect(types()).toHaveLength(4)
  })

  test('carries epoch and turn over, and a leaf that is the last record itself', async () => {
    const store = new MemoryStore()
    const envelope = { id: 'm', parentId: null, createdAt: '2026-11-21T10:00:00.000Z', hash: 'x', digest: 'y' }
    const text = JSON.stringify({ ...envelope, type: 'turn_marker', epoch: 4, turn: 't' })
    store.logs.set(log, [text])
    await endLog(environment(memory({ store })), log, { segment: 3 })
    expect(decodeRecord(store.logs.get(log)![1]!, [3, 1], log).state).toEqual({
      leaf: { id: 'm', position: [3, 0] },
      epoch: 4,
      turn: 't',
    })
  })

  test('an empty log gets it at 0, so that no writer with an empty view starts it any more', async () => {
    const store = new MemoryStore()
    expect(await endLog(environment(memory({ store })), log)).toEqual({ fenced: true, at: 0 })
    await expect(memory({ store }).append(log, 0, ['"late"'])).rejects.toMatchObject({ code: 'CONFLICT' })
  })

  test('a last record that is none does not keep it from ending', async () => {
    const { store, adapter, types } = await withLog()
    store.logs.get(log)![1] = '"damage"'
    expect(await endLog(environment(adapter), log)).toEqual({ fenced: true, at: 2 })
    expect(() => types()).toThrow(CorruptError)
    expect(decodeRecord(store.logs.get(log)![2]!, [0, 2], log).state.leaf).toBeNull()
  })

  test('a dropped log is fenced already', async () => {
    const { store, adapter } = await withLog()
    await adapter.drop(log)
    expect(await endLog(environment(adapter), log)).toEqual({ fenced: true, at: undefined })
    expect(store.logs.has(log)).toBe(false)
  })

  test('a log that is dropped while it is looked at is fenced too', async () => {
    const { adapter } = await withLog()
    let reads = 0
    const dropping: StorageAdapter = {
      ...adapter,
      async *read(name, range) {
        if (reads++ === 0) {
          await adapter.drop(log)
          throw new SessionError('DELETED', 'dropped while it was read')
        }
        yield* adapter.read(name, range)
      },
    }
    expect(await endLog(environment(dropping), log)).toEqual({ fenced: true, at: undefined })
  })

  test('others who append meanwhile: it goes behind them', async () => {
    const { adapter, session, types } = await withLog()
    const gate = gating(adapter)
    const held = gate.park('append', 'before')
    const ending = endLog(environment(gate.adapter), log)
    await held.parked
    await session.append(user('three'))
    await held.release()
    expect(await ending).toEqual({ fenced: true, at: 3 })
    expect(types()).toEqual(['user_message', 'user_message', 'user_message', 'closed'])
  })

  test('two at once end it once', async () => {
    const { adapter, types } = await withLog()
    const both = await Promise.all([1, 2].map((seed) => endLog(environment(adapter, seed), log)))
    expect(both).toEqual([
      { fenced: true, at: 2 },
      { fenced: true, at: 2 },
    ])
    expect(types()).toHaveLength(3)
  })

  test('others who are always first: BUSY, in the end', async () => {
    const { adapter, session, types } = await withLog()
    const losing: StorageAdapter = {
      ...adapter,
      async append(...call) {
        await session.append(user('again'))
        return adapter.append(...call)
      },
    }
    await expect(endLog(environment(losing), log)).rejects.toMatchObject({ code: 'BUSY', written: 'no' })
    expect(types()).not.toContain('closed')
  })

  test('whatever happens to requests and answers, it ends once or says that nobody knows', async () => {
    let settled = 0
    for (let seed = 1; seed <= 200; seed++) {
      const { store, types } = await withLog()
      const { adapter, land } = faulty(memory({ store }), { seed, rates: { unsent: 0.2, lost: 0.2, late: 0.2 } })
      const outcome = await endLog(environment(adapter, seed), log).catch((error: unknown) => error)
      await land()
      expect(types().filter((type) => type === 'closed').length).toBeLessThanOrEqual(1)
      if (SessionError.is(outcome)) expect(outcome.code).toBe('UNCERTAIN')
      else {
        settled++
        expect(outcome).toEqual({ fenced: true, at: 2 })
        expect(types()).toEqual(['user_message', 'user_message', 'closed'])
      }
    }
    expect(settled).toBeGreaterThan(180)
  })

  test('a refusal after an uncertain answer is UNCERTAIN; alone it is what it is', async () => {
    const { adapter } = await withLog()
    const refusing = (codes: ('UNCERTAIN' | 'DENIED')[]): StorageAdapter => ({
      ...adapter,
      async append() {
        throw new SessionError(codes.shift() ?? 'DENIED', 'no')
      },
    })
    await expect(endLog(environment(refusing(['DENIED'])), log)).rejects.toMatchObject({ code: 'DENIED' })
    await expect(endLog(environment(refusing(['UNCERTAIN'])), log)).rejects.toMatchObject({ code: 'UNCERTAIN' })
  })

  /** The last record cannot be read; the adapter may know the length all the same. */
  function damaged(adapter: StorageAdapter, length: number | undefined, at: number | undefined): StorageAdapter {
    return {
      ...adapter,
      // eslint-disable-next-line require-yield
      async *read() {
        throw new CorruptError('damage', at === undefined ? {} : { at })
      },
      async append(_name, index, records) {
        if (length === undefined) throw new CorruptError('where does it end?')
        if (index !== length) throw new ConflictError('another length', { atLeast: length })
        await adapter.append(log, index, records)
      },
    }
  }

  test('a damaged tail: it ends if the adapter knows the length, else it says that it is not fenced', async () => {
    for (const [length, at, outcome] of [
      [2, 1, { fenced: true, at: 2 }],
      // The damage begins before the end.
      [2, 0, { fenced: true, at: 2 }],
      [undefined, 1, { fenced: false, at: undefined }],
      [2, undefined, { fenced: false, at: undefined }],
    ] as const) {
      const { adapter } = await withLog()
      expect(await endLog(environment(damaged(adapter, length, at)), log)).toEqual(outcome)
    }
  })

  test('a damaged tail whose length nobody tells: it is not fenced', async () => {
    const { adapter, types } = await withLog()
    let tries = 0
    const refusing: StorageAdapter = {
      ...damaged(adapter, 2, 1),
      async append() {
        tries++
        throw new ConflictError('another length', { atLeast: 0 })
      },
    }
    expect(await endLog(environment(refusing), log)).toEqual({ fenced: false, at: undefined })
    expect(tries).toBeLessThan(10)
    expect(types()).toHaveLength(2)
  })

  test('an aborted signal rejects with its reason, and nothing is appended', async () => {
    const { adapter, types } = await withLog()
    const reason = new Error('enough')
    await expect(endLog(environment(adapter), log, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
    expect(types()).toHaveLength(2)
  })
})
