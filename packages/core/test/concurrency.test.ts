import { memory, MemoryStore } from '@sessiontree/memory'
import { describe, expect, test } from 'vitest'
import { openSessions, SessionError, type StorageAdapter } from '../src/index.ts'
import { seededClock, seededRandom } from './seeded.ts'

const user = (content: string) => ({ role: 'user', content })

async function two() {
  const store = new MemoryStore()
  const open = (seed: number) => openSessions(memory({ store }), { random: seededRandom(seed), clock: seededClock() })
  const one = await open(1).create('s')
  const base = await one.append(user('base'))
  const other = await open(2).open('s')
  await other.context()
  return { store, one, other, base, contents: async () => (await one.context()).messages.map(({ content }) => content) }
}

const outcome = (promise: Promise<unknown>) =>
  promise.then(
    () => 'stored',
    (error: unknown) => (error as SessionError).code ?? String(error),
  )

describe('calls of one handle take effect in the order in which they were made', () => {
  test('append with a parent, then a plain one', async () => {
    const { one, base } = await two()
    const [left, right] = await Promise.all([one.append(user('x'), { parent: base.id }), one.append(user('y'))])
    expect(right?.parentId).toBe(left?.id)
  })

  test('moveTo, then append', async () => {
    const { one, base } = await two()
    await one.append(user('old branch'))
    const [, entry] = await Promise.all([one.moveTo(base.id), one.append(user('new branch'))])
    expect(entry?.parentId).toBe(base.id)
    expect((await one.leaf())?.id).toBe(entry?.id)
  })

  test('appends that were made before close are stored; later ones are CLOSED', async () => {
    const store = new MemoryStore()
    const sessions = openSessions(memory({ store }))
    const session = await sessions.create('s')
    const before = [1, 2, 3].map((i) => session.append(user(String(i))))
    const closing = sessions.close()
    const late = outcome(session.append(user('late')))
    expect(await Promise.all(before.map(outcome))).toEqual(['stored', 'stored', 'stored'])
    await closing
    expect(await late).toBe('CLOSED')
    expect(store.logs.get('session/s/0')).toHaveLength(3)
  })
})

describe('reject compares with the leaf that the caller was shown', () => {
  test('two calls on a stale handle are both rejected, the next one after the error goes behind', async () => {
    const { one, other, contents } = await two()
    const foreign = await other.append(user('foreign'))
    const both = await Promise.all([outcome(one.append(user('a'))), outcome(one.append(user('b')))])
    expect(both).toEqual(['CONFLICT', 'CONFLICT'])
    expect((await one.append(user('c'))).parentId).toBe(foreign.id)
    expect(await contents()).toEqual(['base', 'foreign', 'c'])
  })

  test('looking at another entry does not show the leaf', async () => {
    const { one, other, base } = await two()
    await other.append(user('foreign'))
    await one.entry(base.id)
    const error = await one.append(user('a')).catch((reason: unknown) => reason)
    expect(SessionError.is(error, 'CONFLICT') && error.entries.map(({ id }) => id)).toHaveLength(1)
  })

  test('a leaf that moved away and back conflicts with nobody', async () => {
    const { one, other, base } = await two()
    await other.moveTo(null)
    await other.moveTo(base.id)
    expect((await one.append(user('a'))).parentId).toBe(base.id)
  })

  test('own appends under way do not make a later call stale', async () => {
    const { one, contents } = await two()
    const first = one.append(user('1'))
    await one.context()
    const second = one.append(user('2'))
    await Promise.all([first, second, one.append(user('3'))])
    expect(await contents()).toEqual(['base', '1', '2', '3'])
  })

  test('a lost race for the slot conflicts, and writes nothing', async () => {
    const { store, other } = await two()
    const inner = memory({ store })
    let raced = false
    const adapter: StorageAdapter = {
      ...inner,
      async append(log, at, records) {
        if (!raced) {
          raced = true
          await other.append(user('first'))
        }
        return inner.append(log, at, records)
      },
    }
    const racer = await openSessions(adapter, { clock: seededClock() }).open('s')
    await racer.context()
    expect(await outcome(racer.append(user('second')))).toBe('CONFLICT')
    expect(store.logs.get('session/s/0')).toHaveLength(2)
  })
})

describe('ids', () => {
  test('two workers append the same entry: both get the one that is stored', async () => {
    const { one, other, contents } = await two()
    const first = await one.append(user('x'), { id: 'm1' })
    expect(await other.append(user('x'), { id: 'm1' })).toEqual(first)
    expect(await contents()).toEqual(['base', 'x'])
  })

  test('are recognised by a new process among the last 256 records or 256 KiB', async () => {
    const { store, one } = await two()
    const first = await one.append(user('x'), { id: 'm1' })
    for (let i = 0; i < 8; i++) await one.append(user('y'.repeat(10_000)))
    const again = await openSessions(smallBatches(memory({ store }))).open('s')
    expect(await again.append(user('x'), { id: 'm1' })).toEqual(first)
  })

  test('a batch that is stored in part is DUPLICATE and says so', async () => {
    const { one } = await two()
    await one.append(user('x'), { id: 'm1' })
    await expect(one.append([user('x'), user('y')], { id: ['m1', 'm2'] })).rejects.toThrow(
      /not the others of this batch/,
    )
  })
})

/** Delivers one record a batch, as a store with small pages may. */
function smallBatches(inner: StorageAdapter): StorageAdapter {
  return {
    ...inner,
    async *read(log, range) {
      for await (const { at, records } of inner.read(log, range)) {
        const single = records.map((record, i) => ({ at: at + i, records: [record] }))
        yield* range?.reverse ? single.toReversed() : single
      }
    },
  }
}

test('a call sees what was acknowledged before it, also if a look that began earlier is still under way', async () => {
  const { store, other, base } = await two()
  const inner = memory({ store })
  let hold: Promise<void> | undefined
  const adapter: StorageAdapter = {
    ...inner,
    async *read(log, range) {
      const seen = await Array.fromAsync(inner.read(log, range))
      await hold
      yield* seen
    },
  }
  const slow = await openSessions(adapter, { clock: seededClock() }).open('s')
  await slow.context()
  for (const call of [
    (id: string) => slow.append(user('answer'), { parent: id }),
    (id: string) => slow.moveTo(id),
    async (id: string) => expect((await slow.entry(id)).id).toBe(id),
  ]) {
    let release = () => {}
    hold = new Promise((resolve) => (release = resolve))
    const looking = slow.leaf()
    for (let tick = 0; tick < 20; tick++) await Promise.resolve()
    const { id } = await other.append(user('acknowledged'), { parent: base })
    const calling = call(id)
    hold = undefined
    release()
    await looking
    await calling
  }
})
