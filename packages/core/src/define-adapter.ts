import type {
  Capabilities,
  Document,
  DocumentListOptions,
  ForgetOptions,
  ListedDocument,
  ListOptions,
  OperationOptions,
  PutOptions,
  ReadRange,
  RecordBatch,
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
import { SessionError } from './errors.ts'
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
  drop(log: string, forget: boolean, signal: Signal | undefined): Promise<void>
  logs(prefix: string, listing: ResolvedListing): AsyncIterable<readonly string[]>
  get(key: string, signal: Signal | undefined): Promise<Document | undefined>
  put(key: string, value: string, expect: string, signal: Signal | undefined): Promise<string>
  remove(key: string, expect: string | undefined, forget: boolean, signal: Signal | undefined): Promise<void>
  list(prefix: string, listing: ResolvedListing): AsyncIterable<readonly ListedDocument[]>
  watch?(log: string, wake: () => void, signal: Signal): void
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
 * - `close()` waits for every call and every step of an iterator in flight, then calls the backend's `close` once.
 * - `capabilities` are frozen; `watch` exists exactly when they say so.
 */
export function defineAdapter(backend: StorageBackend): StorageAdapter {
  const { name } = backend
  const capabilities = Object.freeze({ ...backend.capabilities })
  if (capabilities.watch !== (backend.watch !== undefined)) {
    throw new TypeError(`${name}: capabilities.watch must say whether watch() is there`)
  }
  const inFlight = new Set<Promise<unknown>>()
  let closing: Promise<void> | undefined

  const assertOpen = () => {
    if (closing) throw new SessionError('CLOSED', `This ${name} handle was closed; open another.`)
  }

  function track<Result>(start: () => Promise<Result>): Promise<Result> {
    assertOpen()
    const running = start()
    inFlight.add(running)
    const settled = () => inFlight.delete(running)
    running.then(settled, settled)
    return running
  }

  async function* steps<Item>(signal: Signal | undefined, open: () => AsyncIterable<Item>): AsyncGenerator<Item> {
    throwIfAborted(signal)
    assertOpen()
    const iterator = open()[Symbol.asyncIterator]()
    let finished = false
    try {
      while (true) {
        throwIfAborted(signal)
        const step = await track(() => iterator.next())
        if (step.done) {
          finished = true
          return
        }
        yield step.value
      }
    } finally {
      if (!finished) await iterator.return?.()
    }
  }

  async function close() {
    while (inFlight.size > 0) await Promise.allSettled(inFlight)
    await backend.close()
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
      await track(() => backend.append(log, at, copy, options.signal))
    },
    read(log: string, range?: ReadRange) {
      checkName(log, 'log')
      const resolved = resolveRange(range)
      return steps(resolved.signal, () => backend.read(log, resolved))
    },
    async drop(log: string, options: ForgetOptions = {}) {
      checkName(log, 'log')
      throwIfAborted(options.signal)
      await track(() => backend.drop(log, options.forget === true, options.signal))
    },
    logs(prefix: string, options?: ListOptions) {
      checkPrefix(prefix)
      const listing = resolveListing(options)
      return steps(listing.signal, () => backend.logs(prefix, listing))
    },
    async get(key: string, options: OperationOptions = {}) {
      checkName(key, 'key')
      throwIfAborted(options.signal)
      return track(() => backend.get(key, options.signal))
    },
    async put(key: string, value: string, options: PutOptions) {
      checkName(key, 'key')
      checkDocument(value)
      checkVersion(options?.expect)
      throwIfAborted(options.signal)
      return track(() => backend.put(key, value, options.expect, options.signal))
    },
    async remove(key: string, options: RemoveOptions = {}) {
      checkName(key, 'key')
      const { expect, forget = false, signal } = options
      if (expect !== undefined) checkVersion(expect)
      throwIfAborted(signal)
      await track(() => backend.remove(key, expect, forget, signal))
    },
    list(prefix: string, options?: DocumentListOptions) {
      checkPrefix(prefix)
      const listing = resolveListing(options)
      return steps(listing.signal, () => backend.list(prefix, listing))
    },
    close() {
      closing ??= close()
      return closing
    },
    [Symbol.asyncDispose]() {
      return adapter.close()
    },
  }
  if (backend.watch) {
    adapter.watch = (log, wake, signal) => {
      checkName(log, 'log')
      if (signal.aborted) return
      assertOpen()
      backend.watch?.(log, wake, signal)
    }
  }
  return Object.freeze(adapter)
}
