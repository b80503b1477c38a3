import { brokenMortal, type BrokenStore } from './broken-store.ts'

/** Stores whose operations cost more the more there is. */
export const brokenCosts: readonly BrokenStore[] = [
  brokenMortal('cost/append', 'an append reads the whole log to learn its length', (store) => (handle) => ({
    async append(log, at, records) {
      store.spent.bytesRead += (store.memory.logs.get(log) ?? []).join('').length
      await handle.append(log, at, records)
    },
  })),
  brokenMortal('cost/append', 'an append writes the whole log again', (store) => (handle) => ({
    async append(log, at, records) {
      store.spent.bytesWritten += (store.memory.logs.get(log) ?? []).join('').length
      await handle.append(log, at, records)
    },
  })),
  brokenMortal('cost/read', 'the tail is found by reading from the start', () => (handle) => ({
    async *read(log, range = {}) {
      if (!range.reverse) return yield* handle.read(log, range)
      await Array.fromAsync(handle.read(log, { to: range.to }))
      yield* handle.read(log, range)
    },
  })),
  brokenMortal('cost/read', 'a record is found by asking for one batch after the other', (store) => (handle) => ({
    read(log, range = {}) {
      store.spent.operations += Math.floor((range.from ?? 0) / 16)
      return handle.read(log, range)
    },
  })),
  brokenMortal('cost/unpulled', 'a read fetches its first page as soon as it is asked for', () => (handle) => ({
    read(log, range) {
      const batches = handle.read(log, range)[Symbol.asyncIterator]()
      const first = batches.next()
      return (async function* () {
        for (let step = await first; !step.done; step = await batches.next()) yield step.value
      })()
    },
  })),
  brokenMortal('cost/keys', 'a listing looks into every document', () => (handle) => ({
    async *keys(prefix, options) {
      for await (const page of handle.keys(prefix, options)) {
        for (const key of page) await handle.get(key)
        yield page
      }
    },
  })),
  brokenMortal('cost/keys', 'a page of keys costs a look at all of them', (store) => (handle) => ({
    keys(prefix, options) {
      store.spent.operations += store.memory.documents.size
      return handle.keys(prefix, options)
    },
  })),
]
