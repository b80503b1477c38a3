import type { Costs, Harness, WriteOperation } from '@sessiontree/contract'
import { deleteDB, openDB } from 'idb'
import { indexedDb } from '../src/index.ts'
import { factoryWith } from './factory.ts'
import { ObservedPlace } from './observed-place.ts'

/** A new database for every store; `prepare` sees every transaction of its handles first. */
export function indexedDbHarness(place: string, prepare?: (transaction: IDBTransaction) => void): Harness {
  return {
    name: `indexeddb (${place})`,
    lacks: {
      openFailingNextFlush: 'the browser flushes, and tells by the transaction: a failed commit is a lost answer',
    },
    async create() {
      const name = `contract-${crypto.randomUUID()}`
      const observed = new ObservedPlace(prepare)
      const raw = async (work: (database: Awaited<ReturnType<typeof openDB>>) => Promise<unknown>) => {
        const database = await openDB(name)
        await work(database).finally(() => database.close())
      }
      return {
        open: async () => indexedDb(name, { indexedDB: observed.factory() }),
        openLosingNextAnswer: async (operation: WriteOperation) =>
          indexedDb(name, { indexedDB: factoryWith(loseNextAnswer(operation === 'append' ? 'records' : 'documents')) }),
        async damage(log: string, at: number) {
          // A long text of which only the length is left: the browser lets nobody damage a row, but a row may be missing.
          await raw(async (database) => {
            await database.put('records', 20_000, [log, at])
            await database.delete('large', [log, at])
          })
          return [at]
        },
        damageDocument: (key: string) => raw((database) => database.put('documents', { damaged: true }, key)),
        vanish: () => deleteDB(name),
        crash: () => observed.crash(),
        costs: (): Costs => observed.costs,
        destroy: () => deleteDB(name),
      }
    },
  }
}

/** The browser commits, and then reports an abort: what is left of a commit when its process dies before the answer. */
function loseNextAnswer(store: 'records' | 'documents'): (transaction: IDBTransaction) => void {
  let lost = false
  return (transaction) => {
    if (lost || transaction.mode !== 'readwrite' || !transaction.objectStoreNames.contains(store)) return
    lost = true
    transaction.addEventListener('complete', (event) => {
      event.stopImmediatePropagation()
      transaction.dispatchEvent(new Event('abort'))
    })
  }
}
