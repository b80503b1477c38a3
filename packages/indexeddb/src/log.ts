import {
  ConflictError,
  CorruptError,
  SessionError,
  type RecordBatch,
  type ResolvedListing,
  type ResolvedRange,
  type Signal,
} from '@sessiontree/core'
import { unwrap, type IDBPObjectStore } from 'idb'
import type { Connection, Transaction } from './connection.ts'
import { indexes, type Layout, LONGEST_INLINE, logsBelow, type StoreName, TRACE } from './layout.ts'

// How many keys one request visits: at most 4 MiB of memory, should all of them hold the longest inline text.
const PAGE_RECORDS = 128
// How many code units one page delivers, beside a single larger record: the first one as many as asked for, within reason.
const PAGE_SIZE = 1_048_576
const LARGEST_FIRST_PAGE = 4 * PAGE_SIZE
// What a record is taken for until some were seen.
const TYPICAL_RECORD = 1024

type Records = IDBPObjectStore<Layout, StoreName[], 'records', 'readonly' | 'readwrite'>

/** Adds records if the log holds exactly `at`. */
export function appendRecords(
  connection: Connection,
  log: string,
  at: number,
  texts: readonly string[],
  signal: Signal | undefined,
): Promise<void> {
  const stores: StoreName[] = texts.some(isLarge) ? ['records', 'large'] : ['records']
  return connection.write(stores, signal, async (transaction) => {
    // Asked before the records are added, so it answers for the log without them; not awaited before, which would cost a round trip.
    const last = lastIndex(transaction.objectStore('records'), log)
    // Plain requests: a promise for each would reject unheard when the transaction aborts.
    const raw = unwrap(transaction)
    const records = raw.objectStore('records')
    for (const [i, text] of texts.entries()) {
      records.add(isLarge(text) ? text.length : text, [log, at + i])
      if (isLarge(text)) raw.objectStore('large').add(text, [log, at + i])
    }
    assertLength(log, at, await last)
  })
}

function assertLength(log: string, at: number, last: number | undefined): void {
  const length = (last ?? TRACE) + 1
  if (length === at && last !== TRACE) return
  const message =
    last === TRACE
      ? `Log ${log} was dropped; its name is spent.`
      : `Log ${log} holds ${length} records, not ${at}; read the new ones, then append again.`
  throw new ConflictError(message, { atLeast: length })
}

/** Reads a log page by page, each page in a transaction of its own; the first one decides where the log ends. */
export async function* readRecords(
  connection: Connection,
  log: string,
  range: ResolvedRange,
): AsyncGenerator<RecordBatch> {
  const rest: Rest = { low: range.from, high: range.to, limit: range.limit, typical: TYPICAL_RECORD }
  let end: number | undefined
  let size = Math.min(Math.max(range.readAhead, 1), LARGEST_FIRST_PAGE)
  do {
    const { batches, damaged } = await connection.read(['records', 'large'], range.signal, async (transaction) => {
      const length = ((await lastIndex(transaction.objectStore('records'), log)) ?? TRACE) + 1
      if (end === undefined) {
        end = length
        rest.high = Math.min(rest.high, end)
      } else if (length < end) throw new SessionError('DELETED', `Log ${log} was dropped while it was read.`)
      return readPage(transaction, log, range, rest, size)
    })
    yield* batches
    if (damaged !== undefined) {
      const where = `IndexedDB ${JSON.stringify(connection.name)}, store "records", key ${JSON.stringify([log, damaged])}`
      throw new CorruptError(`Log ${log} has lost record ${damaged}; read with salvage to skip it.`, {
        log,
        at: damaged,
        where,
      })
    }
    // Whoever keeps reading reads it all, probably.
    size = Math.min(size * 2, PAGE_SIZE)
  } while (rest.limit > 0 && rest.low < rest.high)
}

/** What a read has not delivered yet: indexes from `low` to before `high`, at most `limit` of them, `typical` code units each. */
interface Rest {
  low: number
  high: number
  limit: number
  typical: number
}

interface Page {
  readonly batches: RecordBatch[]
  /** The index that stopped the read. */
  readonly damaged?: number
}

