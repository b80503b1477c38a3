import { counting, type Counts } from '@sessiontree/contract'
import { memory, MemoryStore } from '@sessiontree/memory'
import { describe, expect, test } from 'vitest'
import { openSessions } from '../src/index.ts'
import { compactedTail } from './compacted-tail.ts'
import { seededClock, seededRandom } from './seeded.ts'

const SIZES = [1_000, 100_000, 1_000_000]

/** What it costs a fresh handle to open a session and read its context, and what that shows. */
async function coldContext(store: MemoryStore, id: string) {
  const { adapter, counts } = counting(memory({ store }))
  const session = await openSessions(adapter, { clock: seededClock(), random: seededRandom(9) }).open(id)
  const { messages, complete } = await session.context()
  expect([messages.length, complete]).toEqual([51, true])
  return structuredClone(counts)
}

describe('open and context behind the same compaction', () => {
  test.each([
    ['a session', async () => 's'],
    [
      'a fork of its fork',
      async (store: MemoryStore) => {
        const sessions = openSessions(memory({ store }), { clock: seededClock(), random: seededRandom(2) })
        return (await (await (await sessions.open('s')).fork({ id: 'f' })).fork({ id: 'ff' })).id
      },
    ],
  ])('cost the same whatever the length of the history: %s', { timeout: 120_000 }, async (_what, prepare) => {
    const costs: Counts[] = []
    for (const size of SIZES) {
      const store = new MemoryStore()
      await openSessions(memory({ store }), { clock: seededClock(), random: seededRandom(1) }).create('s')
      store.logs.set('session/s/0', [...compactedTail(size)])
      costs.push(await coldContext(store, await prepare(store)))
    }
    // Numbers of more digits, and pages of other records, may take some more bytes.
    const calls = (cost: Counts) =>
      Object.entries(cost).map(([operation, count]) => [operation, (count as { calls: number }).calls])
    const [first, ...others] = costs
    for (const cost of others) {
      expect(calls(cost)).toEqual(calls(first!))
      const bytes = cost.read.bytes + cost.get.bytes - first!.read.bytes - first!.get.bytes
      expect(Math.abs(bytes)).toBeLessThanOrEqual(64 * 1024)
    }
  })
})
