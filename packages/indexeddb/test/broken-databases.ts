import { AssertionError, caseById, runCase } from '@sessiontree/contract'
import { SessionError } from '@sessiontree/core'
import { indexedDbHarness } from './harness.ts'

/** A browser's database with one fault, and the case that must notice it. */
export interface BrokenDatabase {
  readonly killedBy: string
  readonly name: string
  /** Plants the fault in a transaction that has just begun. */
  readonly plant: (transaction: IDBTransaction) => void
}

/** Plants a fault in a store that a transaction opens. */
function inStore(name: string, plant: (store: IDBObjectStore) => void): BrokenDatabase['plant'] {
  return (transaction) => {
    const open = transaction.objectStore.bind(transaction)
    transaction.objectStore = (wanted) => {
      const store = open(wanted)
      if (wanted === name) plant(store)
      return store
    }
  }
}

const inDocuments = (plant: (store: IDBObjectStore) => void) => inStore('documents', plant)
const inRecords = (plant: (store: IDBObjectStore) => void) => inStore('records', plant)

/** Does a write as `change` wants it. */
function writing(change: (value: unknown, key: IDBValidKey | undefined) => unknown) {
  return (store: IDBObjectStore) => {
    for (const name of ['add', 'put'] as const) {
      const write = store[name].bind(store)
      store[name] = (value: unknown, key) => write(change(value, key), key)
    }
  }
}

function rollBack(transaction: IDBTransaction): void {
  if (transaction.mode !== 'readwrite') return
  transaction.commit = () => {
    transaction.addEventListener('abort', (event) => {
      event.stopImmediatePropagation()
      transaction.dispatchEvent(new Event('complete'))
    })
    transaction.abort()
  }
}

/** Faults of the real database, below the adapter: what the contract says here, it does not say because of a fake. */
export const brokenDatabases: readonly BrokenDatabase[] = [
  { killedBy: 'handles/see', name: 'a commit is acknowledged and rolled back', plant: rollBack },
  { killedBy: 'session/two-handles', name: 'what another handle is to see was rolled back', plant: rollBack },
  {
    killedBy: 'append/batch',
    name: 'of a batch every other record is written',
    plant: inRecords((store) => {
      const add = store.add.bind(store)
      store.add = (value, key) =>
        (key as [string, number])[1] % 2 === 0 ? add(value, key) : (store.count() as IDBRequest<IDBValidKey>)
    }),
  },
  {
    killedBy: 'text/kept',
    name: 'texts are normalised',
    plant: inRecords(writing((value) => (typeof value === 'string' ? value.normalize('NFKC') : value))),
  },
  {
    killedBy: 'text/large',
    name: 'a large text is cut',
    plant: inStore(
      'large',
      writing((value) => (value as string).slice(0, 65_536)),
    ),
  },
  {
    killedBy: 'read/ranges',
    name: 'of the records asked for the last one is left out',
    plant: inRecords((store) => {
      const ask = (store as unknown as { getAllRecords: (options: { count: number }) => IDBRequest }).getAllRecords
      Object.assign(store, {
        getAllRecords: (options: { count: number }) =>
          ask.call(store, { ...options, count: Math.max(1, options.count - 1) }),
      })
    }),
  },
  {
    killedBy: 'drop/gone',
    name: 'a drop leaves the records',
    plant: inRecords((store) => void (store.delete = () => store.count() as unknown as IDBRequest<undefined>)),
  },
  {
    killedBy: 'document/versions',
    name: 'a version is given twice',
    plant: inDocuments(writing((value) => ({ ...(value as object), version: 'the same' }))),
  },
  {
    killedBy: 'list/keys',
    name: 'a list stops one early',
    plant: inDocuments((store) => {
      const ask = store.getAllKeys.bind(store)
      store.getAllKeys = (query, count) => ask(query, Math.max(1, (count ?? 1000) - 1))
    }),
  },
  {
    killedBy: 'cost/read',
    name: 'whoever looks for the end of a log reads all of it',
    plant: inRecords((store) => {
      const open = store.openKeyCursor.bind(store)
      store.openKeyCursor = (query, direction) => {
        // Appends are spared, else filling the log would take a minute.
        if (store.transaction.mode === 'readonly') store.getAll(query)
        return open(query, direction)
      }
    }),
  },
]

/** How the case that must notice a fault ends: undefined if it says what is wrong. */
export async function survival(place: string, { killedBy, plant }: BrokenDatabase): Promise<string | undefined> {
  try {
    const { skipped } = await runCase(indexedDbHarness(place, plant), caseById(killedBy))
    return skipped ?? 'it survived'
  } catch (error) {
    const first: unknown = error instanceof AggregateError ? error.errors[0] : error
    return first instanceof AssertionError || SessionError.is(first) ? undefined : String(first)
  }
}
