import { contractSuite } from '@sessiontree/contract/vitest'
import { memory, MemoryStore } from '@sessiontree/memory'

contractSuite({
  name: 'memory',
  async create() {
    const store = new MemoryStore()
    return { open: async () => memory({ store }), destroy: async () => {} }
  },
})
