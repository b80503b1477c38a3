import { contractSuite } from '@sessiontree/contract/vitest'
import { memory, MemoryStore } from '@sessiontree/memory'
import { broken } from '../broken-stores/broken-store.ts'
import { MortalStore } from '../broken-stores/mortal-store.ts'

const correct = {
  async create() {
    const store = new MemoryStore()
    return { open: async () => memory({ store }), destroy: async () => {} }
  },
}
const unfrozen = broken('capabilities/declared', 'unfrozen', () => (handle) => ({
  capabilities: { ...handle.capabilities },
}))

contractSuite({ ...correct, name: 'correct' })
contractSuite({ name: 'able', create: async () => new MortalStore() })
contractSuite({ ...correct, name: 'healed', knownGaps: [{ id: 'append/batch', reason: 'was torn once' }] })
contractSuite({ ...correct, name: 'unknown', knownGaps: [{ id: 'append/bacth', reason: 'misspelt' }] })
contractSuite({ ...unfrozen, name: 'broken' })
contractSuite({
  ...unfrozen,
  name: 'known',
  knownGaps: [{ id: 'capabilities/declared', reason: 'frozen in the next release' }],
})
