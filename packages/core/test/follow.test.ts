import { counting } from '@sessiontree/contract'
import { memory, MemoryStore } from '@sessiontree/memory'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { CorruptError, openSessions, SessionError, systemClock, type Entry, type StorageAdapter } from '../src/index.ts'
import { DAMAGED, damagedMemory } from './damaged-memory.ts'
import { manualClock } from './manual-clock.ts'
import { seededClock, seededRandom } from './seeded.ts'

const user = (content: string) => ({ role: 'user', content })
const DONE = { done: true, value: undefined }
const textOf = (entry: Entry<{ role: string }>) =>
  String((entry as { message?: { content?: string } }).message?.content)

/** An adapter without hints. */
function mute(adapter: StorageAdapter): StorageAdapter {
  const { watch: _, ...rest } = adapter
  return { ...rest, capabilities: { ...adapter.capabilities, watch: false } }
}

async function take<Item>(items: AsyncIterator<Item>, count: number): Promise<Item[]> {
  const taken: Item[] = []
  while (taken.length < count) taken.push(((await items.next()) as { value: Item }).value)
  return taken
}

async function two(adapterOf: (adapter: StorageAdapter) => StorageAdapter = (adapter) => adapter) {
  const store = new MemoryStore()
  const open = (seed: number, clock = seededClock()) =>
    openSessions(adapterOf(memory({ store })), { random: seededRandom(seed), clock })
  const sessions = open(1)
  const session = await sessions.create('s')
  const other = await open(2).open('s')
  return { store, sessions, session, other, open }
}

describe.each([
  ['with hints', (adapter: StorageAdapter) => adapter],
  ['without hints', mute],
])('follow %s', (_hints, adapterOf) => {
  test('from now on: what is appended after the call, by this handle and by others', async () => {
    const { session, other } = await two(adapterOf)
    await session.append(user('before'))
    const following = session.follow()
    await session.append(user('own'))
    await other.append(user('other'), { onConflict: 'rebase' })
    expect((await take(following, 2)).map(textOf)).toEqual(['own', 'other'])
    const next = following.next()
    await other.append(user('late'))
    expect(textOf((await next).value!)).toBe('late')
    await following.return()
  })

  test('from the beginning, and behind an entry, by id or by itself', async () => {
    const { session, other } = await two(adapterOf)
    const [, b] = await session.append(['a', 'b', 'c'].map(user))
    const next = async (after: Entry<{ role: string }> | string | null) => {
      const following = other.follow({ after })
      const { value } = await following.next()
      await following.return()
      return textOf(value!)
    }
    expect([await next(null), await next(b!), await next(b!.id)]).toEqual(['a', 'c', 'c'])
    await expect(next('nowhere')).rejects.toMatchObject({ code: 'NOT_FOUND' })
  })

  test('moves of the leaf are no entries; every branch comes in the order of appending', async () => {
    const { session, other } = await two(adapterOf)
    const following = other.follow({ after: null })
    const a = await session.append(user('a'))
    await session.append(user('b'))
    await session.moveTo(a)
    await session.append(user('c'))
    expect((await take(following, 3)).map(textOf)).toEqual(['a', 'b', 'c'])
    await following.return()
  })

  test('what it gave is known: an append behind it is no conflict', async () => {
    const { session, other } = await two(adapterOf)
    await session.append(user('mine'))
    const following = session.follow()
    await other.append(user('theirs'), { onConflict: 'rebase' })
    await take(following, 1)
    await session.append(user('an answer'))
    await other.append(user('unseen'), { onConflict: 'rebase' })
    await expect(session.append(user('blind'))).rejects.toMatchObject({ code: 'CONFLICT' })
    await following.return()
  })

  test('exactly once and in order, however often it is interrupted, while three handles append', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.nat(2), fc.integer({ min: 1, max: 4 })), { minLength: 1, maxLength: 12 }),
        fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 1, maxLength: 5 }),
        fc.nat(),
        async (appends, readings, seed) => {
          const store = new MemoryStore()
          const open = (offset: number) =>
            openSessions(adapterOf(memory({ store })), { random: seededRandom(seed + offset), clock: seededClock() })
          const creator = await open(0).create('s')
          const writers = [creator, await open(1).open('s'), await open(2).open('s')]
          const total = appends.reduce((sum, [, count]) => sum + count, 0)
          const reading = (async () => {
            const got: string[] = []
            let after: Entry<{ role: string }> | null = null
            for (let i = 0; got.length < total; i++) {
              // Each time from another handle.
              const following = (await open(10 + i).open('s')).follow({ after })
              const count = Math.min(readings[i % readings.length]!, total - got.length)
              for (const entry of await take(following, count)) {
                got.push(entry.id)
                after = entry
              }
              await following.return()
            }
            return got
          })()
          await Promise.all(
            appends.map(([writer, count], at) =>
              writers[writer]!.append(
                Array.from({ length: count }, (_, i) => user(`${at}.${i}`)),
                { onConflict: 'rebase' },
              ),
            ),
          )
          const stored = await creator.entries().toArray()
          expect(await reading).toEqual(stored.map(({ id }) => id))
        },
      ),
      { numRuns: 60 },
    )
  })
})

