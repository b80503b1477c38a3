import type { Harness } from '@sessiontree/contract'
import { deleteDB } from 'idb'
import { indexedDb } from '../src/index.ts'
import { factoryWith } from './factory.ts'

/** A new database for every store. */
export function indexedDbHarness(place: string): Harness {
  return {
    name: `indexeddb (${place})`,
    async create() {
      const name = `contract-${crypto.randomUUID()}`
      return {
        open: async () => indexedDb(name),
        openLosingNextAnswer: async () => indexedDb(name, { indexedDB: factoryWith(loseNextAnswer()) }),
        destroy: () => deleteDB(name),
      }
    },
  }
}

/** The browser commits, and then reports an abort: what is left of a commit when its process dies before the answer. */
function loseNextAnswer(): (transaction: IDBTransaction) => void {
  let lost = false
  return (transaction) => {
    if (lost || transaction.mode !== 'readwrite' || !transaction.objectStoreNames.contains('records')) return
    lost = true
    transaction.addEventListener('complete', (event) => {
      event.stopImmediatePropagation()
      transaction.dispatchEvent(new Event('abort'))
    })
  }
}
