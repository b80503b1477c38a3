import { memory, MemoryStore } from '@sessiontree/memory'
import { expect, test } from 'vitest'
import { openSessions, SessionError, type StorageAdapter } from '../src/index.ts'
import { seededClock, seededRandom } from './seeded.ts'

type Fault = 'lost answer' | 'never arrived' | 'arrives with the next call' | 'refused'

/** A memory adapter whose appends meet the given faults, one each, before they work again. */
function faulty(store: MemoryStore, faults: Fault[]): StorageAdapter {
  const inner = memory({ store })
  let late: (() => Promise<void>) | undefined
  return {
    ...inner,
    async append(log, at, records) {
      await late?.().catch(() => {})
      late = undefined
      const fault = faults.shift()
      if (fault === undefined) return inner.append(log, at, records)
      if (fault === 'refused') throw new SessionError('DENIED', 'no')
      if (fault === 'lost answer') await inner.append(log, at, records)
      if (fault === 'arrives with the next call') late = () => inner.append(log, at, records)
      throw new SessionError('UNCERTAIN', 'nobody knows')
    },
  }
}

async function sessionWith(faults: Fault[]) {
  const store = new MemoryStore()
  const plain = openSessions(memory({ store }), { random: seededRandom(9), clock: seededClock() })
  await (await plain.create('s')).append({ role: 'user', content: 'before' })
  const adapter = faulty(store, faults)
  const session = await openSessions(adapter, { random: seededRandom(3), clock: seededClock() }).open('s')
  const contents = async () => {
    const { messages } = await (await plain.open('s')).context()
    return messages.map(({ content }) => content)
  }
  return { session, contents, store, faults }
}

const cases: readonly Fault[][] = [
  ['lost answer'],
  ['never arrived'],
  ['arrives with the next call'],
  ['never arrived', 'lost answer'],
  ['arrives with the next call', 'never arrived'],
  ['never arrived', 'never arrived', 'never arrived', 'lost answer'],
]

for (const faults of cases) {
  test(`an append that is uncertain (${faults.join(', ')}) is settled and stored once`, async () => {
    const { session, contents } = await sessionWith([...faults])
    const entry = await session.append({ role: 'user', content: 'x' })
    const next = await session.append({ role: 'user', content: 'y' })
    expect(next.parentId).toBe(entry.id)
    expect(await contents()).toEqual(['before', 'x', 'y'])
  })
}

test('what cannot be settled is UNCERTAIN, and the next call settles it first', async () => {
  const { session, contents, faults } = await sessionWith(['lost answer', ...Array<Fault>(5).fill('never arrived')])
  const error = await session.append({ role: 'user', content: 'x' }).catch((reason: unknown) => reason)
  expect(error).toMatchObject({ code: 'UNCERTAIN', written: 'unknown', retry: true })
  expect(faults).toEqual([])
  await session.append({ role: 'user', content: 'y' })
  expect(await contents()).toEqual(['before', 'x', 'y'])
})

test('a refusal after an uncertain attempt stays UNCERTAIN; a refusal alone is itself', async () => {
  const { session, contents } = await sessionWith(['lost answer', 'refused', 'refused'])
  const uncertain = await session.append({ role: 'user', content: 'x' }).catch((reason: unknown) => reason)
  expect(uncertain).toMatchObject({ code: 'UNCERTAIN' })
  await session.leaf().catch(() => {})
  await session.append({ role: 'user', content: 'y' })
  expect(await contents()).toEqual(['before', 'x', 'y'])
  const other = await sessionWith(['refused'])
  expect(await other.session.append({ role: 'user', content: 'x' }).catch((reason: unknown) => reason)).toMatchObject({
    code: 'DENIED',
    written: 'no',
  })
})

test('an uncertain append that another writer overtook is a CONFLICT, not a second copy', async () => {
  const { session, contents, store } = await sessionWith(['never arrived'])
  await session.context()
  const other = await openSessions(memory({ store }), { random: seededRandom(5) }).open('s')
  await other.append({ role: 'user', content: 'overtaken' })
  const error = await session.append({ role: 'user', content: 'x' }).catch((reason: unknown) => reason)
  expect(SessionError.is(error, 'CONFLICT') && error.entries).toHaveLength(1)
  expect(await contents()).toEqual(['before', 'overtaken'])
})

test('a create whose answer is lost finds its own document and succeeds', async () => {
  const store = new MemoryStore()
  const inner = memory({ store })
  let lost = 0
  const adapter: StorageAdapter = {
    ...inner,
    async put(key, value, options) {
      const version = await inner.put(key, value, options)
      if (key === 'session/s' && lost++ === 0) throw new SessionError('UNCERTAIN', 'nobody knows')
      return version
    },
  }
  const session = await openSessions(adapter, { random: seededRandom(3), clock: seededClock() }).create('s')
  expect(session.id).toBe('s')
})

test('a log that lost its records is CORRUPT, never a short history', async () => {
  const store = new MemoryStore()
  const session = await openSessions(memory({ store })).create('s')
  for (let i = 0; i < 300; i++) await session.append({ role: 'user', content: String(i) })
  for (const left of [[], store.logs.get('session/s/0')!.slice(0, 20)]) {
    store.logs.set('session/s/0', left)
    await expect(Array.fromAsync(session.entries())).rejects.toMatchObject({ code: 'CORRUPT' })
    await expect(Array.fromAsync(session.path())).rejects.toMatchObject({ code: 'CORRUPT' })
    await expect(session.entry('nobody')).rejects.toMatchObject({ code: 'CORRUPT' })
  }
})
