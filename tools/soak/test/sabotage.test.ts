import { expect, test } from 'vitest'
import type { StorageAdapter } from '@sessiontree/core'
import type { SeededRandom } from '../src/seeded-random.ts'
import { run, type ScheduleName } from '../src/soak.ts'

type Sabotage = (adapter: StorageAdapter, random: SeededRandom) => StorageAdapter

const RARELY = 0.05

/** Handles that break one promise now and then, and what a run then says. */
const BROKEN: readonly [string, ScheduleName, Sabotage, RegExp][] = [
  [
    'acknowledges what it does not write',
    'store',
    (adapter, random) => ({
      ...adapter,
      append: async (...args) => (random.chance(RARELY) ? undefined : adapter.append(...args)),
    }),
    /acknowledged and is lost/,
  ],
  [
    'says that it failed, and writes',
    'store',
    (adapter, random) => ({
      ...adapter,
      async append(...args) {
        await adapter.append(...args)
        if (random.chance(RARELY)) throw await conflictOf(adapter, args[0])
      },
    }),
    /failed for certain/,
  ],
  [
    'writes a batch in two parts',
    'store',
    (adapter, random) => ({
      ...adapter,
      async append(log, at, records, options) {
        if (records.length < 2 || !random.chance(0.5)) return adapter.append(log, at, records, options)
        await adapter.append(log, at, records.slice(0, 1), options)
        await adapter.append(log, at + 1, records.slice(1), options)
      },
    }),
    /of \d records of .* are there|history/,
  ],
  [
    'shows an older document',
    'store',
    (adapter, random) => {
      const old = new Map<string, Awaited<ReturnType<StorageAdapter['get']>>>()
      return {
        ...adapter,
        async get(key, options) {
          const found = await adapter.get(key, options)
          if (random.chance(RARELY) && old.has(key)) return old.get(key)
          if (random.chance(0.3)) old.set(key, found)
          return found
        },
      }
    },
    /a later get shows|history/,
  ],
  [
    'puts whatever the version',
    'store',
    (adapter) => ({
      ...adapter,
      async put(key, value, options) {
        const found = await adapter.get(key)
        return adapter.put(key, value, { ...options, expect: found?.version ?? 'absent' })
      },
    }),
    /two puts were acknowledged|with another value|history|number/,
  ],
]

/** A plain refusal, as a store gives it that holds more records. */
async function conflictOf(adapter: StorageAdapter, log: string): Promise<unknown> {
  return adapter.append(log, 2 ** 40, ['0']).catch((error: unknown) => error)
}

for (const [name, schedule, sabotage, expected] of BROKEN) {
  test(`a handle that ${name} is found out`, async () => {
    const said: string[] = []
    for (let seed = 1; seed <= 20 && said.length === 0; seed++) {
      const { violations } = await run({ seed, target: 'memory', profile: 'calm', schedule, sabotage })
      said.push(...violations.filter((violation) => expected.test(violation)))
    }
    expect(said).not.toEqual([])
  })
}

test('a handle that never answers is a hang, not a success', async () => {
  const silent: Sabotage = (adapter) => ({ ...adapter, append: () => new Promise<never>(() => {}) })
  const { violations } = await run({ seed: 1, target: 'memory', profile: 'calm', schedule: 'store', sabotage: silent })
  expect(violations.join()).toMatch(/hang/)
})
