import { expect, test } from 'vitest'
import { defineAdapter, type StorageBackend } from '../src/index.ts'

/** A backend that says what happens to it. */
function observed(happened: string[]): StorageBackend {
  const pause = () => new Promise<void>((resolve) => setTimeout(resolve, 5))
  return {
    name: 'observed',
    capabilities: { durability: 'none', sharing: 'handle', watch: false },
    async append() {
      await pause()
      happened.push('appended')
    },
    async *read() {
      try {
        for (let at = 0; ; at++) yield { at, records: ['1'] }
      } finally {
        await pause()
        happened.push('read ended')
      }
    },
    drop: async () => {},
    async *logs() {},
    get: async () => undefined,
    put: async () => '1',
    remove: async () => {},
    async *keys() {},
    async close() {
      happened.push('closed')
    },
  }
}

test('close waits for what is under way and ends the reads that are idle, then closes the backend once', async () => {
  const happened: string[] = []
  const adapter = defineAdapter(observed(happened))
  const idle = adapter.read('log')[Symbol.asyncIterator]()
  await idle.next()
  const append = adapter.append('log', 0, ['1'])
  await Promise.all([adapter.close(), adapter.close()])
  expect(happened).toEqual(['appended', 'read ended', 'closed'])
  await append
  await expect(idle.next()).rejects.toMatchObject({ code: 'CLOSED' })
})

test('leaving a loop ends the read, also while the handle closes', async () => {
  const happened: string[] = []
  const adapter = defineAdapter(observed(happened))
  const leaving = (async () => {
    for await (const { at } of adapter.read('log')) if (at === 2) break
  })()
  await new Promise((resolve) => setTimeout(resolve, 1))
  await adapter.close()
  await leaving
  expect(happened).toEqual(['read ended', 'closed'])
})

test('capabilities are frozen and must be true about watch', () => {
  const backend = observed([])
  expect(Object.isFrozen(defineAdapter(backend).capabilities)).toBe(true)
  expect(() => defineAdapter({ ...backend, capabilities: { ...backend.capabilities, watch: true } })).toThrow(TypeError)
  expect(() => defineAdapter({ ...backend, watch: () => {} })).toThrow(TypeError)
})
