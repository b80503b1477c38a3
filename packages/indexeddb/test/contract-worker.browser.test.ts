import { cases, sessionContract, systemsContract, type ContractCase } from '@sessiontree/contract'
import { afterAll, describe, test } from 'vitest'
import { brokenDatabases } from './broken-databases.ts'
import type { WorkerAnswer } from './worker.ts'

// One worker for all cases: each has a database of its own, and a worker takes longer to load than most cases to run.
const worker = new Worker(new URL('./worker.ts', import.meta.url), { type: 'module' })
afterAll(() => worker.terminate())

// What nobody catches in it fails every case from there on.
const broken = new Promise<never>((_, reject) => {
  worker.addEventListener('error', ({ message }) => reject(new Error(`worker: ${message || 'did not start'}`)))
})
broken.catch(() => {})

describe('adapter contract: indexeddb (dedicated worker)', () => cases.forEach(register))
describe('session contract: indexeddb (dedicated worker)', () => sessionContract.forEach(register))
describe('systems contract: indexeddb (dedicated worker)', () => systemsContract.forEach(register))

describe('broken databases: indexeddb (dedicated worker)', () => {
  for (const { killedBy, name } of brokenDatabases) registerAs(`${killedBy} kills "${name}"`, name)
})

function register({ id, title }: ContractCase): void {
  registerAs(`${id}: ${title}`, id)
}

function registerAs(title: string, id: string): void {
  test(title, { timeout: 240_000 }, async (context) => {
    const answer = await runInWorker(id)
    if (!answer.passed) throw Object.assign(new Error(answer.message), { stack: answer.stack })
    if (answer.skipped !== undefined) context.skip(answer.skipped)
  })
}

function runInWorker(id: string): Promise<WorkerAnswer> {
  const { port1, port2 } = new MessageChannel()
  const answered = new Promise<WorkerAnswer>((resolve) => {
    port1.addEventListener('message', ({ data }) => resolve(data as WorkerAnswer), { once: true })
  })
  port1.start()
  worker.postMessage(id, [port2])
  return Promise.race([answered, broken])
}
