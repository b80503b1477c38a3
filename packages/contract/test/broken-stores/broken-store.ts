import type { Document, StorageAdapter } from '@sessiontree/core'
import { memory, MemoryStore } from '@sessiontree/memory'
import { delegate } from '../../src/delegate.ts'
import type { Harness, TestStore } from '../../src/harness.ts'
import { MortalStore } from './mortal-store.ts'

/** A store with one fault, and the case that must notice it. */
export interface BrokenStore extends Harness {
  readonly killedBy: string
}

/** What a fault does instead of the correct adapter: called once for each handle. */
export type Fault = (handle: StorageAdapter) => Partial<StorageAdapter>

/** The memory adapter with one fault; `plant` is called once for each store. */
export function broken(killedBy: string, name: string, plant: (store: MemoryStore) => Fault): BrokenStore {
  return {
    name,
    killedBy,
    async create() {
      const store = new MemoryStore()
      const fault = plant(store)
      return { open: async () => breakHandle(memory({ store }), fault), destroy: async () => {} }
    },
  }
}

/** The memory adapter, correct but for the handle whose next answer gets lost; `fault` is called once for each such handle. */
export function brokenWhenLosing(killedBy: string, name: string, fault: Fault): BrokenStore {
  return {
    name,
    killedBy,
    async create(): Promise<TestStore> {
      const store = new MemoryStore()
      return {
        open: async () => memory({ store }),
        openLosingNextAnswer: async () => breakHandle(memory({ store }), fault),
        destroy: async () => {},
      }
    },
  }
}

/** A store that can be damaged, crash, vanish and count, with one fault; `plant` is called once for each store. */
export function brokenMortal(killedBy: string, name: string, plant: (store: MortalStore) => Fault): BrokenStore {
  return { name, killedBy, create: async () => new MortalStore(plant) }
}

function breakHandle(handle: StorageAdapter, fault: Fault): StorageAdapter {
  return delegate(handle, fault(handle))
}

/** Lets a timer pass: whatever else is ready runs before. */
export function tick(milliseconds = 0): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds))
}

/** Writes a document past every check. */
export function overwrite(store: MemoryStore, key: string, value: string, version: string): string {
  store.documents.set(key, { value, version } satisfies Document)
  return version
}

/** Adds records past every check. */
export function push(store: MemoryStore, log: string, records: readonly string[]): void {
  const stored = store.logs.get(log)
  if (stored) stored.push(...records)
  else store.logs.set(log, [...records])
}
