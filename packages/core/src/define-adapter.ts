import type {
  Capabilities,
  Document,
  ForgetOptions,
  ListOptions,
  OperationOptions,
  PutOptions,
  ReadRange,
  RecordBatch,
  Removal,
  RemoveOptions,
  StorageAdapter,
} from './adapter.ts'
import {
  checkAppend,
  checkDocument,
  checkName,
  checkPrefix,
  checkVersion,
  resolveListing,
  resolveRange,
  type ResolvedListing,
  type ResolvedRange,
} from './check.ts'
import { InFlight } from './in-flight.ts'
import { throwIfAborted, type Signal } from './runtime.ts'

/**
 * The part of an adapter that touches storage. {@link defineAdapter} checks names, texts and ranges before it is called,
 * counts what is in flight, and never calls it again once `close` began.
 */
export interface StorageBackend {
  readonly name: string
  readonly capabilities: Capabilities
  append(log: string, at: number, records: readonly string[], signal: Signal | undefined): Promise<void>
  read(log: string, range: ResolvedRange): AsyncIterable<RecordBatch>
  drop(log: string, forget: boolean, signal: Signal | undefined): Promise<Removal | void>
  logs(prefix: string, listing: ResolvedListing): AsyncIterable<readonly string[]>
  get(key: string, signal: Signal | undefined): Promise<Document | undefined>
  put(key: string, value: string, expect: string, signal: Signal | undefined, forget: boolean): Promise<string>
  remove(key: string, expect: string | undefined, forget: boolean, signal: Signal | undefined): Promise<Removal | void>
  keys(prefix: string, listing: ResolvedListing): AsyncIterable<readonly string[]>
  watch?(log: string, wake: () => void, signal: Signal): void
  /** Starts work that `close` must end; see `StorageAdapter.prepare`. */
  prepare?(log: string, range: ResolvedRange): void
  /** Called once, after everything in flight has settled. */
  close(): Promise<void>
}

/**
 * Makes a {@link StorageAdapter} of a {@link StorageBackend}, so that an adapter is nothing but its storage.
 *
 * Contract
 * - Checks every argument before the backend is called (`TypeError`), then the signal, then that the handle is open
 *   (`CLOSED`).
 * - Copies `records` before the first await: the caller may reuse the array at once.
 * - `close()` waits for every call and every step of an iterator in flight, ends the iterators that are idle, then calls the backend's
 *   `close` once.
 * - `capabilities` are frozen; `watch` exists exactly when they say so.
 */
export function defineAdapter(backend: StorageBackend): StorageAdapter {
  const { name } = backend
  const capabilities = Object.freeze({ ...backend.capabilities })
  if (capabilities.watch !== (backend.watch !== undefined)) {
    throw new TypeError(`${name}: capabilities.watch must say whether watch() is there`)
  }
  const inFlight = new InFlight(`${name} handle`)
  const openIterators = new Set<AsyncIterator<unknown>>()

  async function* steps<Item>(signal: Signal | undefined, open: () => AsyncIterable<Item>): AsyncGenerator<Item> {
    throwIfAborted(signal)
    inFlight.assertOpen()
    const iterator = open()[Symbol.asyncIterator]()
    let finished = false
    openIterators.add(iterator)
    try {
      while (true) {
        throwIfAborted(signal)
        const step = await inFlight.run(() => iterator.next())
        if (step.done) {
          finished = true
          return
        }
        yield step.value
      }
    } finally {
      openIterators.delete(iterator)
      if (!finished) await inFlight.finish(async () => iterator.return?.())
    }
  }

  const adapter: StorageAdapter = {
    contract: 1,
    name,
    capabilities,
    async append(log: string, at: number, records: readonly string[], options: OperationOptions = {}) {
      checkName(log, 'log')
      checkAppend(at, records)
      throwIfAborted(options.signal)
      const copy = [...records]
      await inFlight.run(() => backend.append(log, at, copy, options.signal))
    },
    read(log: string, range?: ReadRange) {
      checkName(log, 'log')
      const resolved = resolveRange(range)
      return steps(resolved.signal, () => backend.read(log, resolved))
    },
    async drop(log: string, options: ForgetOptions = {}) {
      checkName(log, 'log')
      throwIfAborted(options.signal)
      return inFlight.run(() => backend.drop(log, options.forget === true, options.signal))
    },
    logs(prefix: string, options?: ListOptions) {
      checkPrefix(prefix)
      const listing = resolveListing(options)
      return steps(listing.signal, () => backend.logs(prefix, listing))
    },
    async get(key: string, options: OperationOptions = {}) {
      checkName(key, 'key')
      throwIfAborted(options.signal)
      return inFlight.run(() => backend.get(key, options.signal))
    },
    async put(key: string, value: string, options: PutOptions) {
      checkName(key, 'key')
      checkDocument(value)
      checkVersion(options?.expect, 'put')
      throwIfAborted(options.signal)
      return inFlight.run(() => backend.put(key, value, options.expect, options.signal, options.forget === true))
    },
    async remove(key: string, options: RemoveOptions = {}) {
      checkName(key, 'key')
      const { expect, forget = false, signal } = options
      if (expect !== undefined) checkVersion(expect, 'remove')
      throwIfAborted(signal)
      return inFlight.run(() => backend.remove(key, expect, forget, signal))
    },
    keys(prefix: string, options?: ListOptions) {
      checkPrefix(prefix)
      const listing = resolveListing(options)
      return steps(listing.signal, () => backend.keys(prefix, listing))
    },
    close() {
      return inFlight.close(async () => {
        // An abandoned loop never comes back to release what its read holds.
        await Promise.allSettled(Array.from(openIterators, async (iterator) => iterator.return?.()))
        await backend.close()
      })
    },
    [Symbol.asyncDispose]() {
      return adapter.close()
    },
  }
  if (backend.watch) {
    adapter.watch = (log, wake, signal) => {
      checkName(log, 'log')
      if (signal.aborted) return
      inFlight.assertOpen()
      backend.watch?.(log, wake, signal)
    }
  }
  if (backend.prepare) {
    adapter.prepare = (log, range) => {
      checkName(log, 'log')
      const resolved = resolveRange(range)
      if (resolved.signal?.aborted) return
      inFlight.assertOpen()
      backend.prepare?.(log, resolved)
    }
  }
  return Object.freeze(adapter)
}
