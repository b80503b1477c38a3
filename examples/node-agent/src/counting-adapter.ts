import { utf8Length, type StorageAdapter } from '@sessiontree/core'

/** What went through an adapter. Calls are counted when they start, records and bytes when they have succeeded. */
export interface OperationCounts {
  append: { calls: number; records: number; bytes: number }
  put: { calls: number; documents: number; bytes: number }
  read: { calls: number; records: number; bytes: number }
  get: { calls: number; documents: number; bytes: number }
  keys: { calls: number }
}

/** Wraps an adapter so that every operation on it is counted; what it does stays the same. */
export function countOperations(adapter: StorageAdapter): {
  readonly adapter: StorageAdapter
  readonly counts: OperationCounts
} {
  const counts: OperationCounts = {
    append: { calls: 0, records: 0, bytes: 0 },
    put: { calls: 0, documents: 0, bytes: 0 },
    read: { calls: 0, records: 0, bytes: 0 },
    get: { calls: 0, documents: 0, bytes: 0 },
    keys: { calls: 0 },
  }
  const counting: StorageAdapter = {
    contract: adapter.contract,
    name: adapter.name,
    capabilities: adapter.capabilities,

    async append(log, at, records, options) {
      counts.append.calls++
      await adapter.append(log, at, records, options)
      counts.append.records += records.length
      counts.append.bytes += sizeOf(records)
    },

    async *read(log, range) {
      counts.read.calls++
      for await (const batch of adapter.read(log, range)) {
        counts.read.records += batch.records.length
        counts.read.bytes += sizeOf(batch.records)
        yield batch
      }
    },

    async get(key, options) {
      counts.get.calls++
      const document = await adapter.get(key, options)
      if (document) {
        counts.get.documents++
        counts.get.bytes += utf8Length(document.value)
      }
      return document
    },

    async put(key, value, options) {
      counts.put.calls++
      const version = await adapter.put(key, value, options)
      counts.put.documents++
      counts.put.bytes += utf8Length(value)
      return version
    },

    keys(prefix, options) {
      counts.keys.calls++
      return adapter.keys(prefix, options)
    },

    logs(prefix, options) {
      counts.keys.calls++
      return adapter.logs(prefix, options)
    },

    remove: (key, options) => adapter.remove(key, options),
    drop: (log, options) => adapter.drop(log, options),
    ...(adapter.watch ? { watch: (log, wake, signal) => adapter.watch?.(log, wake, signal) } : {}),
    close: () => adapter.close(),
    [Symbol.asyncDispose]: () => adapter[Symbol.asyncDispose](),
  }
  return { adapter: counting, counts }
}

const sizeOf = (records: readonly string[]) => records.reduce((sum, record) => sum + utf8Length(record), 0)
