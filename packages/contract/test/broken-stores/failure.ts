import { ConflictError, SessionError } from '@sessiontree/core'
import { brokenMortal, brokenWhenLosing, push, tick, type BrokenStore } from './broken-store.ts'

const swallow = (error: unknown) => {
  if (!SessionError.is(error)) throw error
}

/** Stores that fail wrongly: lost answers, failed flushes, crashes, and a store that is gone. */
export const brokenFailures: readonly BrokenStore[] = [
  brokenWhenLosing('uncertain/put', 'a lost answer to a put is reported as CONFLICT', (handle) => ({
    async put(key, value, options) {
      await handle.put(key, value, options)
      throw new ConflictError('Somebody was first.')
    },
  })),
  brokenWhenLosing('uncertain/put', 'a lost answer to a put is answered with a version that never was', (handle) => ({
    put: async (key, value, options) => `${await handle.put(key, value, options)}-again`,
  })),
  brokenWhenLosing('uncertain/remove', 'a lost answer to a removal is reported as a plain failure', (handle) => ({
    async remove(key, options) {
      await handle.remove(key, options)
      throw new SessionError('IO', 'The connection was cut.')
    },
  })),
  brokenWhenLosing('uncertain/remove', 'a lost answer to a removal is taken for one that was not asked', () => ({
    remove: async () => {},
  })),
  brokenMortal('uncertain/failed-flush', 'resolves after a failed flush', () => (handle) => ({
    append: (...args) =>
      handle.append(...args).catch((error: unknown) => {
        if (!SessionError.is(error, 'UNCERTAIN')) throw error
      }),
  })),
  brokenMortal('uncertain/failed-flush', 'a failed flush is settled by reading back', () => (handle) => ({
    async append(log, at, records) {
      try {
        await handle.append(log, at, records)
      } catch (error) {
        if (!SessionError.is(error, 'UNCERTAIN')) throw error
        const [last] = await Array.fromAsync(handle.read(log, { from: at, limit: 1 }))
        if (last?.records[0] !== records[0]) throw error
      }
    },
  })),
  brokenMortal(
    'uncertain/failed-flush',
    'after a failed flush the next append is taken at its word',
    (store) => (handle) => {
      let failed = false
      return {
        async append(log, at, records) {
          if (failed) return push(store.memory, log, records)
          failed = store.failsNextFlush
          await handle.append(log, at, records)
        },
      }
    },
  ),

  brokenMortal('vanish/reads', 'a log of a store that is gone is empty', (store) => (handle) => ({
    async *read(log, range) {
      if (!store.isGone) yield* handle.read(log, range)
    },
  })),
  brokenMortal('vanish/reads', 'a document of a store that is gone is absent', (store) => (handle) => ({
    get: async (key) => (store.isGone ? undefined : handle.get(key)),
  })),
  brokenMortal('vanish/reads', 'a store that is gone has no keys', (store) => (handle) => ({
    async *keys(prefix, options) {
      if (!store.isGone) yield* handle.keys(prefix, options)
    },
  })),
  brokenMortal('vanish/reads', 'what never was in a store that is gone is absent', (store) => (handle) => ({
    get: async (key) => (store.isGone && !store.memory.documents.has(key) ? undefined : handle.get(key)),
  })),
  brokenMortal('vanish/writes', 'a store that is gone is NOT_FOUND', (store) => (handle) => ({
    async put(key, value, options) {
      if (store.isGone) throw new SessionError('NOT_FOUND', 'No such store.')
      return handle.put(key, value, options)
    },
  })),
  brokenMortal('vanish/writes', 'a warm writer goes on into what is no longer there', (store) => (handle) => ({
    async append(log, at, records) {
      if (store.isGone) push(store.memory, log, records)
      else await handle.append(log, at, records)
    },
  })),
  brokenMortal('vanish/writes', 'a drop in a store that is gone resolves', () => (handle) => ({
    drop: (log, options) => handle.drop(log, options).catch(swallow),
  })),

  brokenMortal('crash/log', 'an append resolves before it would survive', (store) => (handle) => ({
    async append(log, at, records) {
      await handle.append(log, at, records)
      store.onCrash = () => {
        const stored = store.memory.logs.get(log)
        if (stored && stored.length >= at) stored.length = at
      }
    },
  })),
  brokenMortal('crash/log', 'a crash leaves half a batch', (store) => (handle) => ({
    async append(log, at, records) {
      const [life, copy] = [store.lives, [...records]]
      if (copy.length === 1 || (store.memory.logs.get(log)?.length ?? 0) !== at) return handle.append(log, at, copy)
      push(store.memory, log, copy.slice(0, 1))
      await tick()
      if (life === store.lives) push(store.memory, log, copy.slice(1))
    },
  })),
  brokenMortal('crash/document', 'a put resolves before it would survive', (store) => (handle) => ({
    async put(key, value, options) {
      const before = store.memory.documents.get(key)
      const version = await handle.put(key, value, options)
      // Nothing of this life was written through.
      const restoreEarlier = store.onCrash
      store.onCrash = () => {
        if (before) store.memory.documents.set(key, before)
        else store.memory.documents.delete(key)
        restoreEarlier()
      }
      return version
    },
  })),
  brokenMortal('crash/document', 'a crash takes a document along that was being replaced', (store) => (handle) => ({
    async put(key, value, options) {
      const life = store.lives
      const before = store.memory.documents.get(key)
      if (before?.version !== options.expect) return handle.put(key, value, options)
      store.memory.documents.delete(key)
      await tick()
      if (life !== store.lives) throw new SessionError('IO', 'The process is dead.')
      store.memory.documents.set(key, before)
      return handle.put(key, value, options)
    },
  })),
]
