import { memory, MemoryStore } from '@sessiontree/memory'
import { describe, expect, test } from 'vitest'
import type { RoleMessage, Session, StorageAdapter, Turn } from '../src/index.ts'
import { handClock, settle } from './hand-clock.ts'
import { all, assistant, openOn, user } from './turn-rig.ts'

/** Holds one call of an adapter, the nth from when it was armed, before it reaches the store or before its answer comes back. */
function parking(inner: StorageAdapter) {
  let left: number | undefined
  let side: 'before' | 'after' = 'before'
  let hold = Promise.withResolvers<void>()
  let parked = Promise.withResolvers<'parked'>()
  const wait = async () => {
    parked.resolve('parked')
    await hold.promise
  }
  const pass = async <Result>(send: () => Promise<Result>): Promise<Result> => {
    const isMine = left !== undefined && left-- === 0
    if (isMine && side === 'before') await wait()
    const result = await send().then(
      (value) => () => value,
      (error: unknown) => () => {
        throw error
      },
    )
    if (isMine && side === 'after') await wait()
    return result()
  }
  const adapter: StorageAdapter = {
    ...inner,
    append: (...args) => pass(() => inner.append(...args)),
    get: (...args) => pass(() => inner.get(...args)),
    put: (...args) => pass(() => inner.put(...args)),
    async *read(...args) {
      const batches = inner.read(...args)[Symbol.asyncIterator]()
      for (;;) {
        const next = await pass(() => batches.next())
        if (next.done) return
        yield next.value
      }
    },
  }
  return {
    adapter,
    arm(call: number, where: 'before' | 'after') {
      ;[left, side] = [call, where]
      hold = Promise.withResolvers()
      parked = Promise.withResolvers()
      return parked.promise
    },
    release: () => hold.resolve(),
  }
}

// Everything but the last message is old.
const COMPACTS_ALL = { tailTokens: 1, targetTokens: 30_000, summaryTokens: 100, userTokens: 1 }

type Act = (turn: Turn<RoleMessage>, session: Session<RoleMessage>) => Promise<unknown>
const OPERATIONS: Readonly<Record<string, Act>> = {
  append: (turn) => turn.append(assistant('late')),
  'append of a batch': (turn) => turn.append([assistant('late'), assistant('later')]),
  'append with an id, looked for in the whole log': (turn) =>
    turn.append(assistant('late'), { id: 'late', ifAbsent: 'whole-log' }),
  'append that keeps the leaf': (turn) => turn.append(assistant('late'), { leaf: 'keep' }),
  record: (turn) => turn.record({ type: 'custom', name: 'late' }),
  savePoint: (turn) => turn.savePoint(),
  context: (turn) => turn.context(),
  compact: (turn) => turn.compact({ summarise: () => 'late', settings: COMPACTS_ALL }),
  complete: (turn) => turn.complete(),
  wait: (turn) => turn.wait(),
  fail: (turn) => turn.fail('late'),
  abort: (turn) => turn.abort(),
  dispose: (turn) => turn[Symbol.asyncDispose](),
}

const TAKEOVERS: Readonly<
  Record<string, (other: Session<RoleMessage>, advance: () => Promise<void>) => Promise<number>>
> = {
  'another begins by force': async (other) => {
    const taker = await other.beginTurn({ turnId: 'taker', force: true })
    await taker.append(user('taker'))
    return (await all(other.entries())).findIndex(({ turnId }) => turnId === 'taker')
  },
  'another begins after the expiry': async (other, advance) => {
    await advance()
    const taker = await other.beginTurn({ turnId: 'taker' })
    await taker.append(user('taker'))
    return (await all(other.entries())).findIndex(({ turnId }) => turnId === 'taker')
  },
  'another recovers after the expiry': async (other, advance) => {
    await advance()
    await other.recover()
    return (await all(other.entries())).length
  },
}

