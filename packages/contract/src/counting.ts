import { utf8Length, type StorageAdapter } from '@sessiontree/core'
import { delegate } from './delegate.ts'

/** What went through an adapter. Calls count when they start, what they carry when it has succeeded. */
export interface Counts {
  append: { calls: number; records: number; bytes: number }
  /** A read counts as a call at its first pull, its records as they are delivered. */
  read: { calls: number; batches: number; records: number; bytes: number }
  drop: { calls: number }
  logs: { calls: number; pages: number; names: number }
  get: { calls: number; documents: number; bytes: number }
  put: { calls: number; documents: number; bytes: number }
  remove: { calls: number }
  keys: { calls: number; pages: number; names: number }
}

/** An adapter and what went through it. */
export interface Counting {
  readonly adapter: StorageAdapter
  /** Live: read it, or copy it before the next call. */
  readonly counts: Counts
  /** Sets every count back to zero. */
  readonly reset: () => void
}

/**
 * Wraps an adapter so that every operation on it is counted; what it does stays the same.
 *
 * Contract
 * - Counts what the caller of this adapter asked for, not what the store did underneath (system calls, requests).
 * - Bytes are bytes of UTF-8: of records appended and delivered, of documents put and got. A rejected call counts as a call and nothing more.
 * - Passes everything on unchanged: the contract suite passes through it.
 *
 * @example
 * const { adapter, counts, reset } = counting(memory())
 * const session = await openSessions(adapter).create('s')
 * reset()
 * await session.append({ role: 'user', content: 'hello' })
 * console.log(counts.append.calls)
 */
export function counting(adapter: StorageAdapter): Counting {
  const counts = zero()
  const counted = delegate(adapter, {
    async append(log, at, records, options) {
      counts.append.calls++
      // The caller may change its array while the append is under way.
      const [length, bytes] = [records.length, bytesOf(records)]
      await adapter.append(log, at, records, options)
      counts.append.records += length
      counts.append.bytes += bytes
    },
    async *read(log, range) {
      counts.read.calls++
      for await (const batch of adapter.read(log, range)) {
        counts.read.batches++
        counts.read.records += batch.records.length
        counts.read.bytes += bytesOf(batch.records)
        yield batch
      }
    },
    drop(...args) {
      counts.drop.calls++
      return adapter.drop(...args)
    },
    logs: (...args) => listing(counts.logs, () => adapter.logs(...args)),
    async get(...args) {
      counts.get.calls++
      const document = await adapter.get(...args)
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
    remove(...args) {
      counts.remove.calls++
      return adapter.remove(...args)
    },
    keys: (...args) => listing(counts.keys, () => adapter.keys(...args)),
  })
  const reset = () => {
    const fresh: Readonly<Record<string, object>> = { ...zero() }
    for (const [operation, count] of Object.entries(counts)) Object.assign(count as object, fresh[operation])
  }
  return { adapter: counted, counts, reset }
}

function zero(): Counts {
  return {
    append: { calls: 0, records: 0, bytes: 0 },
    read: { calls: 0, batches: 0, records: 0, bytes: 0 },
    drop: { calls: 0 },
    logs: { calls: 0, pages: 0, names: 0 },
    get: { calls: 0, documents: 0, bytes: 0 },
    put: { calls: 0, documents: 0, bytes: 0 },
    remove: { calls: 0 },
    keys: { calls: 0, pages: 0, names: 0 },
  }
}

async function* listing(
  count: Counts['keys'],
  open: () => AsyncIterable<readonly string[]>,
): AsyncGenerator<readonly string[]> {
  count.calls++
  for await (const page of open()) {
    count.pages++
    count.names += page.length
    yield page
  }
}

const bytesOf = (records: readonly string[]) => records.reduce((sum, record) => sum + utf8Length(record), 0)
