import { CorruptError, SessionError, type RecordBatch, type ResolvedRange } from '@sessiontree/core'
import type { Connection, Transaction } from './connection.ts'
import { indexes, TRACE } from './layout.ts'
import { lastIndex, type Records } from './log.ts'

// How many keys one request visits: at most 4 MiB of memory, should all of them hold the longest inline text.
const PAGE_RECORDS = 128
// How many code units one page delivers, beside a single larger record: the first one as many as asked for, within reason.
const PAGE_SIZE = 1_048_576
const LARGEST_FIRST_PAGE = 4 * PAGE_SIZE
// What a record is taken for until some were seen.
const TYPICAL_RECORD = 1024

/** Reads a log page by page, each page in a transaction of its own; the first one decides where the log ends. */
export async function* readRecords(
  connection: Connection,
  log: string,
  range: ResolvedRange,
): AsyncGenerator<RecordBatch> {
  let rest: Rest = { low: range.from, high: range.to, limit: range.limit, typical: TYPICAL_RECORD }
  let end: number | undefined
  let size = Math.min(Math.max(range.readAhead, 1), LARGEST_FIRST_PAGE)
  while (rest.limit > 0 && rest.low < rest.high) {
    const page = await connection.read(['records', 'large'], range.signal, (transaction) =>
      readPage(transaction, log, range, { ...rest, end, size }),
    )
    ;({ rest, end } = page)
    yield* page.batches
    if (page.damaged !== undefined) {
      const key = JSON.stringify([log, page.damaged])
      throw new CorruptError(`Log ${log} has lost record ${page.damaged}; read with salvage to skip it.`, {
        log,
        at: page.damaged,
        where: `IndexedDB ${JSON.stringify(connection.name)}, store "records", key ${key}`,
      })
    }
    // Whoever keeps reading reads it all, probably.
    size = Math.min(size * 2, PAGE_SIZE)
  }
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
  /** Where the log ends for this read. */
  readonly end: number
  readonly rest: Rest
  /** The index that stopped the read. */
  readonly damaged?: number
}

async function readPage(
  transaction: Transaction<'readonly'>,
  log: string,
  { reverse, salvage }: ResolvedRange,
  { end, size, ...rest }: Rest & { end: number | undefined; size: number },
): Promise<Page> {
  const records = transaction.objectStore('records')
  const batches: RecordBatch[] = []
  // Not awaited yet: it travels together with the first request for records.
  let looking: Promise<number> | undefined = lengthOf(records, log)
  for (let room = size; room > 0 && rest.limit > 0 && rest.low < rest.high;) {
    const most = Math.min(rest.limit, PAGE_RECORDS, Math.ceil(room / rest.typical))
    const asked = withKeys(records, log, rest, most, reverse)
    if (looking) {
      const [length] = await Promise.all([looking, asked])
      looking = undefined
      if (end !== undefined && length < end)
        throw new SessionError('DELETED', `Log ${log} was dropped while it was read.`)
      end ??= length
      rest.high = Math.min(rest.high, end)
      if (rest.low >= rest.high) break
    }
    const count = Math.min(most, rest.high - rest.low)
    const from = reverse ? rest.high - count : rest.low
    const keyed = await asked
    const found = keyed ? placed(keyed, from, count) : await stored(records, log, from, count)
    const taken = fitting(found, room, reverse)
    room -= taken.size
    rest.typical = Math.max(1, taken.size / taken.values.length)
    const at = reverse ? rest.high - taken.values.length : from
    const texts = await textsOf(transaction, log, at, taken.values)
    const gap = reverse ? texts.lastIndexOf(undefined) : texts.indexOf(undefined)
    const whole = (gap < 0 ? texts : reverse ? texts.slice(gap + 1) : texts.slice(0, gap)) as readonly string[]
    const start = reverse ? rest.high - whole.length : at
    if (whole.length > 0) batches.push({ at: start, records: whole })
    rest.limit -= whole.length
    if (reverse) rest.high = start
    else rest.low = start + whole.length
    if (gap < 0) continue
    if (!salvage) return { batches, end: end as number, rest, damaged: at + gap }
    // However wide the hole, the next record behind it is one request away.
    const behind = reverse ? indexes(log, rest.low, at + gap) : indexes(log, at + gap + 1, rest.high)
    const next = (await records.openKeyCursor(behind, reverse ? 'prev' : 'next'))?.key[1]
    if (reverse) rest.high = next === undefined ? rest.low : next + 1
    else rest.low = next ?? rest.high
  }
  return { batches, end: end as number, rest }
}

/** A record of a store with its key; TypeScript's own types do not know it yet. */
interface KeyedRecord {
  readonly key: [log: string, at: number]
  readonly value: string | number
}

/** What stands at consecutive indexes: undefined where there is nothing. */
type Values = readonly (string | number | undefined)[]

/**
 * The first records from the reading side, with their keys, in reading direction: one request, also while the length is not known.
 * Undefined where the browser has no `getAllRecords`.
 */
function withKeys(
  records: Records,
  log: string,
  { low, high }: Rest,
  count: number,
  reverse: boolean,
): Promise<readonly KeyedRecord[]> | undefined {
  const query = indexes(log, low, reverse ? high : Math.min(high, low + count))
  const asking = records as { getAllRecords?: (options: object) => Promise<readonly KeyedRecord[]> }
  return asking.getAllRecords?.({ query, count, direction: reverse ? 'prev' : 'next' })
}

function placed(found: readonly KeyedRecord[], from: number, count: number): Values {
  const values: (string | number | undefined)[] = Array.from({ length: count })
  for (const { key, value } of found) {
    const place = key[1] - from
    if (place >= 0 && place < count) values[place] = value
  }
  return values
}

async function stored(records: Records, log: string, from: number, count: number): Promise<Values> {
  const range = indexes(log, from, from + count)
  const values = await records.getAll(range)
  // Indexes are dense: as many values as indexes means that each has its own, and no key needs to be read.
  if (values.length === count) return values
  const found: (string | number | undefined)[] = Array.from({ length: count })
  const keys = await records.getAllKeys(range)
  for (const [i, [, at]] of keys.entries()) found[at - from] = values[i]
  return found
}

/** As many values from the reading side as have room, at least one. */
function fitting(values: Values, room: number, reverse: boolean): { values: Values; size: number } {
  let size = 0
  let count = 0
  while (count < values.length && size < room) {
    const value = values.at(reverse ? -1 - count : count)
    size += typeof value === 'string' ? value.length : (value ?? 0)
    count++
  }
  return { values: reverse ? values.slice(values.length - count) : values.slice(0, count), size }
}

/** The texts of consecutive records; those of long ones are fetched from where they lie. */
async function textsOf(
  transaction: Transaction<'readonly'>,
  log: string,
  at: number,
  values: Values,
): Promise<readonly (string | undefined)[]> {
  if (!values.some((value) => typeof value === 'number')) return values as readonly (string | undefined)[]
  const large = transaction.objectStore('large')
  return Promise.all(values.map(async (value, i) => (typeof value === 'number' ? large.get([log, at + i]) : value)))
}

async function lengthOf(records: Records, log: string): Promise<number> {
  return ((await lastIndex(records, log)) ?? TRACE) + 1
}
