import { cases, runCase, sessionContract, type ContractCase } from '@sessiontree/contract'
import { contractSuite, sessionSuite, systemsSuite } from '@sessiontree/contract/vitest'
import { describe, test } from 'vitest'
import { withoutGetAllRecords } from './factory.ts'
import { indexedDbHarness } from './harness.ts'
import type { WorkerAnswer } from './worker.ts'

contractSuite(indexedDbHarness('window'))
sessionSuite(indexedDbHarness('window'))
systemsSuite(indexedDbHarness('window'))

describe('adapter contract: indexeddb (window without getAllRecords), what reads', () => {
  const harness = indexedDbHarness('window without getAllRecords', withoutGetAllRecords)
  const reads = ({ rules }: ContractCase) => rules.some((rule) => rule.startsWith('read'))
  for (const one of cases.filter(reads)) {
    test(`${one.id}: ${one.title}`, { timeout: 120_000 }, async (context) => {
      const { skipped } = await runCase(harness, one)
      if (skipped !== undefined) context.skip(skipped)
    })
  }
})

describe('adapter contract: indexeddb (dedicated worker)', () => cases.forEach(registerInWorker))
describe('session contract: indexeddb (dedicated worker)', () => sessionContract.forEach(registerInWorker))

function registerInWorker(one: ContractCase): void {
  test(`${one.id}: ${one.title}`, { timeout: 120_000 }, async (context) => {
    const answer = await runInWorker(one.id)
    if (!answer.passed) throw Object.assign(new Error(answer.message), { stack: answer.stack })
    if (answer.skipped !== undefined) context.skip(answer.skipped)
  })
}

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
