import { sleep, systemClock, type ReadRange, type RecordBatch, type StorageAdapter } from '@sessiontree/core'
import type { ContractCase } from '../case.ts'
import { assert, assertEqual } from '../assert.ts'
import { fillLarge, joinAscending, joinDescending } from '../reading.ts'

const LOG = 'read/log'

const BATCHES = 98
const BATCH = 1024
const LENGTH = BATCHES * BATCH
const record = (index: number) => `{"index":${index},"text":"${'x'.repeat(100 + (index % 7))}"}`

const READ_AHEAD = 65_536
// What `read.cost` allows beyond `readAhead` and the largest batch.
const HELD = 8 * 1024 * 1024

// Else a log grows faster than a store with one record a step can read it.
const BATCHES_BESIDE = 400
const ROUNDS = 3

/** Long logs, and logs that grow while they are read. */
export const longReadCases: readonly ContractCase[] = [
  {
    id: 'read/long',
    group: 'read',
    title: '100,000 records are read in pieces of bounded size, forwards, backwards and in part',
    rules: ['read.cost', 'read.order', 'read.range', 'read.prefix'],
    async run({ open }) {
      const writer = await open()
      let largest = 0
      for (let at = 0; at < LENGTH; at += BATCH) {
        const batch = Array.from({ length: BATCH }, (_, i) => record(at + i))
        largest = Math.max(largest, sizeOf(batch))
        await writer.append(LOG, at, batch)
      }
      const most = READ_AHEAD + HELD + largest
      const reader = await open()
      const ranges: readonly (readonly [range: ReadRange, low: number, high: number])[] = [
        [{}, 0, LENGTH],
        [{ reverse: true }, 0, LENGTH],
        [{ from: 1500, limit: 40_000 }, 1500, 41_500],
        [{ to: LENGTH - 1500, limit: 40_000, reverse: true }, LENGTH - 41_500, LENGTH - 1500],
      ]
      for (const [range, low, high] of ranges) await assertPieces(reader, range, low, high, most)
    },
  },
  {
    id: 'read/beside',
    group: 'read',
    title: 'reads that are pulled slowly while batches are appended deliver whole batches up to one moment',
    rules: ['read.prefix', 'read.snapshot', 'append.atomic', 'read.order'],
    async run({ open }) {
      const [writer, reader] = [await open(), await open()]
      const records = await fillLarge(writer, LOG)
      const boundaries = new Set([records.length])
      // How many records were acknowledged, and how many were handed over, at any moment.
      let acknowledged = records.length
      const reads = { done: false }
      const writing = (async () => {
        for (let batches = 0; !reads.done && batches < BATCHES_BESIDE; batches++) {
          const at = records.length
          const batch = Array.from({ length: 1 + (at % 4) }, (_, i) => `{"beside":${at + i}}`)
          records.push(...batch)
          boundaries.add(records.length)
          await writer.append(LOG, at, batch)
          acknowledged = records.length
          await sleep(systemClock, 1)
        }
      })()
      try {
        for (let round = 0; round < ROUNDS; round++) {
          for (const reverse of [false, true]) {
            const least = acknowledged
            const batches: RecordBatch[] = []
            let most = 0
            for await (const batch of reader.read(LOG, { reverse, readAhead: 1 })) {
              if (batches.push(batch) === 1) most = records.length
              await sleep(systemClock, 1)
            }
            const delivered = (reverse ? joinDescending : joinAscending)(batches, 'a read beside appends')
            const end = delivered.length
            assertEqual(delivered, records.slice(0, end), 'what a read beside appends delivers')
            assert(boundaries.has(end), `a read beside appends ends where a batch does, not at ${end}`)
            assert(end >= least && end <= most, `a read beside appends ends at ${least} to ${most}, not at ${end}`)
          }
        }
      } finally {
        reads.done = true
        await writing
      }
    },
  },
]

async function assertPieces(
  reader: StorageAdapter,
  range: ReadRange,
  low: number,
  high: number,
  most: number,
): Promise<void> {
  const what = `read ${JSON.stringify(range)}`
  let [from, to] = [low, high]
  for await (const { at, records } of reader.read(LOG, range)) {
    const size = sizeOf(records)
    assert(size <= most, `${what}: a batch holds at most ${most} bytes, not ${size}`)
    if (range.reverse) assertEqual(at + records.length, to, `${what}: the end of a batch`)
    else assertEqual(at, from, `${what}: the start of a batch`)
    for (const [i, text] of records.entries()) {
      if (text !== record(at + i)) assertEqual(text, record(at + i), `${what}: the record ${at + i}`)
    }
    if (range.reverse) to = at
    else from = at + records.length
  }
  assertEqual([from, to], range.reverse ? [low, low] : [high, high], `${what}: the first index that is missing`)
}

// ASCII: as many bytes as characters.
const sizeOf = (records: readonly string[]) => records.reduce((sum, text) => sum + text.length, 0)
