import type { Costs } from '@sessiontree/contract'
import { factoryWith } from './factory.ts'

/** What all handles of one store do to its database, and the end of all of them at once. */
export class ObservedPlace {
  readonly #prepare: (transaction: IDBTransaction) => void
  readonly #spent = { operations: 0, bytesRead: 0, bytesWritten: 0 }
  #life = new Life()

  /** `prepare` sees every transaction first. */
  constructor(prepare: (transaction: IDBTransaction) => void = () => {}) {
    this.#prepare = prepare
  }

  get costs(): Costs {
    return { ...this.#spent }
  }

  /** A factory for one handle: counts its transactions and what they carry. */
  factory(): Pick<IDBFactory, 'open'> {
    const life = this.#life
    const observed = factoryWith((transaction) => {
      this.#spent.operations++
      this.#prepare(transaction)
      life.begin(transaction)
      this.#count(transaction)
    })
    return {
      open(name, version) {
        life.assertAlive()
        return observed.open(name, version)
      },
    }
  }

  /** Ends every connection as the end of the process does: what was not handed over for commit is rolled back. */
  async crash(): Promise<void> {
    const ending = this.#life
    this.#life = new Life()
    await ending.end()
  }

  #count(transaction: IDBTransaction): void {
    const open = transaction.objectStore.bind(transaction)
    const seen = new Set<IDBObjectStore>()
    transaction.objectStore = (name) => {
      const store = open(name)
      if (!seen.has(store)) this.#countIn(store)
      seen.add(store)
      return store
    }
  }

  #countIn(store: IDBObjectStore): void {
    for (const name of ['get', 'getAll', 'getAllKeys', 'getAllRecords', 'openCursor', 'openKeyCursor'] as const) {
      const ask = (store as unknown as Record<string, (...args: unknown[]) => IDBRequest<unknown>>)[name]?.bind(store)
      if (!ask) continue
      Object.assign(store, {
        [name]: (...args: unknown[]) => {
          const request = ask(...args)
          request.addEventListener('success', () => (this.#spent.bytesRead += sizeOf(request.result)))
          return request
        },
      })
    }
    for (const name of ['add', 'put'] as const) {
      const write = store[name].bind(store)
      store[name] = (value, key) => {
        this.#spent.bytesWritten += sizeOf(value) + sizeOf(key)
        return write(value, key)
      }
    }
  }
}

/** The transactions and connections of handles that die together. */
class Life {
  readonly #connections: Set<IDBDatabase> = new Set()
  readonly #running: Map<IDBTransaction, Promise<void>> = new Map()
  #alive = true

  assertAlive(): void {
    if (!this.#alive) throw new DOMException('The process is dead.', 'InvalidStateError')
  }

  begin(transaction: IDBTransaction): void {
    this.#connections.add(transaction.db)
    const ended = new Promise<void>((resolve) => {
      transaction.addEventListener('complete', () => resolve())
      transaction.addEventListener('abort', () => resolve())
    })
    this.#running.set(
      transaction,
      ended.then(() => void this.#running.delete(transaction)),
    )
    if (!this.#alive) transaction.abort()
  }

  async end(): Promise<void> {
    this.#alive = false
    for (const transaction of this.#running.keys()) {
      try {
        transaction.abort()
        // It is over now. WebKit tells nobody once the connection is closed, be it below or by the adapter.
        this.#running.delete(transaction)
      } catch {
        // It was handed over for commit, which goes on without the process.
      }
    }
    for (const connection of this.#connections) connection.close()
    await Promise.all(this.#running.values())
  }
}

/** About how many bytes a value takes: the length of its texts, eight for a number. */
function sizeOf(value: unknown): number {
  if (typeof value === 'string') return value.length
  if (typeof value === 'number') return 8
  if (value instanceof IDBCursor) return sizeOf(value.key)
  // An IDBRecord, whose fields are its prototype's.
  if ('primaryKey' in Object(value)) {
    const { key, value: content } = value as { key: unknown; value: unknown }
    return sizeOf(key) + sizeOf(content)
  }
  if (typeof value !== 'object' || value === null) return 0
  return Object.values(value).reduce((sum: number, one) => sum + sizeOf(one), 0)
}
