import { counting } from '@sessiontree/contract'
import { memory, MemoryStore } from '@sessiontree/memory'
import { describe, expect, test } from 'vitest'
import { openSessions } from '../src/index.ts'
import { generatedLog, idAt, spoken } from './generated-log.ts'
import { seededClock, seededRandom } from './seeded.ts'

const COUNT = 6_000
const BYTES = COUNT * 1_000

/** A session of 6 MB in one path, opened by a handle that counts. */
async function long() {
  const store = new MemoryStore()
  const { adapter, counts, reset } = counting(memory({ store }))
  const session = await openSessions(adapter, { random: seededRandom(1), clock: seededClock() }).create('s')
  store.logs.set('session/s/0', [...generatedLog(COUNT, (at) => spoken(at, 800))])
  await session.leaf()
  reset()
  return { session, counts, reset, store }
}

const ids = Array.from({ length: COUNT }, (_, at) => idAt(at))

describe('path of more than memory should hold', () => {
  test('comes whole and in order, read twice', { timeout: 60_000 }, async () => {
    const { session, counts, reset } = await long()
    expect((await session.path().toArray()).map(({ id }) => id)).toEqual(ids)
    expect(counts.read.bytes).toBeGreaterThan(1.5 * BYTES)
    expect(counts.read.bytes).toBeLessThan(3 * BYTES)
    reset()
    expect((await session.path({ last: 300 }).toArray()).map(({ id }) => id)).toEqual(ids.slice(-300))
    expect(counts.read.records, 'no more than that needs').toBeLessThan(2_000)
  })

  test('also around other branches, and through a fork of a fork', { timeout: 60_000 }, async () => {
    const { session } = await long()
    await session.moveTo(idAt(4_000))
    await session.append({ role: 'user', content: 'elsewhere' }, { id: 'x' })
    await session.append({ role: 'user', content: 'aside' }, { id: 'y', parent: idAt(10) })
    const expected = [...ids.slice(0, 4_001), 'x']
    expect((await session.path({ leaf: 'x' }).toArray()).map(({ id }) => id)).toEqual(expected)
    await session.append({ role: 'user', content: 'z'.repeat(1_500_000) }, { id: 'z', parent: 'x' })
    const fork = await (await session.fork({ at: 'z' })).fork({ id: 'ff' })
    await fork.append({ role: 'user', content: 'own' }, { id: 'own' })
    expect((await fork.path().toArray()).map(({ id }) => id)).toEqual([...expected, 'z', 'own'])
    expect(await fork.path().toArray({ limit: 2 })).toHaveLength(2)
    expect((await fork.path({ leaf: 'x', last: 2 }).toArray()).map(({ id }) => id)).toEqual([idAt(4_000), 'x'])
  })
})

describe('toArray', () => {
  test('gives at most so many, and reads no further', { timeout: 60_000 }, async () => {
    const { session, counts } = await long()
    expect((await session.entries().toArray({ limit: 3 })).map(({ id }) => id)).toEqual(ids.slice(0, 3))
    expect(counts.read.records).toBeLessThanOrEqual(1_000)
    expect(await session.entries().toArray({ limit: 0 })).toEqual([])
    for (const limit of [-1, 1.5, NaN, '3' as never]) {
      await expect(session.entries().toArray({ limit })).rejects.toBeInstanceOf(TypeError)
    }
  })

  test('each loop reads anew', async () => {
    const session = await openSessions(memory()).create('s')
    const entries = session.entries()
    expect(await entries.toArray()).toHaveLength(0)
    await session.append({ role: 'user', content: 'a' })
    expect(await entries.toArray()).toHaveLength(1)
  })
})
