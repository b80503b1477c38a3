import type { Clock, StorageAdapter } from '@sessiontree/core'
import { deleteDB, wrap, type IDBPDatabase } from 'idb'
import { onTestFinished } from 'vitest'
import { indexedDb, type IndexedDbOptions } from '../src/index.ts'
import { factoryWith } from './factory.ts'

/** A database of one test: handles that are closed, and a database that is deleted, when it ends. */
export interface Rig {
  readonly name: string
  /** Opens one more handle. `onTransaction` sees every transaction of it. */
  readonly open: (options?: IndexedDbOptions, onTransaction?: (transaction: IDBTransaction) => void) => StorageAdapter
  /** Opens the database past the adapter. */
  readonly raw: (version?: number, onUpgrade?: (database: IDBDatabase) => void) => Promise<IDBPDatabase>
}

export function rig(): Rig {
  const name = `test-${crypto.randomUUID()}`
  const closing: (() => unknown)[] = []
  onTestFinished(async () => {
    for (const close of closing) await close()
    await deleteDB(name)
  })
  return {
    name,
    open(options, onTransaction = () => {}) {
      const adapter = indexedDb(name, { indexedDB: factoryWith(onTransaction), ...options })
      closing.push(() => adapter.close())
      return adapter
    },
    async raw(version, onUpgrade = () => {}) {
      const request = indexedDB.open(name, version)
      request.addEventListener('upgradeneeded', () => onUpgrade(request.result))
      const database = (await wrap(request as IDBRequest<IDBDatabase>)) as unknown as IDBPDatabase
      closing.push(() => database.close())
      return database
    },
  }
}

/** Counts what a handle does. */
export class Count {
  transactions = 0
  readonly see = (): void => {
    this.transactions++
  }

  /** The number of transactions that `work` takes. */
  async of(work: () => Promise<unknown>): Promise<number> {
    const before = this.transactions
    await work()
    return this.transactions - before
  }
}

/** A clock that stands until it is told. */
export class HandClock implements Clock {
  #now = 0
  readonly #timers = new Map<() => void, number>()
  now = (): number => this.#now
  elapsed = (): number => this.#now
  timer(milliseconds: number, wake: () => void): () => void {
    this.#timers.set(wake, this.#now + milliseconds)
    return () => this.#timers.delete(wake)
  }
  get waiting(): number {
    return this.#timers.size
  }
  pass(milliseconds: number): void {
    this.#now += milliseconds
    for (const [wake, at] of this.#timers) {
      if (at > this.#now) continue
      this.#timers.delete(wake)
      wake()
    }
  }
}

export async function collect<Item>(items: AsyncIterable<Item>): Promise<Item[]> {
  const collected: Item[] = []
  for await (const item of items) collected.push(item)
  return collected
}
