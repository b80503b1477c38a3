import { ConflictError } from '@sessiontree/core'
import { broken, overwrite, tick, type BrokenStore } from './broken-store.ts'

export const brokenDocuments: readonly BrokenStore[] = [
  broken('document/forget-earlier', 'a put that forgets does not compare', (store) => (handle) => ({
    async put(key, value, options) {
      if (!options.forget) return handle.put(key, value, options)
      return overwrite(store, key, value, String(++store.puts))
    },
  })),
  broken('document/forget-earlier', 'a put that forgets takes the new value along', (store) => (handle) => ({
    async put(key, value, options) {
      const version = await handle.put(key, value, options)
      if (options.forget && options.expect !== 'absent') store.documents.delete(key)
      return version
    },
  })),
  broken('document/versions', 'each handle counts its own puts', (store) => () => {
    let puts = 0
    return {
      async put(key, value, { expect }) {
        if ((store.documents.get(key)?.version ?? 'absent') !== expect) throw new ConflictError('Stale.')
        return overwrite(store, key, value, String(++puts))
      },
    }
  }),
  broken('document/compare-and-swap', 'put without compare', (store) => () => ({
    put: async (key, value) => overwrite(store, key, value, String(++store.puts)),
  })),
  broken('document/compare-and-swap', 'put creates although a version was expected', (store) => (handle) => ({
    put: (key, value, { expect }) => handle.put(key, value, { expect: store.documents.has(key) ? expect : 'absent' }),
  })),
  broken('document/compare-and-swap', 'absent replaces what is there', (store) => (handle) => ({
    put: (key, value, { expect }) =>
      handle.put(key, value, { expect: (expect === 'absent' && store.documents.get(key)?.version) || expect }),
  })),
  broken('document/compare-and-swap', 'remove ignores expect', () => (handle) => ({
    remove: (key) => handle.remove(key),
  })),
  broken(
    'document/compare-and-swap',
    'remove at a version resolves when there is no document',
    (store) => (handle) => ({
      async remove(key, options) {
        if (store.documents.has(key)) await handle.remove(key, options)
      },
    }),
  ),
  broken('document/versions', 'A→B→A accepted: the version is a hash of the value', (store) => () => ({
    async put(key, value, { expect }) {
      if ((store.documents.get(key)?.version ?? 'absent') !== expect) throw new ConflictError('Stale.')
      return overwrite(store, key, value, `"${value.length}-${value}"`)
    },
  })),
  broken('document/versions', 'versions start again after remove', (store) => () => ({
    async put(key, value, { expect }) {
      const version = store.documents.get(key)?.version
      if ((version ?? 'absent') !== expect) throw new ConflictError('Stale.')
      return overwrite(store, key, value, String(Number(version ?? 0) + 1))
    },
  })),
  broken('document/versions', 'versions start again after forget', (store) => {
    const puts = new Map<string, number>()
    return (handle) => ({
      async put(key, value, { expect }) {
        if ((store.documents.get(key)?.version ?? 'absent') !== expect) throw new ConflictError('Stale.')
        const count = (puts.get(key) ?? 0) + 1
        puts.set(key, count)
        return overwrite(store, key, value, String(count))
      },
      async remove(key, options) {
        await handle.remove(key, options)
        if (options?.forget) puts.delete(key)
      },
    })
  }),
  broken('document/versions', 'put gives another version than get', () => (handle) => ({
    put: async (key, value, options) => `"${await handle.put(key, value, options)}"`,
  })),
  broken('document/counter', 'both racers win a put: the version is checked before it is taken', (store) => () => ({
    async put(key, value, { expect }) {
      if ((store.documents.get(key)?.version ?? 'absent') !== expect) throw new ConflictError('Stale.')
      await tick()
      return overwrite(store, key, value, String(++store.puts))
    },
  })),
  broken('document/counter', 'a put that lost takes effect all the same', (store) => (handle) => ({
    async put(key, value, options) {
      await tick()
      return handle.put(key, value, options).catch((error: unknown) => {
        overwrite(store, key, value, String(++store.puts))
        throw error
      })
    },
  })),
]
