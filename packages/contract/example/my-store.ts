import { contractSuite } from '@sessiontree/contract/vitest'
import { memory, MemoryStore } from '@sessiontree/memory'

contractSuite({
  name: 'memory',
  async create() {
    const store = new MemoryStore() // yours: a new folder, database, bucket or prefix
    return { open: async () => memory({ store }), destroy: async () => {} }
  },
})