async function readPage(
  transaction: Transaction<'readonly'>,
  log: string,
  { reverse, salvage }: ResolvedRange,
  rest: Rest,
  size: number,
): Promise<Page> {
  const records = transaction.objectStore('records')
  const batches: RecordBatch[] = []
  for (let room = size; room > 0 && rest.limit > 0 && rest.low < rest.high;) {
    const count = Math.min(rest.limit, rest.high - rest.low, PAGE_RECORDS, Math.ceil(room / rest.typical))
    const from = reverse ? rest.high - count : rest.low
    const found = await stored(records, log, from, from + count)
    const taken = fitting(found, room, reverse)
    room -= taken.size
    rest.typical = Math.max(1, taken.size / taken.values.length)
    const at = reverse ? rest.high - taken.values.length : from
    const texts = await Promise.all(taken.values.map((value, i) => textOf(transaction, log, at + i, value)))
    const gap = reverse ? texts.lastIndexOf(undefined) : texts.indexOf(undefined)
    const whole = (gap < 0 ? texts : reverse ? texts.slice(gap + 1) : texts.slice(0, gap)) as string[]
    const start = reverse ? rest.high - whole.length : at
    if (whole.length > 0) batches.push({ at: start, records: whole })
    rest.limit -= whole.length
    if (reverse) rest.high = start
    else rest.low = start + whole.length
    if (gap < 0) continue
    if (!salvage) return { batches, damaged: at + gap }
    // However wide the hole, the next record behind it is one request away.
    const behind = reverse ? indexes(log, rest.low, at + gap) : indexes(log, at + gap + 1, rest.high)
    const next = (await records.openKeyCursor(behind, reverse ? 'prev' : 'next'))?.key[1]
    if (reverse) rest.high = next === undefined ? rest.low : next + 1
    else rest.low = next ?? rest.high
  }
  return { batches }
}

/** The values of consecutive indexes, undefined where there is none. */
async function stored(
  records: Records,
  log: string,
  from: number,
  to: number,
): Promise<readonly (string | number | undefined)[]> {
  const range = indexes(log, from, to)
  const values = await records.getAll(range)
  // Indexes are dense: as many values as indexes means that each has its own, and no key needs to be read.
  if (values.length === to - from) return values
  const found: (string | number | undefined)[] = Array.from({ length: to - from })
  const keys = await records.getAllKeys(range)
  for (const [i, [, at]] of keys.entries()) found[at - from] = values[i]
  return found
}

/** As many values from the reading side as have room, at least one. */
function fitting(
  values: readonly (string | number | undefined)[],
  room: number,
  reverse: boolean,
): { values: readonly (string | number | undefined)[]; size: number } {
  let size = 0
  let count = 0
  while (count < values.length && size < room) {
    const value = values.at(reverse ? -1 - count : count)
    size += typeof value === 'string' ? value.length : (value ?? 0)
    count++
  }
  return { values: reverse ? values.slice(values.length - count) : values.slice(0, count), size }
}

async function textOf(
  transaction: Transaction<'readonly'>,
  log: string,
  at: number,
  value: string | number | undefined,
): Promise<string | undefined> {
  return typeof value === 'number' ? transaction.objectStore('large').get([log, at]) : value
}

/** Removes a log's records, and leaves a trace if there were any, unless the name may be forgotten. */
export function dropRecords(
  connection: Connection,
  log: string,
  forget: boolean,
  signal: Signal | undefined,
): Promise<void> {
  return connection.write(['records', 'large'], signal, async (transaction) => {
    if ((await lastIndex(transaction.objectStore('records'), log)) === undefined) return
    const raw = unwrap(transaction)
    raw.objectStore('large').delete(indexes(log, TRACE))
    raw.objectStore('records').delete(indexes(log, TRACE))
    if (!forget) raw.objectStore('records').add(0, [log, TRACE])
  })
}

/** Lists the logs that hold records. */
export async function* listLogs(
  connection: Connection,
  prefix: string,
  { after, limit, signal }: ResolvedListing,
): AsyncGenerator<readonly string[]> {
  let visited = after
  for (let left = limit; left > 0;) {
    const range = logsBelow(prefix, visited)
    if (!range) return
    const names: string[] = []
    const more = await connection.read(['records'], signal, async (transaction) => {
      let cursor = await transaction.objectStore('records').openKeyCursor(range)
      for (let step = 0; cursor; step++) {
        if (step === PAGE_RECORDS || names.length === left) return true
        const [log, at] = cursor.key
        visited = log
        if (at !== TRACE) names.push(log)
        // From one log's first key to the next one's: what lies between is not visited.
        cursor = await cursor.continue([log, Infinity])
      }
      return false
    })
    if (names.length > 0) yield names
    if (!more) return
    left -= names.length
  }
}

/** The highest index of a log, {@link TRACE} if it was dropped, undefined if it never was. */
async function lastIndex(records: Records, log: string): Promise<number | undefined> {
  return (await records.openKeyCursor(indexes(log, TRACE), 'prev'))?.key[1]
}

function isLarge(text: string): boolean {
  return text.length > LONGEST_INLINE
}
