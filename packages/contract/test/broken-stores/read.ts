import type { ReadRange, RecordBatch, StorageAdapter } from '@sessiontree/core'
import type { MemoryStore } from '@sessiontree/memory'
import { broken, type BrokenStore } from './broken-store.ts'

/** A fault that asks the correct adapter for another range. */
const otherRange = (change: (range: ReadRange) => ReadRange) => () => (handle: StorageAdapter) => ({
  read: (log: string, range: ReadRange = {}) => handle.read(log, change(range)),
})

/** A fault that changes the batches of the correct adapter. */
const otherBatches =
  (change: (batches: readonly RecordBatch[], range: ReadRange) => readonly RecordBatch[]) =>
  () =>
  (handle: StorageAdapter) => ({
    async *read(log: string, range: ReadRange = {}) {
      yield* change(await Array.fromAsync(handle.read(log, range)), range)
    },
  })

export const brokenReads: readonly BrokenStore[] = [
  broken(
    'read/ranges',
    'reverse delivers the records of a batch backwards',
    otherBatches((batches, { reverse }) =>
      reverse ? batches.map(({ at, records }) => ({ at, records: records.toReversed() })) : batches,
    ),
  ),
  broken(
    'read/ranges',
    'reverse delivers the oldest batch first',
    otherBatches((batches, { reverse }) => {
      const halves = batches.flatMap(({ at, records }) => {
        const half = Math.ceil(records.length / 2)
        return [
          { at, records: records.slice(0, half) },
          { at: at + half, records: records.slice(half) },
        ]
      })
      return reverse ? halves.filter((batch) => batch.records.length > 0) : batches
    }),
  ),
  broken(
    'read/ranges',
    'reverse is ignored',
    otherRange((range) => ({ ...range, reverse: false })),
  ),
  broken(
    'read/ranges',
    'limit off by one',
    otherRange((range) => ({ ...range, limit: range.limit === undefined ? undefined : range.limit + 1 })),
  ),
  broken(
    'read/ranges',
    'limit counted from the wrong side',
    otherRange(({ from = 0, limit, ...range }) =>
      range.reverse && limit !== undefined
        ? { ...range, from, to: Math.min(range.to ?? Infinity, from + limit) }
        : { ...range, from, limit },
    ),
  ),
  broken(
    'read/ranges',
    'readAhead used as a limit',
    otherBatches((batches, { readAhead = 65_536, reverse }) => {
      let left = readAhead
      const fits = (record: string) => (left -= record.length) > 0
      return reverse
        ? batches
        : batches.map(({ at, records }) => ({ at, records: records.filter(fits) })).filter((b) => b.records.length > 0)
    }),
  ),
  broken(
    'read/ranges',
    'to inclusive',
    otherRange((range) => (range.to ? { ...range, to: range.to + 1 } : range)),
  ),
  broken(
    'read/ranges',
    'from exclusive',
    otherRange((range) => (range.from ? { ...range, from: range.from + 1 } : range)),
  ),
  broken(
    'read/ranges',
    'every batch says that it starts at 0',
    otherBatches((batches) => batches.map(({ records }) => ({ at: 0, records }))),
  ),
  broken('read/moment', 'a read goes on to records that were appended after its first pull', (store) => () => ({
    read: (log, range = {}) => live(store, log, range, Infinity),
  })),
  broken(
    'read/moment',
    'the end of a read is fixed when it is asked for, not at its first pull',
    (store) => (handle) => ({
      read(log, range = {}) {
        const end = store.logs.get(log)?.length ?? 0
        return handle.read(log, { ...range, to: Math.min(end, range.to ?? Infinity) })
      },
    }),
  ),
  broken('read/large', 'a character on the border of two chunks is lost', () => (handle) => ({
    append: (log, at, records) => handle.append(log, at, records.map(throughChunks)),
  })),
  broken(
    'read/large',
    'a record larger than readAhead hides the older ones from a reverse read',
    otherBatches((batches, { reverse, readAhead = Infinity }) => {
      if (!reverse) return batches
      return batches.map(({ at, records }) => {
        const cut = records.findLastIndex((record) => record.length > readAhead) + 1
        return { at: at + cut, records: records.slice(cut) }
      })
    }),
  ),
  broken('drop/meanwhile', 'a read whose log is dropped ends early', (store) => () => ({
    async *read(log, range = {}) {
      yield* live(store, log, range, store.logs.get(log)?.length ?? 0)
    },
  })),
]

/** Delivers record by record what the store holds at that moment, below `end`. */
async function* live(store: MemoryStore, log: string, range: ReadRange, end: number): AsyncGenerator<RecordBatch> {
  const records = () => store.logs.get(log) ?? []
  const { from = 0, limit = Infinity } = range
  let left = limit
  const one = (at: number) => ({ at, records: records().slice(at, at + 1) })
  if (range.reverse) {
    for (let at = Math.min(end, range.to ?? Infinity, records().length) - 1; at >= from && left-- > 0; at--) {
      if (at < records().length) yield one(at)
    }
  } else {
    for (let at = from; at < Math.min(end, range.to ?? Infinity, records().length) && left-- > 0; at++) yield one(at)
  }
}

const CHUNK = 65_536

function throughChunks(text: string): string {
  const bytes = new TextEncoder().encode(text)
  let decoded = ''
  for (let at = 0; at < bytes.length; at += CHUNK) decoded += new TextDecoder().decode(bytes.subarray(at, at + CHUNK))
  return decoded
}
