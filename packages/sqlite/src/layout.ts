import { createHash } from 'node:crypto'
import type { Clock } from '@sessiontree/core'
import type { SqliteConnection } from './driver.ts'
import { fileError } from './failures.ts'

/** One step from a layout to the next. Once released it never changes: its checksum is stored in every file. */
export interface Migration {
  readonly version: number
  readonly name: string
  readonly statements: readonly string[]
}

/** `application_id` of a file of this adapter: "STRE". */
export const APPLICATION_ID = 0x53545245

/**
 * The layouts so far. `docs/format.md` explains them.
 *
 * - `logs`: `length` is how many records the log holds, -1 once it was dropped.
 * - `records`: `key` is the log's id × 2^32 + the index, so that the records of a log lie side by side, in order, under one index.
 * - A `crc` covers the names as well: a row that damage moved elsewhere is not taken for the one that belongs there.
 */
export const MIGRATIONS: readonly Migration[] = [
  {
    version: 1,
    name: 'logs, records, documents',
    statements: [
      `CREATE TABLE logs (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE, length INTEGER NOT NULL) STRICT`,
      `CREATE TABLE records (key INTEGER PRIMARY KEY, crc INTEGER NOT NULL, text TEXT NOT NULL) STRICT`,
      `CREATE TABLE documents (id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, version TEXT NOT NULL, crc INTEGER NOT NULL, value TEXT NOT NULL) STRICT`,
      `CREATE VIEW log_records AS SELECT logs.name AS log, records.key & 4294967295 AS at, records.text AS text
        FROM logs JOIN records ON records.key BETWEEN logs.id << 32 AND logs.id << 32 | 4294967295 WHERE logs.length >= 0`,
    ],
  },
]

const BOOKKEEPING = `CREATE TABLE IF NOT EXISTS migrations (
  version INTEGER PRIMARY KEY, name TEXT NOT NULL, checksum TEXT NOT NULL, applied_at TEXT NOT NULL) STRICT`

/** What a file is: with nothing in it, of this adapter with so many layouts still to come, or refused with `FORMAT`. */
export type Found = 'empty' | { readonly pending: readonly Migration[] }

/**
 * Looks at what a file holds without changing it. Its queries read pages of the file: that it could be opened proves nothing.
 *
 * @throws {SessionError} `FORMAT` for a newer layout, one with another history, or a database of somebody else.
 */
export function inspect(connection: SqliteConnection, file: string, migrations: readonly Migration[]): Found {
  const refuse = (advice: string) => fileError(file, 'FORMAT', undefined, advice)
  const version = pragma(connection, 'user_version')
  const tables = numberOf(connection, 'SELECT count(*) AS value FROM sqlite_schema')
  if (pragma(connection, 'application_id') !== APPLICATION_ID) {
    if (tables === 0 && version === 0) return 'empty'
    throw refuse('it is a database, but not one of @sessiontree/sqlite; use another path.')
  }
  const latest = migrations.at(-1)?.version ?? 0
  if (version > latest) {
    throw refuse(`its layout ${version} is newer than ${latest}, which this release knows; update @sessiontree/sqlite.`)
  }
  let applied = 0
  for (const row of connection.prepare('SELECT version, name, checksum FROM migrations ORDER BY version').iterate()) {
    const stored = row as { readonly version: number; readonly name: string; readonly checksum: string }
    const known = migrations.find((one) => one.version === stored.version)
    if (!known) throw refuse(`it has a migration ${stored.version} that this release does not know; update it.`)
    if (known.name !== stored.name || checksumOf(known) !== stored.checksum) {
      throw refuse(
        `its migration ${stored.version} is not the one of this release; use the release that made the file.`,
      )
    }
    applied = stored.version
  }
  if (applied !== version) throw refuse(`it says layout ${version}, but its migrations end at ${applied}.`)
  return { pending: migrations.filter((one) => one.version > version) }
}

/** Brings a file to the newest layout: each step in a transaction of its own, together with its entry in `migrations`. */
export function migrate(
  connection: SqliteConnection,
  file: string,
  migrations: readonly Migration[],
  clock: Clock,
): void {
  for (;;) {
    connection.exec('BEGIN IMMEDIATE')
    try {
      // Again, now that nobody else can do the same.
      const found = inspect(connection, file, migrations)
      const [next] = found === 'empty' ? migrations : found.pending
      if (next) apply(connection, next, clock)
      connection.exec('COMMIT')
      if (!next) return
    } catch (error) {
      rollBack(connection)
      throw error
    }
  }
}

function apply(connection: SqliteConnection, migration: Migration, clock: Clock): void {
  const { version, name, statements } = migration
  connection.exec(`PRAGMA application_id = ${APPLICATION_ID}`)
  connection.exec(BOOKKEEPING)
  for (const statement of statements) connection.exec(statement)
  connection
    .prepare('INSERT INTO migrations VALUES (?, ?, ?, ?)')
    .run(version, name, checksumOf(migration), new Date(clock.now()).toISOString())
  connection.exec(`PRAGMA user_version = ${version}`)
}

/** Ends a transaction that failed; SQLite may have ended it already. */
export function rollBack(connection: SqliteConnection): void {
  try {
    connection.exec('ROLLBACK')
  } catch {
    // The error that led here counts.
  }
}

/** The checksum of a migration: SHA-256 of the JSON of version, name and statements. */
export function checksumOf({ version, name, statements }: Migration): string {
  return createHash('sha256')
    .update(JSON.stringify([version, name, statements]))
    .digest('hex')
}

function pragma(connection: SqliteConnection, name: string): number {
  const row = connection.prepare(`PRAGMA ${name}`).get() as Readonly<Record<string, number>> | undefined
  return row?.[name] ?? 0
}

function numberOf(connection: SqliteConnection, sql: string): number {
  return (connection.prepare(sql).get() as { readonly value: number }).value
}
