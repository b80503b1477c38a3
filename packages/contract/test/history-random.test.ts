import type { StorageAdapter } from '@sessiontree/core'
import { AssertionError, type Harness } from '@sessiontree/contract'
import { raceRun, type RaceRun, type Violation } from '@sessiontree/contract/history'
import { memory, MemoryStore } from '@sessiontree/memory'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { delegate } from '../src/delegate.ts'
import { virtualClock } from './virtual-clock.ts'

const rates = { refused: 0.05, unsent: 0.08, lost: 0.08, late: 0.08, unread: 0.05 }

type Break = (store: MemoryStore) => (handle: StorageAdapter) => Partial<StorageAdapter>

/** A race on a memory store that `plant` breaks, each caller behind a faulty network of its own, on a clock that jumps. */
function race(seed: number, actors: number, plant: Break = () => () => ({})): Promise<RaceRun> {
  const harness: Harness = {
    name: 'memory',
    async create() {
      const store = new MemoryStore()
      const fault = plant(store)
      const open = async () => {
        const handle = memory({ store })
        return delegate(handle, fault(handle))
      }
      return { open, destroy: async () => {} }
    },
  }
  return raceRun(harness, { seed, actors, rates, clock: virtualClock() })
}

/** The rules that a race found to be broken. */
async function brokenRules(running: Promise<RaceRun>): Promise<string[]> {
  try {
    await running
    return []
  } catch (error) {
    if (!(error instanceof AssertionError)) throw error
    return (error.actual as readonly Violation[]).map(({ rule }) => rule)
  }
}

test('whatever several callers do to a correct store through a faulty network, the history passes', async () => {
  const seed = fc.integer({ min: 0, max: 1_000_000 })
  const property = fc.asyncProperty(seed, fc.integer({ min: 1, max: 8 }), async (value, actors) => {
    await race(value, actors)
  })
  await fc.assert(property, { numRuns: 100, seed: 20_261_121 })
})

test('a race replays exactly from its seed', async () => {
  const [one, same, other] = await Promise.all([7, 7, 8].map((seed) => race(seed, 4)))
  expect(one).toEqual(same)
  expect(one?.events).not.toEqual(other?.events)
  const outcomes = new Set(one?.events.map((event) => ('ended' in event ? event.ended.outcome : '')))
  expect(outcomes).toEqual(new Set(['', 'ok', 'failed', 'uncertain']))
  const kinds = new Set(one?.faults.map(({ kind }) => kind))
  expect(kinds).toEqual(new Set(['refused', 'unsent', 'lost', 'late', 'unread']))
})

test('callers of an adapter that cannot share use one handle', async () => {
  let open = 0
  const alone: Break = () => (handle) => {
    expect(++open).toBe(1)
    return {
      capabilities: Object.freeze({ ...handle.capabilities, sharing: 'none' }),
      async close() {
        await handle.close()
        open = 0
      },
    }
  }
  const { events } = await race(1, 4, alone)
  expect(new Set(events.map(({ actor }) => actor)).size).toBe(5)
})

test('what is no error of the library ends the race, and a failure names its seed', async () => {
  const failing: Break = () => (handle) => {
    let gets = 0
    return {
      async get(...args) {
        // Not those of the handle that reads everything at the end.
        if (++gets === 3) throw new RangeError('of the adapter')
        return handle.get(...args)
      },
    }
  }
  await expect(race(1, 2, failing)).rejects.toThrow('of the adapter')
  const forgetful: Break = () => () => ({ async append() {} })
  await expect(race(1, 2, forgetful)).rejects.toThrow(/on memory with seed 1 broke promises:\n[a-z.]+: race\/log/)
  for (const options of [{ seed: -1 }, { seed: 2 ** 25 }, { seed: 1, actors: 0 }, { seed: 1, actors: 65 }]) {
    await expect(raceRun({ name: 'none', create: () => Promise.reject(new Error('made')) }, options)).rejects.toThrow(
      TypeError,
    )
  }
})

