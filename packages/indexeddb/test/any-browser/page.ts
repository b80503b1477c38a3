import { cases, runCase, sessionContract, systemsContract, type ContractCase } from '@sessiontree/contract'
import { brokenDatabases, survival, type BrokenDatabase } from '../broken-databases.ts'
import { indexedDbHarness } from '../harness.ts'
import type { WorkerAnswer } from '../worker.ts'

/** How a case ended, in the window or in the worker; the last message of a run names the browser. */
export type Report =
  | (WorkerAnswer & { readonly place: string; readonly id: string; readonly seconds: number })
  | { readonly browser: string }

// What takes longer than this hangs, also on a slow machine.
const LIMIT = 240_000

const harness = indexedDbHarness('window')
const worker = new Worker('/worker.js', { type: 'module' })
const wanted = new URLSearchParams(location.search).get('cases') ?? ''

const isWanted = (id: string) => wanted === '' || wanted.split(',').some((prefix) => id.startsWith(prefix))
const contract = [...cases, ...sessionContract, ...systemsContract].filter(({ id }) => isWanted(id))
const faults = brokenDatabases.filter(({ name }) => isWanted(name))

for (const one of contract) await report('window', one.id, () => inWindow(one))
for (const one of faults) await report('window', one.name, () => breakInWindow(one))
for (const { id } of contract) await report('worker', id, () => inWorker(id))
for (const { name } of faults) await report('worker', name, () => inWorker(name))
await send({ browser: navigator.userAgent })

async function inWindow(one: ContractCase): Promise<WorkerAnswer> {
  return { passed: true, ...(await runCase(harness, one)) }
}

async function breakInWindow(broken: BrokenDatabase): Promise<WorkerAnswer> {
  const survived = await survival('window', broken)
  return survived === undefined ? { passed: true, skipped: undefined } : { passed: false, message: survived, stack: '' }
}

function inWorker(id: string): Promise<WorkerAnswer> {
  const { port1, port2 } = new MessageChannel()
  worker.postMessage(id, [port2])
  return new Promise((resolve, reject) => {
    worker.addEventListener('error', ({ message }) => reject(new Error(message)), { once: true })
    port1.addEventListener('message', ({ data }) => resolve(data as WorkerAnswer), { once: true })
    port1.start()
  })
}

async function report(place: string, id: string, run: () => Promise<WorkerAnswer>): Promise<void> {
  const start = performance.now()
  const hung = new Promise<never>((_, reject) =>
    setTimeout(() => reject(new Error(`no answer in ${LIMIT / 1000} s`)), LIMIT),
  )
  hung.catch(() => {})
  const failed = (error: unknown) => ({ passed: false, message: String(error), stack: '' }) as const
  const answer = await Promise.race([run(), hung]).catch(failed)
  await send({ ...answer, place, id, seconds: (performance.now() - start) / 1000 })
}

async function send(message: Report): Promise<void> {
  await fetch('/report', { method: 'POST', body: JSON.stringify(message) })
}
