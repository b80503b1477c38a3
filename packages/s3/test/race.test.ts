import { SessionError, type StorageAdapter } from '@sessiontree/core'
import type { Fault, S3Stub } from '@sessiontree/s3-stub'
import { describe, expect, test } from 'vitest'
import { hurriedClock, openStore, startStub, stubPlace } from './servers.ts'

const LOG = 'race'

/** A sequence of numbers in [0, 1) that a seed repeats. */
function seeded(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

const PUT_FAULTS: readonly Fault[] = [
  'swallow',
  'cut',
  { late: 3 },
  { late: 30 },
  { delay: 10 },
  { status: 500, code: 'InternalError', done: true },
  { status: 503, code: 'SlowDown' },
  { status: 409, code: 'ConditionalRequestConflict' },
]

function disturb(stub: S3Stub, random: () => number): void {
  if (random() < 0.35) {
    const fault = PUT_FAULTS[Math.floor(random() * PUT_FAULTS.length)] ?? 'cut'
    stub.inject(fault, { operation: 'PutObject', times: random() < 0.2 ? 6 : 1 })
  }
  if (random() < 0.1) stub.inject({ status: 503, code: 'SlowDown' }, { operation: 'GetObject' })
  if (random() < 0.1) stub.inject('cut', { operation: 'ListObjectsV2' })
}

async function read(adapter: StorageAdapter, from = 0, limit?: number): Promise<string[]> {
  return (await Array.fromAsync(adapter.read(LOG, { from, limit }))).flatMap(({ records }) => records)
}

interface Tally {
  readonly acknowledged: string[]
  readonly unknown: string[]
}

/** Appends batches until all are in or given up for unknown; settles what is uncertain by taking the index. */
async function write(adapter: StorageAdapter, writer: number, random: () => number, stub: S3Stub): Promise<Tally> {
  const tally: Tally = { acknowledged: [], unknown: [] }
  let at = 0
  for (let n = 0; n < 25; n++) {
    const batch = Array.from({ length: 1 + Math.floor(random() * 3) }, (_, i) =>
      JSON.stringify({ writer, n, i, text: 'x'.repeat(random() < 0.05 ? 100_000 : random() * 500) }),
    )
    let uncertain: number | undefined
    for (let tries = 0; ; tries++) {
      disturb(stub, random)
      try {
        await adapter.append(LOG, uncertain ?? at, batch)
        at = (uncertain ?? at) + batch.length
        tally.acknowledged.push(...batch)
        break
      } catch (error) {
        if (SessionError.is(error, 'BUSY')) {
          expect(error.written).toBe('no')
          continue
        }
        if (SessionError.is(error, 'UNCERTAIN')) {
          uncertain ??= at
          if (tries < 20) continue
          tally.unknown.push(...batch)
          break
        }
        if (!SessionError.is(error, 'CONFLICT')) throw error
        if (uncertain !== undefined) {
          // Whoever holds the index now has it for ever.
          const holder = await read(adapter, uncertain, batch.length)
          if (holder[0] === batch[0]) {
            expect(holder).toEqual(batch)
            at = uncertain + batch.length
            tally.acknowledged.push(...batch)
            break
          }
        }
        uncertain = undefined
        at += (await read(adapter, at)).length
      }
    }
  }
  return tally
}

describe('six writers to one log while requests are cut, late, doubled and refused', () => {
  test.each([1, 2, 3])(
    'seed %i: dense, every acknowledged record once, in order, nothing else',
    async (seed) => {
      await using stub = await startStub({ pageSize: 50 })
      await using store = openStore(stubPlace(stub))
      const random = seeded(seed)
      const handles = Array.from({ length: 6 }, (_, i) =>
        store.open({ client: store.newClient({ maxAttempts: 1 + (i % 2) }), clock: hurriedClock }),
      )
      const tallies = await Promise.all(handles.map((adapter, writer) => write(adapter, writer, random, stub)))
      await stub.settled()
      const log = await read(store.open())
      for (const [writer, { acknowledged, unknown }] of tallies.entries()) {
        const own = log.filter((record) => record.startsWith(`{"writer":${writer},`))
        expect(own.filter((record) => !unknown.includes(record))).toEqual(acknowledged)
        expect(new Set(own).size).toBe(own.length)
      }
      expect(log.length).toBe(
        tallies.reduce(
          (sum, { acknowledged, unknown }) =>
            sum + acknowledged.length + unknown.filter((record) => log.includes(record)).length,
          0,
        ),
      )
      const back = await Array.fromAsync(store.open().read(LOG, { reverse: true }))
      expect(back.toReversed().flatMap(({ records }) => records)).toEqual(log)
      // It was no quiet run.
      expect(stub.requests.filter(({ status }) => status === 0 || status >= 409).length).toBeGreaterThan(50)
    },
    60_000,
  )
})
