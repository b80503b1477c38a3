import {
  defineAdapter,
  systemClock,
  systemRandom,
  type Clock,
  type Random,
  type StorageAdapter,
} from '@sessiontree/core'
import { Connection } from './connection.ts'
import { DocumentReader, listDocuments, putDocument, removeDocument } from './documents.ts'
import { appendRecords, dropRecords, listLogs } from './log.ts'
import { readRecords } from './read-log.ts'
import { Wakes } from './wakes.ts'

export { estimate, persist, persisted, QuotaError, type StorageSpace } from './quota.ts'

/** Options of {@link indexedDb}. */
export interface IndexedDbOptions {
  /**
   * What a resolved write survives: `"strict"` a crash of the machine, `"relaxed"` one of the browser. Default `"strict"`.
   */
  readonly durability?: 'strict' | 'relaxed' | undefined
  /** What measures how long to wait for the database to open. Default: the runtime's. */
  readonly clock?: Clock | undefined
  /** Where versions come from. Default: the runtime's cryptographic source. */
  readonly random?: Random | undefined
  /** Where databases are kept. Default: the global `indexedDB`, looked up at the first operation. */
  readonly indexedDB?: Pick<IDBFactory, 'open'> | undefined
}

/**
 * Makes a handle on the sessions kept in the IndexedDB database called `name`, of the page's own origin. In windows and workers.
 *
 * Contract
 * - Everything of `StorageAdapter`. Durability `"disk"`, or `"process"` with `durability: "relaxed"`; all tabs and workers of the
 *   origin share the store.
 * - Opens the database at the first operation, and creates it if there is none. A second tab that keeps it from opening is
 *   `BLOCKED` after ten seconds, never a hang.
 * - When another tab deletes the database, the handle rejects with `UNAVAILABLE` from then on; when a newer release in another
 *   tab upgrades it, with `BLOCKED`. It never stands in the way of either.
 *
 * @example
 * await using sessions = openSessions(indexedDb('my-agent'))
 */
export function indexedDb(name: string, options: IndexedDbOptions = {}): StorageAdapter {
  const { durability = 'strict', clock = systemClock, random = systemRandom } = options
  if (typeof name !== 'string' || name === '') throw new TypeError('name: expected the name of a database')
  if (durability !== 'strict' && durability !== 'relaxed') {
    throw new TypeError(`durability: expected "strict" or "relaxed", got ${JSON.stringify(durability)}`)
  }
  const factory = () => options.indexedDB ?? (typeof indexedDB === 'undefined' ? undefined : indexedDB)
  const connection = new Connection({ name, durability, clock, random, factory })
  const documents = new DocumentReader(connection)
  const wakes = new Wakes(name)
  // A write that may have taken effect is worth a look, too.
  const telling = (log: string, write: Promise<void>) => write.finally(() => wakes.tell(log))
  const watch = Wakes.available
  return defineAdapter({
    name: 'indexeddb',
    capabilities: { durability: durability === 'strict' ? 'disk' : 'process', sharing: 'tab', watch },
    append: (log, at, records, signal) => telling(log, appendRecords(connection, log, at, records, signal)),
    read: (log, range) => readRecords(connection, log, range),
    drop: (log, forget, signal) => telling(log, dropRecords(connection, log, forget, signal)),
    logs: (prefix, listing) => listLogs(connection, prefix, listing),
    get: (key, signal) => documents.get(key, signal),
    put: (key, value, expect, signal) => putDocument(connection, key, value, expect, random, signal),
    // No trace of a document is kept: versions are random, so there is nothing to forget.
    remove: (key, expect, _forget, signal) => removeDocument(connection, key, expect, signal),
    keys: (prefix, listing) => listDocuments(connection, prefix, listing),
    ...(watch && { watch: (log, wake, signal) => wakes.watch(log, wake, signal) }),
    async close() {
      wakes.close()
      connection.close()
    },
  })
}
