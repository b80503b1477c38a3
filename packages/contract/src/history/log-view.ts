import type { Call } from './call.ts'
import type { ReadRequest } from './event.ts'

export type Read = Call<ReadRequest>

/** What one read showed. */
export interface LogView {
  readonly read: Read
  /** The records by index, ascending. */
  readonly records: ReadonlyMap<number, string>
  /** The log had at least this length while it was read. */
  readonly least: number
  /** The log had at most this length when the read began. `Infinity` if the read cannot tell. */
  readonly most: number
  /** What is wrong with the order or the range of its batches. */
  readonly disorder: string | undefined
}

/** What a read showed of its log, and what follows about the log's length. */
export function viewOf(read: Read): LogView {
  const { from, reverse, salvage } = read.request
  const [to, limit] = [read.request.to ?? Infinity, read.request.limit ?? Infinity]
  const batches = read.answer?.batches ?? []
  const records = new Map<number, string>()
  let disorder: string | undefined
  let next: number | undefined
  for (const { at, records: texts } of batches) {
    const end = at + texts.length
    if (texts.length === 0) disorder ??= `the batch at ${at} is empty`
    if (at < from || end > to) disorder ??= `records ${at} to ${end} lie outside of ${from} to ${to}`
    const expected = reverse ? end : at
    const follows = next === undefined || next === expected || (salvage && (reverse ? end < next : at > next))
    if (!follows) disorder ??= `the batch at ${at} does not follow the one before it, at ${next}`
    next = reverse ? at : end
    for (const [i, text] of texts.entries()) records.set(at + i, text)
  }
  if (records.size > limit) disorder ??= `${records.size} records, asked for at most ${limit}`

  const [first, last] = [batches[0], batches.at(-1)]
  const [lowest, highest] = reverse ? [last, first] : [first, last]
  const [low, high] = [lowest?.at, highest && highest.at + highest.records.length]
  const whole = read.answer?.outcome === 'ok' && !salvage
  if (high === undefined || low === undefined) {
    return { read, records, least: 0, most: whole && to > from ? from : Infinity, disorder }
  }
  // Where reading starts nothing may be left out; nor where it ends, unless the limit was reached first.
  if (!reverse && !salvage && low !== from) disorder ??= `starts at ${low}, not at ${from}`
  const full = records.size >= limit
  if (reverse && whole && !full && low !== from) disorder ??= `ends at ${low}, not at ${from}`
  const knowsEnd = reverse ? !salvage && high < to : whole && !full && high < to
  return { read, records: sorted(records), least: high, most: knowsEnd ? high : Infinity, disorder }
}

function sorted(records: ReadonlyMap<number, string>): Map<number, string> {
  return new Map([...records].toSorted(([a], [b]) => a - b))
}