describe('a session that moves to another log', () => {
  async function damaged(count: number) {
    const store = new MemoryStore()
    const inner = damagedMemory(store)
    // Damage up to the end: nobody can tell the length.
    const adapter: StorageAdapter = {
      ...inner,
      async append(log, ...rest) {
        if (store.logs.get(log)?.at(-1) === DAMAGED) throw new CorruptError('Damaged.', { log })
        await inner.append(log, ...rest)
      },
    }
    const open = (seed: number) => openSessions(adapter, { random: seededRandom(seed), clock: seededClock() })
    const session = await open(1).create('s')
    for (let i = 0; i < count; i++) await session.append(user(String(i)))
    const reader = await open(2).open('s')
    return { session, reader, log: store.logs.get('session/s/0')! }
  }

  test('goes on where it was: nothing twice, nothing missing', async () => {
    const { session, reader, log } = await damaged(6)
    const following = reader.follow({ after: null })
    expect((await take(following, 4)).map(textOf)).toEqual(['0', '1', '2', '3'])
    log[1] = DAMAGED
    expect(await session.repair()).toMatchObject({ repaired: true, lostEnd: false })
    const next = take(following, 4)
    await session.append(['6', '7'].map(user))
    expect((await next).map(textOf)).toEqual(['4', '5', '6', '7'])
    await following.return()
  })

  test('that lost its end: what takes the place of lost entries is new', async () => {
    const { session, reader, log } = await damaged(4)
    const following = reader.follow({ after: null })
    await take(following, 4)
    log[2] = DAMAGED
    log[3] = DAMAGED
    expect(await session.repair()).toMatchObject({ repaired: true, lostEnd: true })
    await session.append(['new', 'newer', 'newest'].map(user))
    expect((await take(following, 3)).map(textOf)).toEqual(['new', 'newer', 'newest'])
    await following.return()
  })
})

describe('a fork', () => {
  test('gives what it shares first, then its own; goes on behind an entry of either', async () => {
    const { session, open } = await two()
    await session.append(['a', 'b', 'c'].map(user), { id: ['a', 'b', 'c'] })
    const fork = await session.fork({ id: 'f', at: 'b' })
    await session.append(user('not of the fork'))
    const inner = await fork.fork({ id: 'g' })
    const following = (await open(4).open('g')).follow({ after: null })
    await inner.append(user('d'), { id: 'd' })
    expect((await take(following, 3)).map(textOf)).toEqual(['a', 'b', 'd'])
    await inner.append(user('e'), { id: 'e' })
    expect((await take(following, 1)).map(textOf)).toEqual(['e'])
    await following.return()
    for (const [after, rest] of [
      ['a', ['b', 'd', 'e']],
      ['b', ['d', 'e']],
      [await inner.entry('d'), ['e']],
    ] as const) {
      const again = inner.follow({ after })
      expect((await take(again, rest.length)).map(textOf)).toEqual(rest)
      await again.return()
    }
    await expect(inner.follow({ after: 'c' }).next()).rejects.toMatchObject({ code: 'NOT_FOUND' })
  })
})

describe('ends', () => {
  test('without an error when its signal aborts, also while it waits', async () => {
    const { session } = await two()
    const controller = new AbortController()
    const waiting = session.follow({ signal: controller.signal }).next()
    await new Promise((resolve) => setTimeout(resolve, 5))
    controller.abort()
    expect(await waiting).toEqual({ done: true, value: undefined })
    expect(await session.follow({ after: null, signal: controller.signal }).next()).toEqual({
      done: true,
      value: undefined,
    })
  })

  test('without an error when it is returned or the sessions close, while it waits', async () => {
    const { session, sessions } = await two()
    const [one, other] = [session.follow(), session.follow()]
    const waiting = [one.next(), other.next()]
    await new Promise((resolve) => setTimeout(resolve, 5))
    expect(await one.return()).toEqual({ done: true, value: undefined })
    await sessions.close()
    expect(await Promise.all(waiting)).toEqual([DONE, DONE])
    await expect(session.follow().next()).rejects.toMatchObject({ code: 'CLOSED' })
  })

  test.each([true, false])('with DELETED when the session is deleted (hints: %s)', async (hints) => {
    const { session, other, open } = await two(hints ? (adapter) => adapter : mute)
    await session.append(user('a'))
    const waiting = other.follow().next()
    await open(3).delete('s')
    await expect(waiting).rejects.toMatchObject({ code: 'DELETED' })
    await expect(session.append(user('b'))).rejects.toSatisfy((error) => SessionError.is(error, 'DELETED'))
  })
})

