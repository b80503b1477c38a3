import { SessionError } from '@sessiontree/core'
import { broken, push, tick, type BrokenStore } from './broken-store.ts'

/** Stores that go wrong between two handles, while one is closing, and when an operation is aborted under way. */
export const brokenInterruptions: readonly BrokenStore[] = [
  broken('handles/see', 'a handle remembers that there was no document', () => (handle) => {
    const absent = new Set<string>()
    return {
      async get(key, options) {
        if (absent.has(key)) return undefined
        const document = await handle.get(key, options)
        if (!document) absent.add(key)
        return document
      },
    }
  }),
  broken('handles/see', 'a handle lists what it knew first', () => (handle) => {
    let known: (readonly string[])[] | undefined
    return {
      async *logs(prefix, options) {
        known ??= await Array.fromAsync(handle.logs(prefix, options))
        yield* known
      },
    }
  }),
  broken('handles/apart', 'closing a handle ends the reads of all', () => {
    let closed = false
    return (handle) => ({
      async *read(log, range) {
        for await (const { at, records } of handle.read(log, range)) {
          for (const [i, text] of records.entries()) {
            if (closed) return
            yield { at: at + i, records: [text] }
          }
        }
      },
      async close() {
        closed = true
        await handle.close()
      },
    })
  }),
  broken('handles/apart', 'closing one handle closes all', () => {
    let closed = false
    return (handle) => ({
      async append(log, at, records) {
        if (closed) throw new SessionError('CLOSED', 'Closed by another handle.')
        await handle.append(log, at, records)
      },
      async close() {
        closed = true
        await handle.close()
      },
    })
  }),

  broken('close/closing', 'a handle that is closing takes new work', () => (handle) => ({
    async close() {
      await tick()
      await handle.close()
    },
  })),
  broken('close/closing', 'closing breaks off what is in flight', (store) => (handle) => {
    let closing = false
    return {
      async append(log, at, records) {
        if (closing) return handle.append(log, at, records)
        const copy = [...records]
        await Promise.resolve()
        push(store, log, closing ? copy.slice(0, 1) : copy)
      },
      close() {
        closing = true
        return handle.close()
      },
    }
  }),

  broken('abort/append', 'an append that is aborted says so, and lands', () => (handle) => ({
    async append(log, at, records, options) {
      await handle.append(log, at, records)
      if (options?.signal) await tick(1)
      if (options?.signal?.aborted) throw options.signal.reason
    },
  })),
  broken('abort/append', 'an append that is aborted leaves half of its batch', () => (handle) => ({
    async append(log, at, records, options) {
      const copy = [...records]
      if (!options?.signal) return handle.append(log, at, copy)
      await handle.append(log, at, copy.slice(0, 1))
      await tick(1)
      if (options.signal.aborted) throw new SessionError('UNCERTAIN', 'Aborted.')
      await handle.append(log, at + 1, copy.slice(1))
    },
  })),
  broken('abort/append', 'an append that is aborted is a plain failure', () => (handle) => ({
    async append(log, at, records, options) {
      await tick()
      if (options?.signal?.aborted) throw new SessionError('IO', 'Aborted.')
      await handle.append(log, at, records)
    },
  })),
  broken('abort/document', 'a put that is aborted says so, and takes effect', () => (handle) => ({
    async put(key, value, options) {
      const version = await handle.put(key, value, { expect: options.expect })
      if (options.signal) await tick(1)
      if (options.signal?.aborted) throw options.signal.reason
      return version
    },
  })),
  broken(
    'abort/document',
    'a removal whose trace was not yet forgotten says that nothing happened',
    () => (handle) => ({
      async remove(key, options) {
        await handle.remove(key, { expect: options?.expect })
        if (!options?.forget) return
        await tick(1)
        if (options.signal?.aborted) throw options.signal.reason
        await handle.remove(key, { forget: true })
      },
    }),
  ),
  broken('abort/drop', 'a drop that is aborted leaves half of the log', (store) => (handle) => ({
    async drop(log, options) {
      const stored = store.logs.get(log)
      if (!options?.signal || !stored) return handle.drop(log)
      stored.length = Math.min(stored.length, 2)
      await tick(1)
      if (options.signal.aborted) throw options.signal.reason
      await handle.drop(log)
    },
  })),
  broken('abort/read', 'a read goes on although its signal is aborted', () => (handle) => ({
    read: (log, range) => handle.read(log, { ...range, signal: undefined }),
  })),
  broken('abort/read', 'a listing that is aborted ends as if it were complete', () => (handle) => ({
    async *keys(prefix, options) {
      for await (const page of handle.keys(prefix, { ...options, signal: undefined })) {
        if (options?.signal?.aborted) return
        yield page
      }
    },
  })),
]
