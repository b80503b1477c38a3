import { memory, type MemoryStore } from '@sessiontree/memory'
import { CorruptError, type RecordBatch, type StorageAdapter } from '../src/index.ts'

/** What stands in a log of {@link damagedMemory} where a record cannot be read. */
export const DAMAGED = 'damaged'

/** A memory adapter that keeps `read.corrupt`: records whose text is {@link DAMAGED} cannot be read. */
export function damagedMemory(store: MemoryStore): StorageAdapter {
  const inner = memory({ store })
  return {
    ...inner,
    async *read(log, range = {}) {
      for await (const batch of inner.read(log, range)) {
        const steps = batch.records.map((text, i) => ({ at: batch.at + i, records: [text] }))
        for (const step of range.reverse ? steps.toReversed() : steps) yield* readable(log, step, range.salvage)
      }
    },
  }
}

function* readable(log: string, batch: RecordBatch, salvage: boolean | undefined): Generator<RecordBatch> {
  if (batch.records[0] !== DAMAGED) yield batch
  else if (!salvage) throw new CorruptError('Damaged.', { log, at: batch.at, where: `memory, record ${batch.at}` })
}
