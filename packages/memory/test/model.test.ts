import { modelSuite } from '@sessiontree/contract/model'
import { memory, MemoryStore } from '@sessiontree/memory'
import * as fc from 'fast-check'
import { test } from 'vitest'

modelSuite(
  {
    name: 'memory',
    async create() {
      const store = new MemoryStore()
      return { open: async () => memory({ store }), destroy: async () => {} }
    },
  },
  { test, fc, runs: 300 },
)
