import { caseById, runCase } from '@sessiontree/contract'
import { brokenDatabases, survival } from './broken-databases.ts'
import { indexedDbHarness } from './harness.ts'

/** How a case ended; an error object would lose its class on the way. */
export type WorkerAnswer =
  | { readonly passed: true; readonly skipped: string | undefined }
  | { readonly passed: false; readonly message: string; readonly stack: string }

const harness = indexedDbHarness('dedicated worker')

// The id of a case, or the name of a fault, and a port for the answer.
self.addEventListener('message', ({ data, ports: [port] }: MessageEvent<string>) => {
  void answer(data).then((message) => port?.postMessage(message))
})

async function answer(id: string): Promise<WorkerAnswer> {
  try {
    const broken = brokenDatabases.find(({ name }) => name === id)
    if (broken) {
      const survived = await survival('dedicated worker', broken)
      if (survived !== undefined) throw new Error(survived)
      return { passed: true, skipped: undefined }
    }
    const { skipped } = await runCase(harness, caseById(id))
    return { passed: true, skipped }
  } catch (error) {
    return { passed: false, message: String(error), stack: error instanceof Error ? `${error.stack}` : '' }
  }
}
