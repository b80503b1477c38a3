import { setImmediate as nextTurn } from 'node:timers/promises'
import { CorruptError, SessionError, type RecordBatch, type ResolvedRange } from '@sessiontree/core'
import { recordChecksum, textOf } from './checksum.ts'
import type { Database, Transaction } from './database.ts'
import { DROPPED, findLog, MOST_RECORDS, type FoundLog } from './find-log.ts'

const SELECT = `SELECT key & 4294967295 AS at, crc, CAST(text AS BLOB) AS text FROM records
  WHERE key BETWEEN (? << 32) | ? AND (? << 32) | ? ORDER BY key`
const FORWARD = SELECT
const BACKWARD = `${SELECT} DESC`

// How many bytes one page delivers, beside a single larger record: the first one as many as asked for, within reason.
const PAGE_SIZE = 1024 * 1024
const LARGEST_FIRST_PAGE = 4 * PAGE_SIZE

interface StoredRecord {
  readonly at: number
  readonly crc: number
  readonly text: Uint8Array
}

/** What a read has not delivered yet: indexes from `low` to before `high`, at most `limit` of them. */
interface Rest {
  readonly id: number
  low: number
  high: number
  limit: number
}

interface Page {
  readonly batches: readonly RecordBatch[]
  /** The index that stopped the read. */
  readonly damaged: number | undefined
  readonly cause?: unknown
}

/** Reads a log page by page, each page in a transaction of its own; the first one decides where the log ends. */
export async function* readRecords(database: Database, log: string, range: ResolvedRange): AsyncGenerator<RecordBatch> {
  let rest: Rest | undefined
  let size = Math.min(Math.max(range.readAhead, 1), LARGEST_FIRST_PAGE)
  /** Where records begin that the log's length does not account for. */
  let beyond: number | undefined
  do {
    const page = await database.read(range.signal, (transaction) => {
      const found = lookUp(database, transaction, log)
      if (!rest) {
        if (!found || found.length === DROPPED) return undefined
        const { id, length, last } = found
        if ((last ?? -1) >= length && range.to > length) beyond = length
        rest = { id, low: range.from, high: Math.min(range.to, length), limit: range.limit }
      } else if (found?.id !== rest.id || found.length === DROPPED) {
        throw new SessionError('DELETED', `Log ${log} was dropped while it was read.`)
      }
      return readPage(transaction, log, range, rest, size)
    })
    if (!page || !rest) return
    yield* page.batches
    if (page.damaged !== undefined) throw lost(database, log, rest.id, page.damaged, page.cause)
    // Whoever keeps reading reads it all, probably.
    size = Math.min(size * 2, PAGE_SIZE)
    if (rest.limit > 0 && rest.low < rest.high) await nextTurn()
    else break
  } while (rest.limit > 0)
  if (beyond !== undefined && rest.limit > 0 && !range.salvage) throw lost(database, log, rest.id, beyond)
}

function lookUp(database: Database, { sql, isDamage }: Transaction, log: string): FoundLog | undefined {
  try {
    return findLog(sql, log)
  } catch (cause) {
    if (!isDamage(cause)) throw cause
    const where = `${database.file}: tables logs and records, log ${JSON.stringify(log)}`
    throw new CorruptError(`The end of log ${log} cannot be found: the file is damaged.`, { log, where, cause })
  }
}

/** Reads on until the page is full, and notes in `rest` how far it got. */
function readPage(
  { sql, isDamage }: Transaction,
  log: string,
  { reverse, salvage }: ResolvedRange,
  rest: Rest,
  size: number,
): Page {
  const batches = new Batches(reverse)
  let room = size
  while (room > 0 && rest.limit > 0 && rest.low < rest.high) {
    try {
      const rows = sql(reverse ? BACKWARD : FORWARD).iterate(rest.id, rest.low, rest.id, rest.high - 1)
      for (const row of rows) {
        const { at, crc, text: bytes } = row as StoredRecord
        if (at !== next(rest, reverse) && !salvage) return { batches: batches.end(), damaged: next(rest, reverse) }
        const text = recordChecksum(log, at, bytes) === crc ? textOf(bytes) : undefined
        if (text === undefined && !salvage) return { batches: batches.end(), damaged: at }
        moveOn(rest, at, reverse)
        room -= bytes.length
        if (text !== undefined) {
          batches.add(at, text)
          rest.limit--
        }
        if (room <= 0 || rest.limit === 0) return { batches: batches.end(), damaged: undefined }
      }
      if (rest.low < rest.high && !salvage) return { batches: batches.end(), damaged: next(rest, reverse) }
      rest.low = rest.high
    } catch (cause) {
      if (!isDamage(cause)) throw cause
      const at = next(rest, reverse)
      if (!salvage) return { batches: batches.end(), damaged: at, cause }
      moveOn(rest, at, reverse)
      room--
    }
  }
  return { batches: batches.end(), damaged: undefined }
}

/** The index that comes next in reading direction. */
const next = (rest: Rest, reverse: boolean) => (reverse ? rest.high - 1 : rest.low)

function moveOn(rest: Rest, at: number, reverse: boolean): void {
  if (reverse) rest.high = at
  else rest.low = at + 1
}

/** Puts records that follow one another into one batch. */
class Batches {
  readonly #reverse: boolean
  readonly #batches: RecordBatch[] = []
  #open: { at: number; records: string[] } | undefined

  constructor(reverse: boolean) {
    this.#reverse = reverse
  }

  add(at: number, text: string): void {
    const expected = this.#open && (this.#reverse ? this.#open.at - 1 : this.#open.at + this.#open.records.length)
    if (!this.#open || expected !== at) {
      this.#close()
      this.#open = { at, records: [] }
    }
    this.#open.records.push(text)
    if (this.#reverse) this.#open.at = at
  }

  end(): readonly RecordBatch[] {
    this.#close()
    return this.#batches
  }

  #close(): void {
    if (!this.#open) return
    const { at, records } = this.#open
    this.#batches.push({ at, records: this.#reverse ? records.toReversed() : records })
    this.#open = undefined
  }
}

function lost({ file }: Database, log: string, id: number, at: number, cause?: unknown): CorruptError {
  const where = `${file}: table records, key ${BigInt(id) * BigInt(MOST_RECORDS) + BigInt(at)}`
  return new CorruptError(`Log ${log} has lost record ${at}; read with salvage to skip it.`, { log, at, where, cause })
}