/** One turn of a holder whose nth call is held while another takes over. Resolves with whether there was such a call. */
async function play(
  act: Act,
  takeOver: (typeof TAKEOVERS)[string],
  { call, side, isStale }: { readonly call: number; readonly side: 'before' | 'after'; readonly isStale: boolean },
): Promise<boolean> {
  const [store, clock] = [new MemoryStore(), handClock()]
  const park = parking(memory({ store }))
  // Asleep: it renews nothing.
  const asleep = {
    ...clock,
    timer: (wait: number, wake: () => void) => (wait < 2000 ? clock.timer(wait, wake) : () => undefined),
  }
  const session = await openOn(store, asleep, 1, () => park.adapter).create('s')
  const base = await session.append(Array.from({ length: 3 }, (_, i) => user(`${i}`)))
  const other = await openOn(store, clock, 2).open('s')
  const turn = await session.beginTurn({ turnId: 'holder' })
  const question = await turn.append(user('question'))
  if (isStale) await other.append(user('beside'), { parent: base[0]!, leaf: 'keep' })

  const parked = park.arm(call, side)
  const acting = act(turn, session).then(
    () => 'done',
    (error: unknown) => error,
  )
  const first = await Promise.race([parked, acting])
  if (first !== 'parked') return false
  const from = await takeOver(other, () => clock.advance(36_000))
  const leaf = (await other.leaf())!.id
  park.release()
  const outcome = await acting
  if (outcome !== 'done') expect(outcome).toMatchObject({ code: 'LEASE_LOST' })
  // Whatever it tries next.
  await Promise.allSettled([turn.append(assistant('again'), { parent: question }), turn.savePoint(), turn.abort()])
  await settle()
  const reader = await openOn(store, clock, 3).open('s')
  const entries = await all(reader.entries())
  expect(entries.slice(from).filter(({ turnId }) => turnId === 'holder')).toEqual([])
  expect((await reader.leaf())!.id).toBe(leaf)
  const lease = await reader.activeTurn()
  expect(lease?.turnId ?? 'nobody').toBe(from < entries.length ? 'taker' : 'nobody')
  expect((await reader.verify()).ok).toBe(true)
  return true
}

describe('a holder held between any two of its calls, while', () => {
  for (const [takeover, takeOver] of Object.entries(TAKEOVERS)) {
    test.each(Object.keys(OPERATIONS))(`${takeover}, writes nothing afterwards: %s`, async (name) => {
      let calls = 0
      for (const isStale of [false, true]) {
        for (let call = 0; call < 20; call++) {
          const before = await play(OPERATIONS[name]!, takeOver, { call, side: 'before', isStale })
          const after = await play(OPERATIONS[name]!, takeOver, { call, side: 'after', isStale })
          if (!before && !after) break
          calls++
        }
      }
      // A context reads from memory; everything else calls the store at least once, and looks when it is stale.
      expect(calls).toBeGreaterThanOrEqual(name === 'context' ? 0 : 3)
    })
  }

  test('also while it begins: nothing of a turn that another one overtook', async () => {
    for (const side of ['before', 'after'] as const) {
      for (let call = 0; call < 10; call++) {
        const [store, clock] = [new MemoryStore(), handClock()]
        const park = parking(memory({ store }))
        const session = await openOn(store, clock, 1, () => park.adapter).create('s')
        await session.append(user('m'))
        const other = await openOn(store, clock, 2).open('s')
        const parked = park.arm(call, side)
        const beginning = session.beginTurn({ turnId: 'slow' }).catch((error: unknown) => error)
        if ((await Promise.race([parked, beginning])) !== 'parked') break
        const taker = await other.beginTurn({ turnId: 'taker', force: true })
        park.release()
        const outcome = await beginning
        const isRefused = outcome instanceof Error
        if (isRefused) expect(outcome).toMatchObject({ code: 'ACTIVE_TURN', turnId: 'taker' })
        else
          await expect((outcome as Turn<RoleMessage>).append(user('late'))).rejects.toMatchObject({
            code: 'LEASE_LOST',
          })
        await taker.append(user('on'))
        await taker.complete()
        const entries = await all(other.entries())
        const from = entries.findIndex(({ turnId }) => turnId === 'taker')
        expect(entries.slice(from).map(({ turnId }) => turnId)).toEqual(['taker', 'taker', 'taker'])
      }
    }
  })
})
