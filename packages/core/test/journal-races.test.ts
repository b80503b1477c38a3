import { gating } from '@sessiontree/contract'
import { memory, MemoryStore } from '@sessiontree/memory'
import { describe, expect, test } from 'vitest'
import { endLog } from '../src/end-log.ts'
import { ConflictError, openSessions, SessionError, type Session, type StorageAdapter } from '../src/index.ts'
import { seededClock, seededRandom } from './seeded.ts'

const user = (content: string) => ({ role: 'user', content })
const LOG = 'session/s/0'
const uncertain = () => new SessionError('UNCERTAIN', 'nobody knows')

const open = (seed: number, adapter: StorageAdapter) =>
  openSessions(adapter, { random: seededRandom(seed), clock: seededClock() })

/** A session with one entry, and another handle of it that works on the same store. */
async function two(adapterOf: (inner: StorageAdapter) => StorageAdapter = (inner) => inner) {
  const store = new MemoryStore()
  const sessions = open(1, adapterOf(memory({ store })))
  const session = await sessions.create('s')
  const base = await session.append(user('base'))
  const others = open(2, memory({ store }))
  const other = await others.open('s')
  await other.context()
  return { store, sessions, session, base, others, other }
}

/** What a call that hangs never does. */
const settled = (calls: readonly Promise<unknown>[]) =>
  Promise.race([
    Promise.allSettled(calls).then((results) =>
      results.map((result) => (result.status === 'fulfilled' ? 'stored' : (result.reason as SessionError).code)),
    ),
    new Promise((resolve) => setTimeout(() => resolve('hangs'), 500)),
  ])

describe('every call settles', () => {
  test('also when the look that the one behind it needs fails', async () => {
    const store = new MemoryStore()
    const writer = await open(1, memory({ store })).create('s')
    await writer.append(Array.from({ length: 300 }, () => user('x'.repeat(400))))
    let isAway = false
    const inner = memory({ store })
    const adapter: StorageAdapter = {
      ...inner,
      read(log, range) {
        if (isAway) throw new SessionError('UNAVAILABLE', 'away')
        return inner.read(log, range)
      },
    }
    const session = await open(2, adapter).open('s')
    await session.context({ maxTokens: 100 })
    isAway = true
    expect(await settled([session.append(user('1')), session.append(user('2'), { id: 'm' })])).toEqual([
      'stored',
      'UNAVAILABLE',
    ])
  })

  test('also a look behind an append to a session that was deleted meanwhile', async () => {
    const store = new MemoryStore()
    const { adapter, park } = gating(memory({ store }))
    const session = await open(1, adapter).create('s')
    const held = park('append', 'before', { name: LOG })
    const calls = [session.append(user('1')), session.context()]
    await held.parked
    await open(2, memory({ store })).delete('s')
    await held.release()
    expect(await settled(calls)).toEqual(['DELETED', 'DELETED'])
  })
})

test('an id is recognised within 256 records, also when the first look for it failed', async () => {
  const store = new MemoryStore()
  const writer = await open(1, memory({ store })).create('s')
  await writer.append(user('x'), { id: 'm' })
  await writer.append(Array.from({ length: 200 }, () => user('x'.repeat(500))))
  let isAway = false
  const inner = memory({ store })
  const adapter: StorageAdapter = {
    ...inner,
    read(log, range) {
      if (isAway) throw new SessionError('UNAVAILABLE', 'away')
      return inner.read(log, range)
    },
  }
  const session = await open(2, adapter).open('s')
  await session.context({ maxTokens: 100 })
  isAway = true
  await expect(session.append(user('x'), { id: 'm' })).rejects.toMatchObject({ code: 'UNAVAILABLE' })
  isAway = false
  await session.append(user('x'), { id: 'm' })
  expect((await session.verify()).entries).toBe(201)
})

test('an id that another handle was first to use, with other content, is DUPLICATE', async () => {
  const store = new MemoryStore()
  const { adapter, park } = gating(memory({ store }))
  const session = await open(1, adapter).create('s')
  const other = await open(2, memory({ store })).open('s')
  const held = park('append', 'before', { name: LOG })
  const call = session.append(user('mine'), { id: 'm', onConflict: 'rebase' })
  const rejected = expect(call).rejects.toMatchObject({ code: 'DUPLICATE' })
  await held.parked
  await other.append(user('theirs'), { id: 'm' })
  await held.release()
  await rejected
})

test('what others put behind an append whose answer was lost is still a conflict for the next one', async () => {
  const { session, store, other } = await two((inner) => {
    let appends = 0
    return {
      ...inner,
      async append(log, at, records) {
        await inner.append(log, at, records)
        if (++appends !== 2) return
        await other.append(user('foreign'), { onConflict: 'rebase' })
        throw uncertain()
      },
    }
  })
  await session.append(user('mine'))
  const error = await session.append(user('next')).catch((reason: unknown) => reason)
  expect(SessionError.is(error, 'CONFLICT') && error.entries).toHaveLength(1)
  expect(store.logs.get(LOG)).toHaveLength(3)
})

test('nothing goes behind a closed record that a look for the parent has brought', async () => {
  const { session, store, other } = await two()
  const parent = await other.append(user('parent'))
  await endLog({ adapter: memory({ store }), clock: seededClock(), random: seededRandom(3) }, LOG)
  await expect(session.append(user('x'), { parent: parent.id })).rejects.toMatchObject({ code: 'BUSY' })
  await expect(session.moveTo(parent.id)).rejects.toMatchObject({ code: 'BUSY' })
  expect(store.logs.get(LOG)).toHaveLength(3)
})