const broken: Readonly<Record<string, { readonly rules: readonly string[]; readonly plant: Break }>> = {
  'an append that does not look where the log ends': {
    rules: ['append.lost', 'append.moved'],
    plant: (store) => () => ({
      async append(log, _at, records) {
        const stored = store.logs.get(log) ?? []
        store.logs.set(log, stored)
        stored.push(...records)
      },
    }),
  },
  'an append that overwrites': {
    rules: ['append.twice', 'append.lost'],
    plant: (store) => () => ({
      async append(log, at, records) {
        store.logs.set(log, [...(store.logs.get(log) ?? []).slice(0, at), ...records])
      },
    }),
  },
  'an append that acknowledges before it writes, and then does not write': {
    rules: ['read.stale', 'append.lost', 'append.gap'],
    plant: () => (handle) => {
      let appends = 0
      return {
        async append(...args) {
          if (++appends % 5 !== 0) await handle.append(...args)
        },
      }
    },
  },
  'an append that writes and says CONFLICT': {
    rules: ['append.refused'],
    plant: () => (handle) => {
      let appends = 0
      return {
        async append(...args) {
          await handle.append(...args)
          if (++appends % 5 === 0) await handle.append(...args)
        },
      }
    },
  },
  'a batch in two parts': {
    rules: ['append.torn', 'append.gap', 'append.refused'],
    plant: () => (handle) => ({
      async append(log, at, records) {
        await handle.append(log, at, records.slice(0, 1))
        await new Promise(setImmediate)
        if (records.length > 1) await handle.append(log, at + 1, records.slice(1))
      },
    }),
  },
  'a read of what the handle saw first': {
    rules: ['read.stale'],
    plant: () => (handle) => {
      const seen = new Map<string, string[]>()
      return {
        async *read(log, range) {
          if (range?.reverse) return yield* handle.read(log, range)
          const records = seen.get(log) ?? []
          if (records.length === 0) for await (const batch of handle.read(log)) records.push(...batch.records)
          seen.set(log, records)
          if (records.length > 0) yield { at: 0, records }
        },
      }
    },
  },
  'a read that leaves a record out': {
    rules: ['append.moved'],
    plant: () => (handle) => ({
      async *read(log, range) {
        for await (const { at, records } of handle.read(log, range)) {
          yield { at, records: records.filter((_, i) => at + i !== 2) }
        }
      },
    }),
  },
  'a drop that does nothing': { rules: ['drop.gone'], plant: () => () => ({ async drop() {} }) },
  'a put that does not compare': {
    rules: ['put.lost-update', 'document.order'],
    plant: (store) => (handle) => ({
      async put(key, value) {
        return handle.put(key, value, { expect: store.documents.get(key)?.version ?? 'absent' })
      },
    }),
  },
  'versions that follow from the value': {
    rules: ['put.version', 'get.unknown', 'document.order'],
    plant: (store) => (handle) => ({
      async put(key, value, options) {
        await handle.put(key, value, options)
        const version = String(value.length)
        store.documents.set(key, { value, version })
        return version
      },
    }),
  },
  'a get from a cache': {
    rules: ['document.order'],
    plant: () => (handle) => {
      const seen = new Map<string, Awaited<ReturnType<StorageAdapter['get']>>>()
      let gets = 0
      return {
        async get(key) {
          const cached = seen.get(key)
          if (cached && ++gets % 3 === 0) return cached
          const document = await handle.get(key)
          seen.set(key, document)
          return document
        },
      }
    },
  },
  'a remove that does nothing': { rules: ['document.order'], plant: () => () => ({ async remove() {} }) },
}

describe('a broken store is caught within a few runs', () => {
  const RUNS = 20
  for (const [name, { rules, plant }] of Object.entries(broken)) {
    test(name, async () => {
      const found = new Set<string>()
      for (let seed = 0; seed < RUNS && found.size === 0; seed++) {
        for (const rule of await brokenRules(race(seed, 4, plant))) found.add(rule)
      }
      expect([...found].filter((rule) => rules.includes(rule))).not.toEqual([])
    })
  }
})
