import { contentHash, openSessions, recordDigest, type RecordContent } from '@sessiontree/core'
import { deleteDB, openDB, unwrap } from 'idb'
import { describe, expect, onTestFinished, test } from 'vitest'
import { indexedDb } from '../src/index.ts'
import { ObservedPlace } from './observed-place.ts'

// Section 9 of the design, by counting transactions and bytes. Long histories are written straight in the stored format.

const ID = 'long'
const LOG = 'session/long/0'
const TEXT = 'x'.repeat(600)
const CONTEXT = 65_536

const message = (number: number) => ({ role: 'user', content: `${number} ${TEXT}` })

/** A database of one test, and what its handles cost. */
function place() {
  const name = `budget-${crypto.randomUUID()}`
  onTestFinished(() => deleteDB(name))
  const observed = new ObservedPlace()
  return {
    name,
    open: () => openSessions(indexedDb(name, { indexedDB: observed.factory() })),
    /** The transactions, and the bytes read and written, of `work`. */
    async cost(work: () => Promise<unknown>) {
      const before = observed.costs
      await work()
      const after = observed.costs
      return {
        transactions: after.operations - before.operations,
        bytesRead: after.bytesRead - before.bytesRead,
        bytesWritten: after.bytesWritten - before.bytesWritten,
      }
    },
  }
}

/** Makes a session with one message, and puts the others behind it, past the library. */
async function fill(name: string, count: number): Promise<void> {
  await using sessions = openSessions(indexedDb(name))
  const session = await sessions.create(ID)
  const { createdAt, ...first } = await session.append(message(0))
  const database = await openDB(name)
  let { id: parentId, digest: parentDigest } = first
  for (let from = 1; from < count; from += 10_000) {
    const transaction = database.transaction('records', 'readwrite', { durability: 'relaxed' })
    // Plain requests: a promise for each takes longer than the write itself.
    const records = unwrap(transaction.store)
    for (let at = from; at < Math.min(count, from + 10_000); at++) {
      const content: RecordContent = { type: first.type, message: message(at) }
      const [id, hash] = [`entry-${at}`, contentHash(content)]
      const digest = recordDigest({ parentDigest, id, createdAt, hash })
      const text = JSON.stringify({ id, parentId, createdAt, ...content, hash, digest })
      records.put(text, [LOG, at])
      parentId = id
      parentDigest = digest
    }
    await transaction.done
  }
  database.close()
}

describe.each([1000, 100_000])('with a history of %d entries', (count) => {
  test('open and context cost what the context holds; an append is one transaction, 64 at once are two, a fork is a few', async () => {
    const { name, open, cost } = place()
    await fill(name, count)
    await using sessions = open()
    let found: readonly unknown[] = []
    const cold = await cost(async () => {
      const session = await sessions.open(ID)
      found = (await session.context({ maxBytes: CONTEXT, compacted: false })).messages
    })
    expect(found.at(-1)).toEqual(message(count - 1))
    expect(found.length).toBeGreaterThan(CONTEXT / 1000)
    expect(cold.transactions).toBeLessThanOrEqual(4)
    expect(cold.bytesRead).toBeLessThanOrEqual(2 * CONTEXT + 262_144)
    expect(cold.bytesWritten).toBe(0)

    const session = await sessions.open(ID)
    await session.context({ maxBytes: CONTEXT, compacted: false })
    const append = await cost(() => session.append(message(count)))
    expect(append.transactions).toBe(1)
    const together = await cost(() => Promise.all(Array.from({ length: 64 }, (_, i) => session.append(message(i)))))
    expect(together.transactions).toBeLessThanOrEqual(2)
    const last = await cost(async () => {
      for await (const entry of session.path({ last: 3 })) found = [entry]
    })
    expect(last.transactions).toBeLessThanOrEqual(1)
    const forking = await cost(() => session.fork())
    expect(forking.transactions).toBeLessThanOrEqual(5)
    expect(forking.bytesRead + forking.bytesWritten).toBeLessThanOrEqual(16_384)
    // What was put there past the library is what the library would have written.
    if (count <= 1000) expect(await session.verify()).toMatchObject({ ok: true, entries: count + 65 })
  }, 240_000)
})

test('the newest 20 of 10,000 sessions are two transactions', async () => {
  const { name, open, cost } = place()
  {
    await using sessions = openSessions(indexedDb(name))
    await sessions.create('model', { title: 'Title' })
  }
  const database = await openDB(name)
  const stored = (await database.get('documents', 'session/model')) as { value: string; version: string }
  const document = JSON.parse(stored.value) as object
  const transaction = database.transaction('documents', 'readwrite', { durability: 'relaxed' })
  // The model itself would be the newest one.
  for (const key of await transaction.store.getAllKeys()) {
    if (typeof key === 'string' && key.endsWith('model')) transaction.store.delete(key).catch(() => {})
  }
  const documents = unwrap(transaction.store)
  const start = Date.parse('2026-01-01T00:00:00.000Z')
  for (let i = 0; i < 10_000; i++) {
    const id = `s${i}`
    const createdAt = new Date(start + i).toISOString()
    const value = JSON.stringify({ ...document, id, createdAt, title: `Title ${i}` })
    const key = (2 ** 48 - 1 - (start + i)).toString(16).padStart(12, '0')
    documents.put({ value, version: `v${i}` }, `session/${id}`)
    documents.put({ value: '{}', version: `v${i}` }, `index/${key}-${id}`)
  }
  await transaction.done
  database.close()

  await using sessions = open()
  const ids: string[] = []
  const { transactions } = await cost(async () => {
    for await (const { id } of sessions.list({ limit: 20 })) ids.push(id)
  })
  expect(ids).toEqual(Array.from({ length: 20 }, (_, i) => `s${9999 - i}`))
  expect(transactions).toBeLessThanOrEqual(2)
}, 120_000)

test.each([200, 2000])(
  '%d messages of 1 kB write at most 1.6 times their content',
  async (count) => {
    const { open, cost } = place()
    await using sessions = open()
    const session = await sessions.create(ID)
    const messages = Array.from({ length: count }, (_, i) => ({ role: 'user', content: `${i} `.padEnd(980, 'x') }))
    const content = messages.reduce((sum, one) => sum + JSON.stringify(one).length, 0)
    await session.append({ role: 'user', content: 'the handle is warm' })
    const { bytesWritten, transactions } = await cost(async () => {
      for (const one of messages) await session.append(one)
    })
    expect(transactions).toBe(count)
    expect(bytesWritten / content).toBeLessThanOrEqual(1.6)
    expect(bytesWritten / content).toBeGreaterThan(1)
  },
  120_000,
)
