import { openSessions } from '@sessiontree/core'
import { indexedDb } from '@sessiontree/indexeddb'
import { measure, table, type Contestant } from './measure.ts'

// Runs in the browser: appends and reads of the adapter, next to transactions written by hand that do the same to the same stores.

type Durability = 'strict' | 'relaxed'
type Transaction = (database: IDBDatabase, at: number, text: string, durability: Durability) => Promise<void>

const LOG = 'log'
const textAt = (at: number) => JSON.stringify({ at, content: 'x'.repeat(980) })

let databases = 0
const deleting: string[] = []
function freshName(): string {
  const name = `bench-${databases++}-${crypto.randomUUID()}`
  deleting.push(name)
  return name
}

/** A database with the adapter's stores. */
async function rawDatabase(name: string): Promise<IDBDatabase> {
  await using adapter = indexedDb(name)
  await adapter.get('document')
  return new Promise((resolve, reject) => {
    const request = indexedDB.open(name)
    request.addEventListener('success', () => resolve(request.result))
    request.addEventListener('error', () => reject(request.error))
  })
}

/** What one would write by hand for the same promise: looks at the end of the log, adds, and waits for the commit. */
const checkAndAdd: Transaction = (database, at, text, durability) =>
  new Promise((resolve, reject) => {
    const transaction = database.transaction('records', 'readwrite', { durability })
    const records = transaction.objectStore('records')
    const tail = records.openKeyCursor(IDBKeyRange.bound([LOG, -1], [LOG, Infinity]), 'prev')
    records.add(text, [LOG, at])
    tail.addEventListener('success', () => {
      const last = tail.result ? (tail.result.key as [string, number])[1] : -1
      if (last === at - 1) transaction.commit()
      else transaction.abort()
    })
    transaction.addEventListener('complete', () => resolve())
    transaction.addEventListener('abort', () => reject(transaction.error ?? new Error('another writer was first')))
  })

function byHand(durability: Durability, count: number): Contestant {
  return {
    name: appendByHand(durability),
    async prepare() {
      const database = await rawDatabase(freshName())
      await checkAndAdd(database, 0, textAt(0), durability)
      return {
        async run() {
          for (let at = 1; at <= count; at++) await checkAndAdd(database, at, textAt(at), durability)
          return count
        },
        end: () => database.close(),
      }
    },
  }
}

const appendByHand = (durability: Durability) => `append by hand, ${durability}`

function adapterAppends(durability: Durability, count: number): Contestant {
  return {
    name: `adapter, append, ${durability}`,
    floor: appendByHand(durability),
    async prepare() {
      const adapter = indexedDb(freshName(), { durability })
      await adapter.append(LOG, 0, [textAt(0)])
      return {
        async run() {
          for (let at = 1; at <= count; at++) await adapter.append(LOG, at, [textAt(at)])
          return count
        },
        end: () => adapter.close(),
      }
    },
  }
}

function sessionAppends(durability: Durability, count: number): Contestant {
  return {
    name: `session, append, ${durability}`,
    floor: appendByHand(durability),
    async prepare() {
      const sessions = openSessions(indexedDb(freshName(), { durability }))
      const session = await sessions.create('s')
      await session.append({ role: 'user', content: 'the log exists and is open' })
      return {
        async run() {
          for (let at = 1; at <= count; at++) await session.append({ role: 'user', content: textAt(at) })
          return count
        },
        end: () => sessions.close(),
      }
    },
  }
}

const GET_ALL = 'bare getAll'

/** Reads of one log that all of them share. */
async function reads(count: number): Promise<readonly Contestant[]> {
  const name = freshName()
  const database = await rawDatabase(name)
  const adapter = indexedDb(name, { durability: 'relaxed' })
  for (let at = 0; at < count; at += 1000) {
    const texts = Array.from({ length: Math.min(1000, count - at) }, (_, i) => textAt(at + i))
    await adapter.append(LOG, at, texts)
  }
  const adapterRead = (what: string, reverse: boolean): Contestant => ({
    name: `adapter, read${what}`,
    floor: GET_ALL,
    prepare: () => ({
      async run() {
        let found = 0
        for await (const { records } of adapter.read(LOG, { reverse })) found += records.length
        return found
      },
    }),
  })
  const getAll: Contestant = {
    name: GET_ALL,
    prepare: () => ({
      run: () =>
        new Promise<number>((resolve, reject) => {
          const range = IDBKeyRange.bound([LOG, 0], [LOG, Infinity])
          const request = database.transaction('records').objectStore('records').getAll(range)
          request.addEventListener('success', () => resolve(request.result.length))
          request.addEventListener('error', () => reject(request.error))
        }),
    }),
  }
  return [getAll, adapterRead('', false), adapterRead(', newest first', true)]
}

/** Runs everything; resolves with tables in Markdown. */
async function bench(options: { appends: number; records: number; rounds: number }): Promise<string> {
  const both: readonly Durability[] = ['strict', 'relaxed']
  const appending = both.flatMap((durability) =>
    [byHand, adapterAppends, sessionAppends].map((contestant) => contestant(durability, options.appends)),
  )
  const appended = await measure(appending, options.rounds)
  const read = await measure(await reads(options.records), options.rounds)
  for (const name of deleting) indexedDB.deleteDatabase(name)
  return `${table(appended)}\n\n${options.records} records at once:\n\n${table(read)}`
}

Object.assign(globalThis, { bench })
