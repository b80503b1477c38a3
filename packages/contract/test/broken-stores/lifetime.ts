import { SessionError, type Capabilities, type RecordBatch, type StorageAdapter } from '@sessiontree/core'
import { memory, type MemoryStore } from '@sessiontree/memory'
import { broken, tick, type BrokenStore } from './broken-store.ts'

/** A fault that hides a dropped log, and shows it again when an append comes at an index that fits. */
const reviving = (fits: (old: readonly string[], at: number) => boolean) => (store: MemoryStore) => {
  const hidden = new Map<string, string[]>()
  return (handle: StorageAdapter) => ({
    async drop(log: string) {
      const records = store.logs.get(log)
      if (records) hidden.set(log, records)
      store.logs.delete(log)
    },
    async append(log: string, at: number, records: readonly string[]) {
      const old = hidden.get(log)
      if (old && fits(old, at)) store.logs.set(log, old.slice(0, at))
      await handle.append(log, at, records)
    },
  })
}

// A value where only a function or nothing may be: as an adapter in plain JavaScript could have it.
const missing: Readonly<Record<string, unknown>> = { watch: undefined }

const endless = { aborted: false, reason: undefined, addEventListener() {}, removeEventListener() {} }

export const brokenLifetimes: readonly BrokenStore[] = [
  broken('drop/gone', 'a name is spent by a drop before it was used', (store) => () => ({
    async drop(log) {
      store.logs.delete(log)
      store.dropped.add(log)
    },
  })),
  broken('drop/gone', 'drop is a no-op', () => () => ({ drop: async () => {} })),
  broken('drop/gone', 'drop is seen by its own handle only', () => (handle) => {
    const dropped = new Set<string>()
    return {
      drop: async (log) => void dropped.add(log),
      async *read(log, range) {
        if (!dropped.has(log)) yield* handle.read(log, range)
      },
    }
  }),
  broken('drop/gone', 'dropping a takes a/b along', (store) => (handle) => ({
    async drop(log, options) {
      await handle.drop(log, options)
      for (const name of store.logs.keys()) if (name.startsWith(`${log}/`)) store.logs.delete(name)
    },
  })),
  broken('drop/gone', 'dropping a log takes the document of its name along', () => (handle) => ({
    async drop(log, options) {
      await handle.drop(log, options)
      await handle.remove(log)
    },
  })),
  broken('drop/gone', 'dropping what does not exist is an error', (store) => (handle) => ({
    async drop(log, options) {
      if (!store.logs.has(log)) throw new SessionError('NOT_FOUND', 'There is no such log.')
      await handle.drop(log, options)
    },
  })),
  broken(
    'drop/late',
    'a late append revives a dropped log',
    reviving((old, at) => old.length === at),
  ),
  broken(
    'drop/late',
    'a late append below the old end revives what was before it',
    reviving((old, at) => old.length > at),
  ),
  broken('drop/late', 'a late append to a dropped log is told that it worked', (store) => (handle) => ({
    async append(log, at, records) {
      if (!store.dropped.has(log)) await handle.append(log, at, records)
    },
  })),
  broken('drop/forget', 'a forgotten log is still listed', () => {
    const forgotten = new Set<string>()
    return (handle) => ({
      async drop(log, options) {
        await handle.drop(log, options)
        if (options?.forget) forgotten.add(log)
      },
      async *logs(prefix, options) {
        const names = (await Array.fromAsync(handle.logs(prefix, options))).flat()
        yield [...names, ...forgotten].toSorted()
      },
    })
  }),
  broken('drop/forget', 'forgetting a log that was dropped brings it back', (store) => {
    const kept = new Map<string, string[]>()
    return (handle) => ({
      async drop(log, options) {
        const records = store.logs.get(log)
        if (records) kept.set(log, records)
        await handle.drop(log, options)
        if (options?.forget && !records) store.logs.set(log, kept.get(log) ?? [])
      },
    })
  }),
  broken('drop/removal', 'drop resolves with what it deleted', (store) => (handle) => ({
    async drop(log) {
      const bytes = store.logs.get(log)?.join('\n')
      await handle.drop(log)
      return { bytes } as never
    },
  })),
  broken('drop/removal', 'remove of what never was gives bytes back', () => (handle) => ({
    async remove(key, options) {
      await handle.remove(key, options)
      return { bytes: -1 }
    },
  })),

  broken('close/closed', 'everything works after close', () => () => ({
    close: async () => {},
    [Symbol.asyncDispose]: async () => {},
  })),
  broken('close/closed', 'an open iterator works after close', () => (handle) => ({
    async *read(log, range) {
      yield* await Array.fromAsync(handle.read(log, range), ({ at, records }) => ({ at, records }))
    },
  })),
  broken('close/closed', 'closing twice is an error', () => (handle) => {
    let closed = false
    return {
      async close() {
        if (closed) throw new SessionError('CLOSED', 'Closed already.')
        closed = true
        await handle.close()
      },
    }
  }),
  broken('close/waits', 'close does not wait', () => (handle) => ({
    async append(log, at, records) {
      const copy = [...records]
      await tick(20)
      await handle.append(log, at, copy)
    },
    close: async () => {},
  })),
  broken('close/waits', 'close cancels what is in flight', () => (handle) => {
    let closed = false
    return {
      async append(log, at, records) {
        const copy = [...records]
        await Promise.resolve()
        if (closed) throw new SessionError('CLOSED', 'Closed meanwhile.')
        await handle.append(log, at, copy)
      },
      close() {
        closed = true
        return handle.close()
      },
    }
  }),
  broken('close/aborted', 'an aborted signal is ignored', () => (handle) => ({
    append: (log, at, records) => handle.append(log, at, records),
  })),
  broken('close/aborted', 'an aborted signal gives an error of its own', () => (handle) => ({
    async get(key, options) {
      if (options?.signal?.aborted) throw new SessionError('TIMEOUT', 'Aborted.')
      return handle.get(key)
    },
  })),
  broken('capabilities/declared', 'capabilities are not frozen', () => (handle) => ({
    capabilities: { ...handle.capabilities },
  })),
  broken('capabilities/declared', 'a capability is missing', () => (handle) => ({
    capabilities: Object.freeze({ durability: handle.capabilities.durability, watch: true }) as Capabilities,
  })),
  broken('handles/prepare', 'an announced read shows what the log held when it was announced', () => (handle) => {
    const early = new Map<string, Promise<RecordBatch[]>>()
    return {
      prepare: (log, range) => void early.set(log, Array.fromAsync(handle.read(log, range))),
      async *read(log, range) {
        yield* (await early.get(log)) ?? handle.read(log, range)
        early.delete(log)
      },
    }
  }),
  broken('capabilities/watch', 'watch is declared but missing', () => () => missing),
  broken('capabilities/watch', 'watch wakes before it returned', () => (handle) => ({
    watch(log, wake, signal) {
      handle.watch?.(log, wake, signal)
      wake()
    },
  })),
  broken('capabilities/watch', 'a wake that is under way comes after the abort', () => (handle) => ({
    watch: (log, wake, signal) => handle.watch?.(log, () => void tick().then(wake), signal),
  })),
  broken('capabilities/watch', 'watch goes on after close', (store) => () => ({
    // A handle that nobody closes watches instead.
    watch: (log, wake, signal) => memory({ store }).watch?.(log, wake, signal),
  })),
  broken('capabilities/watch', 'watch goes on after its signal aborted', () => (handle) => ({
    watch: (log, wake) => handle.watch?.(log, wake, endless),
  })),
]
