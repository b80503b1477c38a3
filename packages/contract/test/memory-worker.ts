import { caseById, runCase } from '@sessiontree/contract'
import { memory, MemoryStore } from '@sessiontree/memory'

const harness = {
  name: 'memory in a worker',
  async create() {
    const store = new MemoryStore()
    return { open: async () => memory({ store }), destroy: async () => {} }
  },
}

/** How a case ended: why it was skipped, what went wrong, or neither. */
export interface WorkerAnswer {
  readonly skipped?: string | undefined
  readonly failure?: string
}

self.addEventListener('message', ({ data }: MessageEvent<string>) => {
  void runCase(harness, caseById(data))
    .catch((error: unknown): WorkerAnswer => ({ failure: String(error) }))
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- that is for windows
    .then((answer: WorkerAnswer) => self.postMessage(answer))
})
