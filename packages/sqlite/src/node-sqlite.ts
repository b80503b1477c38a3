import { pathToFileURL } from 'node:url'
import type { SqliteConnection, SqliteDriver } from './driver.ts'

/**
 * The SQLite that comes with Node: the default driver. It is loaded when the first file is opened; Node 22 then warns, once, that it is
 * experimental there.
 */
export const nodeSqlite: SqliteDriver = Object.freeze({
  async open(file: string, { readOnly }: { readonly readOnly: boolean }): Promise<SqliteConnection> {
    const { DatabaseSync } = await import('node:sqlite')
    return new DatabaseSync(file, { readOnly })
  },
  async openImmutable(file: string): Promise<SqliteConnection | undefined> {
    const { DatabaseSync } = await import('node:sqlite')
    const url = pathToFileURL(file)
    url.searchParams.set('immutable', '1')
    try {
      return new DatabaseSync(url, { readOnly: true })
    } catch (error) {
      // Node 22.13 and 22.14 take paths only.
      if (error instanceof TypeError) return undefined
      throw error
    }
  },
  resultCode(error: unknown): number | undefined {
    if (!(error instanceof Error) || !('errcode' in error)) return undefined
    return typeof error.errcode === 'number' ? error.errcode : undefined
  },
})
