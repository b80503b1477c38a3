import { nodeFs } from '../../src/node-fs.ts'

/** What a process that runs this file reads; it prints what it saw as {@link LongReadReport}. Needs `--expose-gc`. */
export interface LongReadPlan {
  readonly root: string
  readonly log: string
  readonly reverse: boolean
}

export interface LongReadReport {
  readonly records: number
  readonly batches: number
  readonly largestBatch: number
  /** By how many bytes the memory that is in use grew at most, garbage aside. */
  readonly growth: number
}

const { root, log, reverse } = JSON.parse(process.argv[2] ?? '') as LongReadPlan
const adapter = nodeFs(root)
const collect = (globalThis as { gc?: () => void }).gc
if (!collect) throw new Error('run with --expose-gc')
const inUse = () => {
  collect()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

// The first page brings what every read needs: code, the open file.
for await (const _ of adapter.read(log, { limit: 1 })) break
const before = inUse()
let records = 0
let batches = 0
let largestBatch = 0
let growth = 0
for await (const batch of adapter.read(log, { reverse })) {
  records += batch.records.length
  batches++
  largestBatch = Math.max(largestBatch, batch.records.join('').length)
  // Looked at with a page in hand, and not after each: a full collection takes a while.
  if (batches % 10 === 1) growth = Math.max(growth, inUse() - before)
}
const report: LongReadReport = { records, batches, largestBatch, growth }
process.stdout.write(JSON.stringify(report))
