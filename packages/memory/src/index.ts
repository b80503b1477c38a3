import {
  ConflictError,
  defineAdapter,
  type Document,
  type RecordBatch,
  type ResolvedListing,
  type ResolvedRange,
  type StorageAdapter,
} from '@sessiontree/core'

/** What several handles of {@link memory} share: the logs and documents of one store. */
export class MemoryStore {
  /** Records by log; a dropped log keeps its name with no records, so that a late append cannot bring it back. */
  readonly logs: Map<string, string[]> = new Map()
  readonly dropped: Set<string> = new Set()
  readonly documents: Map<string, Document> = new Map()
  readonly watchers: Map<string, Set<{ readonly wake: () => void }>> = new Map()
  /** Counts every put of this store: a version never returns, not even after `remove`. */
  puts = 0
}

/** Options of {@link memory}. */
export interface MemoryOptions {
  /** The store to open another handle on. Default: a new, empty one. */
  readonly store?: MemoryStore
}

const PAGE = 1000

/**
 * Opens a handle on sessions kept in this process's memory: for tests, edge isolates and things that need not last.
 *
 * Contract
 * - Everything of `StorageAdapter`, with durability `"none"`: gone with the last reference to the store.
 * - Handles on one {@link MemoryStore} see each other's writes at once.
 *
 * @example
 * const store = new MemoryStore()
 * const one = memory({ store })
 * const other = memory({ store })
 */
export function memory(options: MemoryOptions = {}): StorageAdapter {
  const store = options.store ?? new MemoryStore()
  const watching = new Set<() => void>()
  return defineAdapter({
    name: 'memory',
    capabilities: { durability: 'none', sharing: 'handle', watch: true },

    async append(log, at, records) {
      const stored = store.logs.get(log)
      const length = stored?.length ?? 0
      if (length !== at || store.dropped.has(log)) {
        throw new ConflictError(
          `Log ${log} holds ${length} records, not ${at}; read the new ones, then append again.`,
          {
            atLeast: length,
          },
        )
      }
      if (stored) stored.push(...records)
      else store.logs.set(log, records as string[])
      const watchers = store.watchers.get(log)
      for (const watcher of watchers ?? []) {
        void Promise.resolve().then(() => {
          if (watchers?.has(watcher)) watcher.wake()
        })
      }
    },

    async *read(log, range) {
      yield* batches(store.logs.get(log) ?? [], range)
    },

    async drop(log, forget) {
      const bytes = (store.logs.get(log) ?? []).reduce((sum, record) => sum + bytesOf(record), 0)
      if (store.logs.delete(log)) store.dropped.add(log)
      if (forget) store.dropped.delete(log)
      return { bytes }
    },

    async *logs(prefix, listing) {
      yield* pages(below(store.logs.keys(), prefix, listing))
    },

    async get(key) {
      return store.documents.get(key)
    },

    async put(key, value, expect) {
      assertVersion(store, key, expect)
      const version = String(++store.puts)
      store.documents.set(key, Object.freeze({ value, version }))
      return version
    },

    async remove(key, expect) {
      if (expect !== undefined) assertVersion(store, key, expect)
      const bytes = bytesOf(store.documents.get(key)?.value ?? '')
      store.documents.delete(key)
      return { bytes }
    },

    async *keys(prefix, listing) {
      yield* pages(below(store.documents.keys(), prefix, listing))
    },

    watch(log, wake, signal) {
      const watchers = store.watchers.get(log) ?? new Set()
      const watcher = { wake }
      store.watchers.set(log, watchers.add(watcher))
      const end = () => {
        watchers.delete(watcher)
        watching.delete(end)
      }
      watching.add(end)
      signal.addEventListener('abort', end, { once: true })
    },

    async close() {
      for (const end of watching) end()
    },
  })
}

// An array only ever grows, and a dropped one stays with whoever reads it: its length at the first pull is the snapshot.
function* batches(records: readonly string[], range: ResolvedRange): Generator<RecordBatch> {
  const end = Math.min(range.to, records.length)
  const low = range.reverse ? Math.max(range.from, end - range.limit) : range.from
  const high = range.reverse ? end : Math.min(end, range.from + range.limit)
  if (range.reverse) {
    for (let to = high; to > low; to -= PAGE) yield batch(records, Math.max(low, to - PAGE), to)
  } else {
    for (let at = low; at < high; at += PAGE) yield batch(records, at, Math.min(high, at + PAGE))
  }
}

const batch = (records: readonly string[], at: number, to: number): RecordBatch => ({
  at,
  records: records.slice(at, to),
})

/** Bytes of UTF-8 of a well-formed text; each half of a surrogate pair stands for two. */
function bytesOf(text: string): number {
  let bytes = text.length
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i)
    if (unit > 0x7f) bytes += unit > 0x7ff && (unit < 0xd800 || unit > 0xdfff) ? 2 : 1
  }
  return bytes
}

function assertVersion(store: MemoryStore, key: string, expect: string): void {
  const version = store.documents.get(key)?.version ?? 'absent'
  if (version === expect) return
  throw new ConflictError(`Document ${key} is at version ${version}, not ${expect}; read it again, then decide.`)
}

function below(names: Iterable<string>, prefix: string, { after, limit }: ResolvedListing): string[] {
  const start = prefix === '' ? '' : `${prefix}/`
  return [...names]
    .filter((name) => name.startsWith(start) && name > after)
    .toSorted((a, b) => (a < b ? -1 : 1))
    .slice(0, limit)
}

function* pages(names: readonly string[]): Generator<readonly string[]> {
  for (let at = 0; at < names.length; at += PAGE) yield names.slice(at, at + PAGE)
}
