import { resolve } from 'node:path'
import { defineAdapter, type StorageAdapter } from '@sessiontree/core'
import { appendRecords } from './append.ts'
import { Database } from './database.ts'
import { documentsIn } from './documents.ts'
import { dropRecords, listLogs } from './drop-log.ts'
import { resolveOptions, type InternalOptions, type SqliteOptions } from './options.ts'
import { readRecords } from './read-log.ts'

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
  if (typeof file !== 'string' || file === '' || file === ':memory:') {
    throw new TypeError('file: expected the path of a file; to keep nothing, use @sessiontree/memory')
  }
  const database = new Database({ file: resolve(file), ...resolveOptions(options) })
  return defineAdapter({
    name: 'sqlite',
    capabilities: { durability: database.options.durability, sharing: 'process', watch: false },
    append: (log, at, records, signal) => appendRecords(database, log, at, records, signal),
    read: (log, range) => readRecords(database, log, range),
    drop: (log, forget, signal) => dropRecords(database, log, forget, signal),
    logs: (prefix, listing) => listLogs(database, prefix, listing),
    ...documentsIn(database),
    close: async () => database.close(),
  })
}
