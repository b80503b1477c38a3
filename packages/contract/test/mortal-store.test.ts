import { contractSuite } from '@sessiontree/contract/vitest'
import { MortalStore } from './broken-stores/mortal-store.ts'

// The store in which faults are planted must itself be correct, or a fault would be killed by something else.
contractSuite({ name: 'the mortal store', create: async () => new MortalStore() })
