import { caseById, runCase } from '@sessiontree/contract'
import { memory, MemoryStore } from '@sessiontree/memory'

const harness = {
  name: 'memory in a worker',
  async create() {
    const store = new MemoryStore()
    return { open: async () => memory({ store }), destroy: async () => {} }
  },
}

// Answers the id of a case with nothing, or with what went wrong.
self.addEventListener('message', ({ data }: MessageEvent<string>) => {
  void runCase(harness, caseById(data))
    .then(() => undefined, String)
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- that is for windows
    .then((answer) => self.postMessage(answer))
})
