import type { Transaction } from './database.ts'

/** A log as the file knows it. */
export interface FoundLog {
  readonly id: number
  /** How many records it holds, or {@link DROPPED}. */
  readonly length: number
  /** The index of its last record, null if there is none; another one than `length` - 1 is damage. */
  readonly last: number | null
}

/** The length of a log that was dropped. */
export const DROPPED = -1
/** The most records of one log: its id and the index share 64 bits. */
export const MOST_RECORDS: number = 2 ** 32

const FIND = `SELECT id, length, (SELECT key & 4294967295 FROM records
  WHERE key BETWEEN logs.id << 32 AND logs.id << 32 | 4294967295 ORDER BY key DESC LIMIT 1) AS last FROM logs WHERE name = ?`

/** Looks a log up; undefined if there never was one. */
export function findLog(sql: Transaction['sql'], log: string): FoundLog | undefined {
  return sql(FIND).get(log) as FoundLog | undefined
}
