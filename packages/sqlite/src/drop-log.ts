import type { Removal, ResolvedListing, Signal } from '@sessiontree/core'
import type { Database, Transaction } from './database.ts'
import { DROPPED, findLog } from './find-log.ts'
import { listNames } from './list-names.ts'

const MARK = 'UPDATE logs SET length = ? WHERE id = ?'
const SIZES = `SELECT key & 4294967295 AS at, octet_length(text) AS bytes FROM records
  WHERE key BETWEEN ? << 32 AND (? << 32) | 4294967295 ORDER BY key LIMIT 1000`
const DELETE = 'DELETE FROM records WHERE key BETWEEN ? << 32 AND (? << 32) | ?'
const FORGET = 'DELETE FROM logs WHERE id = ?'
// A dropped log is one as long as anything of it is left.
const NAMES = `SELECT name FROM logs WHERE name > ? AND name < ? AND (length >= 0 OR EXISTS
  (SELECT 1 FROM records WHERE key BETWEEN logs.id << 32 AND logs.id << 32 | 4294967295)) ORDER BY name LIMIT ?`

// What one transaction takes away at most.
const MOST_BYTES = 8 * 1024 * 1024

/** Marks a log as dropped and removes its records, a part in each transaction; nothing of it is readable from the first one on. */
export async function dropRecords(
  database: Database,
  log: string,
  forget: boolean,
  signal: Signal | undefined,
): Promise<Removal> {
  const first = await database.write(signal, ({ sql }) => {
    const found = findLog(sql, log)
    if (!found) return undefined
    if (found.length !== DROPPED) sql(MARK).run(DROPPED, found.id)
    return { id: found.id, ...removeSome(sql, found.id, forget) }
  })
  if (!first) return { bytes: 0 }
  let { bytes, isEmpty } = first
  while (!isEmpty) {
    const part = await database.write(undefined, ({ sql }) => removeSome(sql, first.id, forget))
    bytes += part.bytes
    isEmpty = part.isEmpty
  }
  return (await database.emptyLog(forget)) ? { bytes } : { bytes, keepsVersions: true }
}

function removeSome(sql: Transaction['sql'], id: number, forget: boolean): { bytes: number; isEmpty: boolean } {
  let bytes = 0
  let last: number | undefined
  let isEmpty = true
  for (const row of sql(SIZES).iterate(id, id)) {
    if (bytes >= MOST_BYTES) {
      isEmpty = false
      break
    }
    const record = row as { readonly at: number; readonly bytes: number }
    bytes += record.bytes
    last = record.at
  }
  if (last !== undefined) sql(DELETE).run(id, id, last)
  // Fewer than a page may still be followed by nothing; the next look tells.
  if (last !== undefined && sql(SIZES).get(id, id) !== undefined) isEmpty = false
  if (isEmpty && forget) sql(FORGET).run(id)
  return { bytes, isEmpty }
}

/** Lists the logs that hold records. */
export function listLogs(
  database: Database,
  prefix: string,
  listing: ResolvedListing,
): AsyncGenerator<readonly string[]> {
  return listNames(database, NAMES, prefix, listing)
}
