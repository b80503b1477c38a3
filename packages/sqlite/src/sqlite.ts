import { resolve } from 'node:path'
import {
  defineAdapter,
  systemClock,
  systemRandom,
  type Clock,
  type Random,
  type StorageAdapter,
} from '@sessiontree/core'
import { appendRecords } from './append.ts'
import { Database } from './database.ts'
import { getDocument, listDocuments, putDocument, removeDocument } from './documents.ts'
import type { SqliteDriver } from './driver.ts'
import { dropRecords, listLogs } from './drop-log.ts'
import { MIGRATIONS, type Migration } from './layout.ts'
import { nodeSqlite } from './node-sqlite.ts'
import type { Quarantined } from './quarantine.ts'
import { readRecords } from './read-log.ts'

/** Options of {@link sqlite}. */
export interface SqliteOptions {
  /**
   * What a resolved write survives: a crash of the machine (`"disk"`, the default: `synchronous = FULL`) or only of the process
   * (`"process"`, faster: `synchronous = NORMAL`).
   */
  readonly durability?: 'disk' | 'process' | undefined
  /** Whether to make the file, and the folders above it, where there is none. Default true; with false that is `UNAVAILABLE`. */
  readonly create?: boolean | undefined
  /** Whether to only read: nothing is made, changed or migrated, and every write is `READ_ONLY`. Default false. */
  readonly readOnly?: boolean | undefined
  /** How long, in milliseconds, an operation waits while others hold a lock; then it is `BUSY`. Default 5,000. */
  readonly busyTimeout?: number | undefined
  /** Whether to go through the whole file when it is opened (`PRAGMA integrity_check`); damage is `CORRUPT`. Default false. */
  readonly integrityCheck?: boolean | undefined
  /**
   * Called after a file that was found damaged when it was opened was moved aside, with its companions, and an empty one begun. Without
   * it such a file is `CORRUPT` and is not touched.
   */
  readonly quarantine?: ((moved: Quarantined) => void) | undefined
  /** Which SQLite to use. Default: {@link nodeSqlite}. */
  readonly driver?: SqliteDriver | undefined
  /** What pauses between two tries wait on. Default: the system's. */
  readonly clock?: Clock | undefined
  /** Where versions and jitter come from. Default: the system's. */
  readonly random?: Random | undefined
}

/** What a test may set besides. */
export interface InternalOptions extends SqliteOptions {
  readonly migrations?: readonly Migration[] | undefined
}

/**
 * Opens a handle on the sessions kept in one SQLite file, in WAL mode.
 *
 * Contract
 * - Everything of `StorageAdapter`. Durability as chosen; any number of handles and processes of one machine may share a file.
 * - Touches nothing before the first operation; that one makes the file (0600) unless `create` is false.
 * - One transaction for each append; writes that are asked for together share one. None is held open between calls or pulls.
 * - A lock is waited for up to `busyTimeout`, without holding up the event loop for more than 10 ms at a time.
 * - A damaged file is `CORRUPT`, one of a newer layout or of somebody else `FORMAT`; neither is touched.
 * - With `readOnly` nothing is made or changed. Only where somebody has the file open for writing, or had and crashed, SQLite keeps its
 *   `-shm` beside it; where the driver cannot open a file as immutable (better-sqlite3, Node before 22.15) it always makes a `-shm` and an empty `-wal`.
 *
 * @example
 * await using sessions = openSessions(sqlite('./sessions.db'))
 */
export function sqlite(file: string, options: SqliteOptions = {}): StorageAdapter {
  return openSqlite(file, options)
}

/** {@link sqlite} with other layouts. */
export function openSqlite(file: string, options: InternalOptions): StorageAdapter {
  const { durability = 'disk', create = true, readOnly = false, integrityCheck = false, busyTimeout = 5_000 } = options
  const { driver = nodeSqlite, clock = systemClock, random = systemRandom, migrations = MIGRATIONS } = options
  if (typeof file !== 'string' || file === '' || file === ':memory:') {
    throw new TypeError('file: expected the path of a file; to keep nothing, use @sessiontree/memory')
  }
  if (durability !== 'disk' && durability !== 'process') {
    throw new TypeError(`durability: expected "disk" or "process", got ${String(durability)}`)
  }
  if (!(busyTimeout >= 0 && busyTimeout <= 2 ** 31)) {
    throw new TypeError(`busyTimeout: expected milliseconds from 0, got ${String(busyTimeout)}`)
  }
  if (options.quarantine !== undefined && typeof options.quarantine !== 'function') {
    throw new TypeError('quarantine: expected a function that is told what was moved')
  }
  const database = new Database({
    file: resolve(file),
    driver,
    durability,
    create,
    readOnly,
    busyTimeout,
    integrityCheck,
    quarantine: options.quarantine,
    migrations,
    clock,
    random,
  })
  return defineAdapter({
    name: 'sqlite',
    capabilities: { durability, sharing: 'process', watch: false },
    append: (log, at, records, signal) => appendRecords(database, log, at, records, signal),
    read: (log, range) => readRecords(database, log, range),
    drop: (log, forget, signal) => dropRecords(database, log, forget, signal),
    logs: (prefix, listing) => listLogs(database, prefix, listing),
    get: (key, signal) => getDocument(database, key, signal),
    put: (key, value, expect, signal, forget) => putDocument(database, key, value, expect, signal, forget),
    // No trace of a document is kept: versions are random, so what there is to forget is in the write-ahead log.
    remove: (key, expect, forget, signal) => removeDocument(database, key, expect, forget, signal),
    keys: (prefix, listing) => listDocuments(database, prefix, listing),
    close: async () => database.close(),
  })
}
