import type { Harness } from '@sessiontree/contract'
import { modelRun, modelSuite } from '@sessiontree/contract/model'
import { memory, MemoryStore } from '@sessiontree/memory'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { broken, type BrokenStore } from './broken-stores/broken-store.ts'

const harness: Harness = {
  name: 'memory',
  async create() {
    const store = new MemoryStore()
    return { open: async () => memory({ store }), destroy: async () => {} }
  },
}

modelSuite(harness, { test, fc, runs: 300 })

const brokenStores: readonly (readonly [store: BrokenStore, report: RegExp])[] = [
  [
    broken('model', 'an append that does not look where the log ends', (store) => () => ({
      async append(log, _at, records) {
        const stored = store.logs.get(log) ?? []
        store.logs.set(log, stored)
        stored.push(...records)
      },
    })),
    /an append at \d+ to the log \S+ of length \d+: expected CONFLICT/,
  ],
  [
    broken('model', 'a reverse read that takes its limit from the wrong end', () => (handle) => ({
      async *read(log, range) {
        for await (const { at, records } of handle.read(log, { ...range, limit: undefined })) {
          yield { at, records: records.slice(0, range?.limit) }
        }
      },
    })),
    /in reverse/,
  ],
  [
    broken('model', 'a drop that takes what is below along', () => (handle) => ({
      async drop(log, options) {
        for await (const names of handle.logs(log)) for (const name of names) await handle.drop(name, options)
        await handle.drop(log, options)
      },
    })),
    /read of \S+\/\S+/,
  ],
  [
    broken('model', 'a version that returns with its value after a removal', (store) => (handle) => ({
      async remove(key, options) {
        await handle.remove(key, options)
        store.puts -= 1
      },
    })),
    /was there before/,
  ],
  [
    broken('model', 'a listing whose after is inclusive', () => (handle) => ({
      async *keys(prefix, options) {
        for await (const names of handle.keys(prefix, { ...options, after: undefined })) {
          yield names.filter((name) => name >= (options?.after ?? '')).slice(0, options?.limit)
        }
      },
    })),
    /what should not be there/,
  ],
  [
    broken('model', 'a read that counts from where it starts', () => (handle) => ({
      async *read(log, range) {
        for await (const { at, records } of handle.read(log, range)) yield { at: at - (range?.from ?? 0), records }
      },
    })),
    /its lowest index/,
  ],
  [
    broken('model', 'a listing without its last name', () => (handle) => ({
      async *logs(prefix, options) {
        for await (const names of handle.logs(prefix, options)) yield names.slice(0, -1)
      },
    })),
    /logs below .*: what is missing/,
  ],
  [
    broken('model', 'a listing that does not stop at its limit', () => (handle) => ({
      keys: (prefix, options) => handle.keys(prefix, { ...options, limit: undefined }),
    })),
    /keys below .*, at most \d+: \d+ names/,
  ],
  [
    broken('model', 'a listing that names what was forgotten', () => {
      const forgotten = new Set<string>()
      return (handle) => ({
        async drop(log, options) {
          for await (const { at } of handle.read(log, { limit: 1 })) if (at === 0) forgotten.add(log)
          await handle.drop(log, options)
        },
        async *logs(prefix, options) {
          const names = (await Array.fromAsync(handle.logs(prefix))).flat()
          const start = prefix === '' ? '' : `${prefix}/`
          const traces = [...forgotten].filter((name) => name.startsWith(start))
          const all = [...new Set([...names, ...traces])].toSorted().filter((name) => name > (options?.after ?? ''))
          yield all.slice(0, options?.limit)
        },
      })
    }),
    /logs below .*: what should not be there/,
  ],
  [
    broken('model', 'a removal that never forgets a key', () => {
      const keys = new Set<string>()
      return (handle) => ({
        async put(key, value, options) {
          const version = await handle.put(key, value, options)
          keys.add(key)
          return version
        },
        async *keys(prefix, options) {
          const start = prefix === '' ? '' : `${prefix}/`
          const named = [...keys].toSorted().filter((key) => key.startsWith(start) && key > (options?.after ?? ''))
          yield named.slice(0, options?.limit)
        },
      })
    }),
    /keys below .*: what should not be there/,
  ],
  [
    broken('model', 'a name of which only the letters count', () => (handle) => ({
      async get(key, options) {
        return handle.get(key.replace('.', '-'), options)
      },
    })),
    /the document a[.-]b/,
  ],
  [
    broken('model', 'a handle that forgets what another one wrote after it was opened', () => (handle) => {
      const versions = new Map<string, Awaited<ReturnType<typeof handle.get>>>()
      return {
        async get(key, options) {
          if (!versions.has(key)) versions.set(key, await handle.get(key, options))
          return versions.get(key)
        },
      }
    }),
    /the document/,
  ],
]

async function failureOf(run: Promise<void>): Promise<string> {
  const failure = await run.then(
    () => 'it survived',
    (error: unknown) => error,
  )
  return failure instanceof Error ? `${failure.message}\n${String(failure.cause)}` : String(failure)
}

describe('a broken store fails, with a seed and few steps', () => {
  for (const [store, report] of brokenStores) {
    test(store.name, async () => {
      const message = await failureOf(modelRun(store, { fc, runs: 200, seed: 5 }))
      expect(message).toMatch(report)
      expect(message).toContain('seed: 5')
      const [, path] = /path: "([\d:]+)"/.exec(message) ?? []
      const steps = /Counterexample: (.*)\n/.exec(message)?.[1]?.match(/"do":/g) ?? []
      expect(steps.length).toBeLessThan(6)
      const again = await failureOf(modelRun(store, { fc, runs: 1, seed: 5, path: path ?? '' }))
      expect(again).toMatch(report)
    })
  }
})

test('a handle that cannot share is used alone', async () => {
  let open = 0
  const alone = broken('model', 'one handle at a time', () => (handle) => {
    expect(++open).toBe(1)
    return {
      capabilities: Object.freeze({ ...handle.capabilities, sharing: 'none' }),
      async close() {
        await handle.close()
        open = 0
      },
    }
  })
  await modelRun(alone, { fc, runs: 20 })
})

test('a handle that cannot be closed fails', async () => {
  const stuck = broken('model', 'stuck', () => () => {
    let closes = 0
    return {
      async close() {
        if (++closes === 1) throw new Error('cannot be closed')
      },
    }
  })
  await expect(modelRun(stuck, { fc, runs: 1 })).rejects.toThrow('cannot be closed')
})
