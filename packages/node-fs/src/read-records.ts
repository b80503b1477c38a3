import type { RecordBatch, ResolvedRange } from '@sessiontree/core'
import type { LineFile } from './line-file.ts'

const SMALLEST_READ = 16 * 1024
const LARGEST_READ = 1024 * 1024

/** Delivers the records of a log that lie in a range, up to the size that the file has now; throws where an index is missing. */
export function readRecords(file: LineFile, range: ResolvedRange): Generator<RecordBatch> {
  const window = Math.min(Math.max(range.readAhead, SMALLEST_READ), LARGEST_READ)
  return range.reverse ? descending(file, range, window) : ascending(file, range, window)
}

function* ascending(
  file: LineFile,
  { from, to, limit, salvage }: ResolvedRange,
  window: number,
): Generator<RecordBatch> {
  const first = from === 0 ? undefined : file.find(from)
  if (from >= to || (from > 0 && !first)) return
  let expected = Math.min(from, first?.at ?? from)
  let left = limit
  for (const batches of file.forward(first?.pos ?? 0, file.size, window)) {
    const found: RecordBatch[] = []
    for (const { at, next, pos, body, texts } of batches) {
      if (body !== 'record') continue
      if (at !== expected && !salvage) {
        yield* merge(found)
        throw file.missing(expected, `before byte ${pos}`)
      }
      const low = Math.max(from, expected, at)
      const records = texts().slice(low - at, Math.max(0, Math.min(to - at, low - at + left)))
      found.push({ at: low, records })
      left -= records.length
      expected = next
      if (next >= to || left === 0) break
    }
    yield* merge(found)
    if (expected >= to || left === 0) return
  }
}

function* descending(
  file: LineFile,
  { from, to, limit, salvage }: ResolvedRange,
  window: number,
): Generator<RecordBatch> {
  if (from >= to) return
  const edge = to === Infinity ? undefined : file.find(to - 1)
  // An edge behind the range proves that the end of the range is missing.
  const inside = edge !== undefined && edge.at < to
  let expected = inside ? edge.next : edge?.at
  let left = limit
  for (const batches of file.backward(inside ? edge.end : (edge?.pos ?? file.size), window)) {
    const found: RecordBatch[] = []
    for (const { at, next, end, body, texts } of batches.toReversed()) {
      if (body !== 'record') continue
      if (expected !== undefined && next !== expected && !salvage) {
        yield* merge(found.toReversed()).toReversed()
        throw file.missing(Math.min(expected, to) - 1, `behind byte ${end}`)
      }
      const high = Math.min(to, expected ?? next, next)
      const low = Math.max(from, at, high - left)
      const records = texts().slice(low - at, Math.max(0, high - at))
      found.push({ at: low, records })
      left -= records.length
      expected = at
      if (at <= from || left === 0) break
    }
    yield* merge(found.toReversed()).toReversed()
    if (expected !== undefined && (expected <= from || left === 0)) return
  }
  if (expected !== undefined && expected > from && !salvage)
    throw file.missing(Math.min(expected, to) - 1, 'behind byte 0')
}

/** Joins what follows one another, so that a page is one step for whoever reads it. */
function merge(found: readonly RecordBatch[]): RecordBatch[] {
  const merged: { at: number; records: string[] }[] = []
  for (const { at, records } of found) {
    const last = merged.at(-1)
    if (records.length === 0) continue
    if (last && last.at + last.records.length === at) last.records.push(...records)
    else merged.push({ at, records: [...records] })
  }
  return merged
}
