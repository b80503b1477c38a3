import type { Harness } from '@sessiontree/contract'
import { contractSuite, sessionSuite } from '@sessiontree/contract/vitest'
import { memory, MemoryStore } from '@sessiontree/memory'

const nothingBelow = 'nothing is below this adapter: values in the memory of the process that asks'

const harness: Harness = {
  name: 'memory',
  lacks: {
    damage: nothingBelow,
    damageDocument: nothingBelow,
    vanish: nothingBelow,
    costs: nothingBelow,
    openFailingNextFlush: nothingBelow,
    crash: 'durability "none": nothing is promised to be there',
  },
  async create() {
    const store = new MemoryStore()
    return { open: async () => memory({ store }), destroy: async () => {} }
  },
}

contractSuite(harness)
sessionSuite(harness)
