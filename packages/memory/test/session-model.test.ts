import { sessionModelSuite } from '@sessiontree/contract/session-model'
import { memory, MemoryStore } from '@sessiontree/memory'
import * as fc from 'fast-check'
import { inject, test } from 'vitest'

sessionModelSuite(
  {
    name: 'memory',
    async create() {
      const store = new MemoryStore()
      return { open: async () => memory({ store }), destroy: async () => {} }
    },
  },
  { test, fc, runs: inject('modelRuns') ?? 2000 },
)
