import { cases } from '@sessiontree/contract'
import { contractSuite } from '@sessiontree/contract/vitest'
import { memory, MemoryStore } from '@sessiontree/memory'
import { afterAll, describe, expect, test } from 'vitest'

contractSuite({
  name: 'memory in a window',
  async create() {
    const store = new MemoryStore()
    return { open: async () => memory({ store }), destroy: async () => {} }
  },
})

describe('memory in a worker', () => {
  const worker = new Worker(new URL('./memory-worker.ts', import.meta.url), { type: 'module' })
  afterAll(() => worker.terminate())

  for (const { id } of cases) {
    test(id, async () => {
      const answer = await new Promise((resolve, reject) => {
        worker.addEventListener('message', ({ data }) => resolve(data), { once: true })
        worker.addEventListener('error', reject, { once: true })
        // oxlint-disable-next-line unicorn/require-post-message-target-origin -- that is for windows
        worker.postMessage(id)
      })
      expect(answer).toBeUndefined()
    })
  }
})
