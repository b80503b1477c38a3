import type { StorageAdapter } from '@sessiontree/core'
import { counting, crashing, faulty, gating, seededRandom } from '@sessiontree/contract'
import { contractSuite } from '@sessiontree/contract/vitest'
import { memory, MemoryStore } from '@sessiontree/memory'
import { describe, expect, test } from 'vitest'

const wrappers: Readonly<Record<string, (handle: StorageAdapter) => StorageAdapter>> = {
  counting: (handle) => counting(handle).adapter,
  gating: (handle) => gating(handle).adapter,
  faulty: (handle) => faulty(handle, { seed: 1, rates: {} }).adapter,
  crashing: (handle) => crashing(handle, { after: Infinity }).adapter,
}

for (const [name, wrap] of Object.entries(wrappers)) {
  contractSuite({
    name: `memory through ${name}, with nothing armed`,
    async create() {
      const store = new MemoryStore()
      return { open: async () => wrap(memory({ store })), destroy: async () => {} }
    },
  })
}

describe('counting', () => {
  test('counts calls, and what they carried when they succeeded', async () => {
    const { adapter, counts, reset } = counting(memory())
    const batch = ['"é"', '2']
    const appended = adapter.append('log/a', 0, batch)
    batch.push('3')
    await appended
    await expect(adapter.append('log/a', 0, ['3'])).rejects.toMatchObject({ code: 'CONFLICT' })
    await expect(adapter.append('log/a', 2, undefined as never)).rejects.toThrow(TypeError)
    const version = await adapter.put('k/a', '{"é":1}', { expect: 'absent' })
    await expect(adapter.put('k/a', '{}', { expect: 'absent' })).rejects.toMatchObject({ code: 'CONFLICT' })
    expect((await adapter.get('k/a'))?.version).toBe(version)
    expect(await adapter.get('k/none')).toBeUndefined()
    expect(await Array.fromAsync(adapter.read('log/a', { from: 1 }))).toEqual([{ at: 1, records: ['2'] }])
    await Array.fromAsync(adapter.keys(''))
    await Array.fromAsync(adapter.logs('none'))
    await adapter.drop('log/a')
    await adapter.remove('k/a')
    adapter.read('log/a')
    expect(counts).toEqual({
      append: { calls: 3, records: 2, bytes: 5 },
      read: { calls: 1, batches: 1, records: 1, bytes: 1 },
      drop: { calls: 1 },
      logs: { calls: 1, pages: 0, names: 0 },
      get: { calls: 2, documents: 1, bytes: 8 },
      put: { calls: 2, documents: 1, bytes: 8 },
      remove: { calls: 1 },
      keys: { calls: 1, pages: 1, names: 1 },
    })
    reset()
    expect(new Set(Object.values(counts).flatMap((count) => Object.values(count)))).toEqual(new Set([0]))
  })

  test('counts of a read that is left only what was delivered', async () => {
    const store = new MemoryStore()
    const { adapter, counts } = counting(memory({ store }))
    for (let i = 0; i < 2; i++) await adapter.append('log', i * 1000, Array<string>(1000).fill('1'))
    for await (const batch of adapter.read('log')) if (batch.at === 0) break
    expect(counts.read).toEqual({ calls: 1, batches: 1, records: 1000, bytes: 1000 })
  })
})

test('seededRandom gives bytes of all values, the same for a seed, and none that follow from its neighbour', () => {
  const bytes = seededRandom(5).bytes(4096)
  expect(seededRandom(5).bytes(4096)).toEqual(bytes)
  expect(seededRandom(6).bytes(4096)).not.toEqual(bytes)
  expect(new Set(bytes).size).toBe(256)
})
