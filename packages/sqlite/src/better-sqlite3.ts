import type { SqliteConnection, SqliteDriver } from './driver.ts'
import { FULL_CODES, PRIMARY_CODES } from './result-codes.ts'

/** The default export of `better-sqlite3`. */
export type BetterSqlite3 = new (
  file: string,
  options: { readonly readonly: boolean; readonly fileMustExist: boolean; readonly timeout: number },
) => SqliteConnection

/**
 * Makes a driver of `better-sqlite3`, version 12 or newer, or of a library that is used like it.
 *
 * @example
 * import Database from 'better-sqlite3'
 * const adapter = sqlite('./sessions.db', { driver: betterSqlite3(Database) })
 */
export function betterSqlite3(Database: BetterSqlite3): SqliteDriver {
  return {
    // It is built without URI file names, hence without `immutable`.
    open: (file, { readOnly }) => new Database(file, { readonly: readOnly, fileMustExist: readOnly, timeout: 0 }),
    resultCode: codeOf,
  }
}

/** The number of a code that is given as `"SQLITE_IOERR_FSYNC"`. */
function codeOf(error: unknown): number | undefined {
  if (!(error instanceof Error) || !('code' in error) || typeof error.code !== 'string') return undefined
  const [prefix, primary = ''] = error.code.split('_')
  return prefix === 'SQLITE' ? (FULL_CODES.get(error.code) ?? PRIMARY_CODES.get(primary)) : undefined
}
