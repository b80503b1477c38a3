import type { ReadRange, RecordBatch, StorageAdapter } from '@sessiontree/core'
import { assert, assertEqual } from './assert.ts'

/** Pulls everything out of an iterable. */
export async function collect<Item>(items: AsyncIterable<Item>): Promise<Item[]> {
  const collected: Item[] = []
  for await (const item of items) collected.push(item)
  return collected
}

/** Reads a log and resolves with its records, ascending, after checking how the batches follow one another. */
export async function readLog(adapter: StorageAdapter, log: string, range: ReadRange = {}): Promise<string[]> {
  const batches = await collect(adapter.read(log, range))
  return range.reverse ? joinDescending(batches, log) : joinAscending(batches, log)
}

/** The records of consecutive ascending batches. */
export function joinAscending(batches: readonly RecordBatch[], what: string): string[] {
  const records: string[] = []
  let next = batches[0]?.at ?? 0
  for (const batch of batches) {
    assertEqual(batch.at, next, `${what}: the index of a batch follows the batch before it`)
    assert(batch.records.length > 0, `${what}: a batch is never empty`)
    records.push(...batch.records)
    next += batch.records.length
  }
  return records
}

/** The records, ascending, of consecutive descending batches, each ascending inside. */
export function joinDescending(batches: readonly RecordBatch[], what: string): string[] {
  for (const [i, batch] of batches.entries()) {
    assert(batch.records.length > 0, `${what}: a batch is never empty`)
    const newer = batches[i - 1]
    if (newer) {
      assertEqual(
        batch.at + batch.records.length,
        newer.at,
        `${what}: in reverse a batch ends where the newer one before it starts`,
      )
    }
  }
  return batches.toReversed().flatMap((batch) => batch.records)
}

/** The number of records in a log, learnt from its last one. */
export async function lengthOf(adapter: StorageAdapter, log: string): Promise<number> {
  const [last] = await collect(adapter.read(log, { reverse: true, limit: 1 }))
  return last ? last.at + last.records.length : 0
}

/** Appends batches of the given sizes to an empty log and resolves with all records. */
export async function fill(
  adapter: StorageAdapter,
  log: string,
  sizes: readonly number[],
  record: (index: number) => string,
): Promise<string[]> {
  const records: string[] = []
  for (const size of sizes) {
    const batch = Array.from({ length: size }, (_, i) => record(records.length + i))
    await adapter.append(log, records.length, batch)
    records.push(...batch)
  }
  return records
}

/** Fills a log with more than an adapter is likely to deliver in one step, and resolves with all records. */
export function fillLarge(adapter: StorageAdapter, log: string): Promise<string[]> {
  return fill(adapter, log, [3, 3, 3, 3, 3, 3, 3, 3], (index) => `{"index":${index},"text":"${'large '.repeat(5000)}"}`)
}