test('an abort at any moment that rejects with its reason has written nothing', async () => {
  for (let ticks = 0; ticks < 60; ticks++) {
    const { session, store } = await two()
    const controller = new AbortController()
    const reason = new Error('enough')
    const call = session.append(user('x'), { signal: controller.signal }).catch((error: unknown) => error)
    for (let tick = 0; tick < ticks; tick++) await Promise.resolve()
    controller.abort(reason)
    const outcome = await call
    await session.refresh()
    expect(store.logs.get(LOG), `after ${ticks} ticks`).toHaveLength(outcome === reason ? 1 : 2)
  }
})

describe('a log that is dropped while it is read', () => {
  /** A session that a repair moved and whose old log a sweep dropped, while a read of that one was on its way; it is told so, or finds nothing. */
  async function dropped(
    answer: 'DELETED' | 'nothing',
    read: (session: Session<{ readonly role: string }>) => Promise<unknown>,
  ) {
    const store = new MemoryStore()
    const { adapter, park } = gating(memory({ store }))
    const writer = await open(1, memory({ store })).create('s')
    await writer.append(user('1'))
    const session = await open(2, adapter).open('s')
    const held = park('read', 'before', { name: LOG })
    const reading = read(session)
    reading.catch(() => {})
    await held.parked
    await endLog({ adapter: memory({ store }), clock: seededClock(), random: seededRandom(3) }, LOG)
    await writer.repair()
    await memory({ store }).drop(LOG)
    if (answer === 'nothing') await held.release()
    else held.refuse(new SessionError('DELETED', 'dropped while it was read'))
    return reading
  }

  for (const answer of ['nothing', 'DELETED'] as const) {
    test(`is looked for again by verify and by reads: ${answer}`, async () => {
      expect(await dropped(answer, (session) => session.verify())).toMatchObject({ ok: true, entries: 1 })
      expect(await dropped(answer, (session) => session.context())).toMatchObject({ messages: [user('1')] })
      expect(await dropped(answer, (session) => session.append(user('2')))).toMatchObject({ position: [0, 1] })
    })
  }

  test('is DELETED for verify if nothing took its place', async () => {
    const store = new MemoryStore()
    const { adapter, park } = gating(memory({ store }))
    const session = await open(1, adapter).create('s')
    const held = park('read', 'before', { name: LOG })
    const verifying = expect(session.verify()).rejects.toMatchObject({ code: 'DELETED' })
    await held.parked
    await open(2, memory({ store })).delete('s')
    await held.release()
    await verifying
  })
})

test('a call that shares the fate of another one with its id is UNCERTAIN with that id', async () => {
  let isLost = false
  const { session } = await two((inner) => ({
    ...inner,
    async append(log, at, records) {
      if (isLost) throw uncertain()
      await inner.append(log, at, records)
    },
  }))
  isLost = true
  const calls = [1, 2].map(() => session.append(user('x'), { id: 'm' }).catch((reason: unknown) => reason))
  expect(await Promise.all(calls)).toMatchObject([
    { code: 'UNCERTAIN', ids: ['m'] },
    { code: 'UNCERTAIN', ids: ['m'] },
  ])
})

test('nothing goes behind a closed record of the log that the session moved to', async () => {
  const { session, store, other } = await two()
  const environment = { adapter: memory({ store }), clock: seededClock(), random: seededRandom(3) }
  await endLog(environment, LOG)
  await other.repair()
  await endLog(environment, 'session/s/1')
  await expect(session.append(user('x'))).rejects.toMatchObject({ code: 'BUSY' })
  expect(store.logs.get('session/s/1')).toHaveLength(2)
  await other.repair()
  expect(await session.append(user('x'))).toMatchObject({ position: [0, 1] })
})

describe('an index that is refused although nobody holds it', () => {
  for (const isUndecided of [false, true]) {
    test(`in a dropped log: the session goes on in the copy${isUndecided ? ', which decides what was uncertain' : ''}`, async () => {
      let isLost = false
      const { session, store, other } = await two((inner) => ({
        ...inner,
        async append(log, at, records) {
          if (isLost) throw uncertain()
          await inner.append(log, at, records)
        },
      }))
      isLost = isUndecided
      if (isUndecided) await expect(session.append(user('lost'))).rejects.toMatchObject({ code: 'UNCERTAIN' })
      isLost = false
      await endLog({ adapter: memory({ store }), clock: seededClock(), random: seededRandom(3) }, LOG)
      await other.repair()
      await other.append(user('2'), { onConflict: 'rebase' })
      await memory({ store }).drop(LOG)
      const entry = await session.append(user('3'), { onConflict: 'rebase' })
      expect(entry).toMatchObject({ position: [0, 2] })
      expect((await session.context()).messages.map(({ content }) => content)).toEqual(['base', '2', '3'])
    })
  }

  test('in the log that the session has: CORRUPT, with or without an answer that was lost before', async () => {
    let answer: SessionError | undefined
    const { session } = await two((inner) => ({
      ...inner,
      async append(log, at, records) {
        if (answer) throw answer
        await inner.append(log, at, records)
      },
    }))
    answer = new ConflictError('refused', { atLeast: 0 })
    await expect(session.append(user('x'))).rejects.toMatchObject({ code: 'CORRUPT', at: 1 })
    answer = uncertain()
    await expect(session.append(user('x'))).rejects.toMatchObject({ code: 'UNCERTAIN' })
    answer = new ConflictError('refused', { atLeast: 0 })
    await expect(session.append(user('x'))).rejects.toMatchObject({ code: 'CORRUPT', at: 1 })
    answer = undefined
    await session.append(user('y'))
  })
})
