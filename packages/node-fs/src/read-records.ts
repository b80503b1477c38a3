import type { RecordBatch, ResolvedRange } from '@sessiontree/core'
import type { Batch } from './line.ts'
import type { LineFile } from './line-file.ts'
import { EMPTY_TAIL, type Tail } from './tail.ts'

const SMALLEST_READ = 16 * 1024
const LARGEST_READ = 1024 * 1024

/**
 * Delivers the records of a log that lie in a range, up to the size that the file has now. Throws where an index is missing, and
 * without `limit` also for damage behind the last record; a reverse read does that at its end, or at once if the length cannot be told.
 */
export function readRecords(file: LineFile, range: ResolvedRange): Generator<RecordBatch> {
  const window = Math.min(Math.max(range.readAhead, SMALLEST_READ), LARGEST_READ)
  return range.reverse ? descending(file, range, window) : ascending(file, range, window)
}

function* ascending(
  file: LineFile,
  { from, to, limit, salvage }: ResolvedRange,
  window: number,
): Generator<RecordBatch> {
  if (from >= to) return
  const first = from === 0 ? undefined : file.find(from)
  if (from > 0 && !first) {
    file.decide()
    if (!salvage) throwIfDamaged(file, file.length, file.tail)
    return
  }
  let expected = Math.min(from, first?.at ?? from)
  let end = first ? undefined : 0
  let left = limit
  for (const batches of upFrom(file, first, window)) {
    const found: RecordBatch[] = []
    for (const { at, next, pos, body, texts, end: behind } of batches) {
      if (body !== 'record') return yield* merge(found)
      if (at !== expected && !salvage) {
        yield* merge(found)
        throw file.missing(expected, end ?? file.endBefore(pos))
      }
      const low = Math.max(from, expected, at)
      const records = texts().slice(low - at, Math.max(0, Math.min(to - at, low - at + left)))
      found.push({ at: low, records })
      left -= records.length
      expected = next
      end = behind
      if (next >= to || left === 0) break
    }
    yield* merge(found)
    if (expected >= to || left === 0) return
  }
  if (!salvage) throwIfDamaged(file, expected, file.examine(end ?? 0, expected))
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
  let atEnd: { readonly length: number; readonly tail: Tail } | undefined
  for (const batches of downFrom(file, inside ? edge : undefined, edge?.pos ?? file.size, window)) {
    const found: RecordBatch[] = []
    if (!edge) atEnd ??= endBehind(file, batches, salvage)
    for (const { at, next, end, body, texts } of batches.toReversed()) {
      if (body !== 'record') continue
      if (expected !== undefined && next !== expected && !salvage) {
        yield* merge(found.toReversed()).toReversed()
        throw file.missing(Math.min(expected, to) - 1, end)
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
    if (left === 0) return
    if (expected !== undefined && expected <= from) break
  }
  if (salvage) return
  if (expected !== undefined && expected > from) throw file.missing(Math.min(expected, to) - 1, 0)
  if (edge) return
  // An append would go on here, so the end of the log is where the last batch that counts ends; the damage is told last.
  const { length, tail } = atEnd ?? endBehind(file, [], salvage)
  throwIfDamaged(file, length, tail)
}

/** The batches from one on; it is not read again. */
function* upFrom(file: LineFile, first: Batch | undefined, window: number): Generator<readonly Batch[]> {
  if (first) yield [first]
  yield* file.forward(first?.end ?? 0, file.size, window)
}

/** The batches before an offset, behind them one that is not read again. */
function* downFrom(file: LineFile, last: Batch | undefined, to: number, window: number): Generator<readonly Batch[]> {
  if (last) yield [last]
  yield* file.backward(to, window)
}

/** What stands at the end of a file behind its last batches; throws if it cannot be told where the log ends. */
function endBehind(
  file: LineFile,
  batches: readonly Batch[],
  salvage: boolean,
): { readonly length: number; readonly tail: Tail } {
  const { body, next, end } = batches.at(-1) ?? { body: 'record', next: 0, end: 0 }
  const tail = salvage || body !== 'record' ? EMPTY_TAIL : file.examine(end, next)
  if (tail.isUnclear) throwIfDamaged(file, next, tail)
  return { length: next, tail }
}

function throwIfDamaged(file: LineFile, length: number, { damagedAt }: Tail): void {
  if (damagedAt !== undefined) throw file.missing(length, damagedAt)
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
