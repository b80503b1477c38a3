import { cases } from '@sessiontree/contract'
import { contractSuite } from '@sessiontree/contract/vitest'
import { memory, MemoryStore } from '@sessiontree/memory'
import { afterAll, describe, expect, test } from 'vitest'
import type { WorkerAnswer } from './memory-worker.ts'

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
    test(id, { timeout: 120_000 }, async (context) => {
      const answer = await new Promise<WorkerAnswer>((resolve, reject) => {
        worker.addEventListener('message', ({ data }) => resolve(data as WorkerAnswer), { once: true })
        worker.addEventListener('error', reject, { once: true })
        // oxlint-disable-next-line unicorn/require-post-message-target-origin -- that is for windows
        worker.postMessage(id)
      })
      expect(answer.failure).toBeUndefined()
      if (answer.skipped !== undefined) context.skip(answer.skipped)
    })
  }
})
