/** A value that is bound to a parameter; `null` is not used. */
export type SqliteValue = string | number | Uint8Array

/** A prepared statement, as `node:sqlite` and `better-sqlite3` have it. */
export interface SqliteStatement {
  run(...values: SqliteValue[]): { readonly changes: number | bigint }
  /** The first row, or undefined. */
  get(...values: SqliteValue[]): unknown
  /** The rows one by one; leaving the loop ends the statement. */
  iterate(...values: SqliteValue[]): Iterable<unknown>
}

/** An open database. A `DatabaseSync` of `node:sqlite` is one, and so is a database of `better-sqlite3`. */
export interface SqliteConnection {
  exec(sql: string): unknown
  prepare(sql: string): SqliteStatement
  close(): unknown
}

/**
 * The SQLite library that the adapter works with.
 *
 * Contract
 * - Everything but `open` is synchronous. Integers up to 2^53 come back as numbers, BLOBs as `Uint8Array`.
 * - An error of SQLite is thrown as it is, and {@link resultCode} knows it.
 * - SQLite 3.43 or newer, with URI file names if there is `openImmutable`.
 */
export interface SqliteDriver {
  /** Opens a file, given by an absolute path. With `readOnly` a missing file is an error and is not made. */
  open(file: string, options: { readonly readOnly: boolean }): SqliteConnection | Promise<SqliteConnection>
  /** Opens a file that does not change while it is open (`immutable=1`): no lock, no file beside it. Undefined if this library cannot. */
  openImmutable?(file: string): SqliteConnection | undefined | Promise<SqliteConnection | undefined>
  /** SQLite's extended result code of an error; undefined if it is no error of SQLite. */
  resultCode(error: unknown): number | undefined
}
