import { defineAdapter, type StorageAdapter } from '@sessiontree/core'

/** An operation that reaches the store. */
export type Operation = 'append' | 'read' | 'drop' | 'logs' | 'get' | 'put' | 'remove' | 'keys'

/** Whether an operation may change the store. */
export function isWrite(operation: Operation): boolean {
  return operation === 'append' || operation === 'put' || operation === 'remove' || operation === 'drop'
}

/** One call on its way to the store; of an iterator each step is one. */
export interface StoreCall {
  readonly operation: Operation
  /** The log, the key or the prefix. */
  readonly name: string
}

/** What happens around a call: `send` hands it to the store, at most once. */
export type Around = <Result>(call: StoreCall, send: () => Promise<Result>) => Promise<Result>

/**
 * Wraps an adapter so that every call and every step of an iterator goes through `around`, which may delay it, answer it
 * itself, or never answer.
 *
 * Contract
 * - Arguments are checked and copied before `around` sees the call: what is sent later is what the caller passed.
 * - `close` waits for what `around` has not settled, then for `beforeClose`, then closes the adapter.
 */
export function intercept(
  adapter: StorageAdapter,
  around: Around,
  beforeClose: () => Promise<void> = async () => {},
): StorageAdapter {
  const steps = <Item>(call: StoreCall, open: () => AsyncIterable<Item>): AsyncIterable<Item> => ({
    [Symbol.asyncIterator]() {
      const iterator = open()[Symbol.asyncIterator]()
      return {
        next: () => around(call, () => iterator.next()),
        async return() {
          await iterator.return?.()
          return { done: true, value: undefined }
        },
      }
    },
  })
  return defineAdapter({
    name: adapter.name,
    capabilities: adapter.capabilities,
    append: (log, at, records, signal) =>
      around({ operation: 'append', name: log }, () => adapter.append(log, at, records, { signal })),
    read: (log, range) => steps({ operation: 'read', name: log }, () => adapter.read(log, range)),
    drop: (log, forget, signal) =>
      around({ operation: 'drop', name: log }, () => adapter.drop(log, { forget, signal })),
    logs: (prefix, listing) => steps({ operation: 'logs', name: prefix }, () => adapter.logs(prefix, listing)),
    get: (key, signal) => around({ operation: 'get', name: key }, () => adapter.get(key, { signal })),
    put: (key, value, expect, signal) =>
      around({ operation: 'put', name: key }, () => adapter.put(key, value, { expect, signal })),
    remove: (key, expect, forget, signal) =>
      around({ operation: 'remove', name: key }, () => adapter.remove(key, { expect, forget, signal })),
    keys: (prefix, listing) => steps({ operation: 'keys', name: prefix }, () => adapter.keys(prefix, listing)),
    ...(adapter.prepare && { prepare: (log, range) => adapter.prepare?.(log, range) }),
    ...(adapter.watch && { watch: (log, wake, signal) => adapter.watch?.(log, wake, signal) }),
    async close() {
      await beforeClose()
      await adapter.close()
    },
  })
}

/** How a call ended; waiting for it never rejects. */
export type Settled<Result> = PromiseSettledResult<Result>

/** Waits for a call and resolves with how it ended. */
export async function settle<Result>(running: Promise<Result>): Promise<Settled<Result>> {
  const [settled] = await Promise.allSettled([running])
  return settled
}

/** Gives a caller what {@link settle} has seen. */
export function unsettle<Result>(settled: Settled<Result>): Result {
  if (settled.status === 'rejected') throw settled.reason
  return settled.value
}
