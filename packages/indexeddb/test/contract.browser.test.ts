import { cases } from '@sessiontree/contract'
import { contractSuite } from '@sessiontree/contract/vitest'
import { describe, test } from 'vitest'
import { indexedDbHarness } from './harness.ts'
import type { WorkerAnswer } from './worker.ts'

contractSuite(indexedDbHarness('window'))

describe('adapter contract: indexeddb (dedicated worker)', () => {
  for (const one of cases) {
    test(`${one.id}: ${one.title}`, { timeout: 60_000 }, async () => {
      const answer = await runInWorker(one.id)
      if (!answer.passed) throw Object.assign(new Error(answer.message), { stack: answer.stack })
    })
  }
})

async function runInWorker(id: string): Promise<WorkerAnswer> {
  const worker = new Worker(new URL('./worker.ts', import.meta.url), { type: 'module', name: id })
  try {
    return await new Promise((resolve, reject) => {
      worker.addEventListener('message', ({ data }) => resolve(data as WorkerAnswer))
      worker.addEventListener('error', (event) => reject(new Error(`worker: ${event.message || 'did not start'}`)))
    })
  } finally {
    worker.terminate()
  }
}