describe('what waiting costs', () => {
  async function counted(adapterOf: (adapter: StorageAdapter) => StorageAdapter) {
    const store = new MemoryStore()
    const clock = manualClock()
    const writer = await openSessions(memory({ store })).create('s')
    await writer.append(user('a'))
    const { adapter, counts, reset } = counting(adapterOf(memory({ store })))
    const session = await openSessions(adapter, { clock }).open('s')
    return { writer, session, clock, counts, reset }
  }

  test('without hints: 25 ms, then twice as long each time up to 2 s, and from 25 ms on again after news', async () => {
    const { writer, session, clock, counts, reset } = await counted(mute)
    const following = session.follow()
    const next = following.next()
    await clock.advance(0)
    reset()
    await clock.advance(60_000)
    // 25, 50, …, 1,600, then every 2 s; the session's document once or twice.
    expect(counts.read.calls).toBeLessThanOrEqual(7 + 30)
    expect(counts.read.calls).toBeGreaterThanOrEqual(30)
    expect(counts.get.calls).toBeLessThanOrEqual(2)
    await writer.append(user('b'))
    await clock.advance(2_000)
    expect(textOf((await next).value!)).toBe('b')
    reset()
    const after = following.next()
    await clock.advance(100)
    expect(counts.read.calls).toBe(2)
    await following.return()
    expect(await after).toEqual({ done: true, value: undefined })
  })

  test('with hints: a look every 2 s, and one at once when there is something', async () => {
    const { writer, session, clock, counts, reset } = await counted((adapter) => adapter)
    const next = session.follow().next()
    await clock.advance(0)
    reset()
    await clock.advance(20_000)
    expect(counts.read.calls).toBe(10)
    await writer.append(user('b'))
    await clock.advance(25)
    expect(textOf((await next).value!)).toBe('b')
    expect(counts.read.calls).toBe(11)
  })

  test('ten followers of a handle cost what one does, and what they are given is read once', async () => {
    const { writer, session, clock, counts, reset } = await counted(mute)
    const all = Array.from({ length: 10 }, () => session.follow().next())
    await clock.advance(0)
    reset()
    await clock.advance(60_000)
    expect(counts.read.calls).toBeLessThanOrEqual(7 + 30)
    await writer.append(user('b'))
    reset()
    await clock.advance(2_000)
    expect((await Promise.all(all)).map(({ value }) => textOf(value!))).toEqual(Array(10).fill('b'))
    expect(counts.read).toMatchObject({ calls: 1, records: 1 })
  })

  test('nothing while nobody waits', async () => {
    const { session, clock, counts, reset } = await counted(mute)
    const following = session.follow()
    const entry = following.next()
    await clock.advance(0)
    await session.append(user('own'))
    await entry
    reset()
    await clock.advance(60_000)
    expect(counts.read.calls).toBe(0)
    await following.return()
    await clock.advance(60_000)
    expect(counts.read.calls).toBe(0)
  })

  test('a failure that may pass is tried again, another is told', async () => {
    const store = new MemoryStore()
    const writer = await openSessions(memory({ store })).create('s')
    let failure: SessionError | undefined
    const inner = mute(memory({ store }))
    const adapter: StorageAdapter = {
      ...inner,
      async *read(log, range) {
        if (failure) throw failure
        yield* inner.read(log, range)
      },
    }
    const session = await openSessions(adapter, { clock: systemClock }).open('s')
    await writer.append(user('a'))
    const following = session.follow()
    const next = following.next()
    await new Promise((resolve) => setTimeout(resolve, 10))
    failure = new SessionError('BUSY', 'for the moment')
    await new Promise((resolve) => setTimeout(resolve, 60))
    failure = undefined
    await writer.append(user('b'))
    expect(textOf((await next).value!)).toBe('b')
    failure = new SessionError('DENIED', 'for good')
    await expect(following.next()).rejects.toBe(failure)
  })
})
