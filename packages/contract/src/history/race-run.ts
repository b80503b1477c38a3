import {
  randomFraction,
  SessionError,
  sleep,
  systemClock,
  type Clock,
  type Random,
  type StorageAdapter,
} from '@sessiontree/core'
import { AssertionError } from '../assert.ts'
import { faulty, type Fault, type FaultyOptions } from '../faulty.ts'
import type { Harness, TestStore } from '../harness.ts'
import { collect } from '../reading.ts'
import { seededRandom } from '../seeded-random.ts'
import { checkHistory } from './check-history.ts'
import type { HistoryEvent } from './event.ts'
import { recording, sequence } from './recording.ts'

/** Options of {@link raceRun}. */
export interface RaceRunOptions {
  /** A whole number from 0 to 2^24. */
  readonly seed: number
  /** How many callers race, each with a handle of its own. Default 4, at most 64. */
  readonly actors?: number
  /** How many calls each of them makes. Default 60. */
  readonly calls?: number
  /** Faults between each handle and its store, as of `faulty`. Default: none. */
  readonly rates?: FaultyOptions['rates']
  /** What the callers wait on between calls. Default: the runtime's own. With a virtual one, on a store that needs no other, a run replays exactly. */
  readonly clock?: Clock
}

/** What a race showed. */
export interface RaceRun {
  readonly events: readonly HistoryEvent[]
  readonly faults: readonly Fault[]
}

const LOGS = ['race/log', 'race/log/other', 'race/dropped']
const KEYS = ['race/document', 'race/document/other']
/** How long a caller waits between calls, and a request or answer takes, in milliseconds at most. */
const PAUSE = 3
const ACTORS = 64
/** How many broken promises a message lists; the rest mostly follows from them. */
const SHOWN = 8

/**
 * Lets several callers append, read, put, get, remove and drop at random on one store, each through a handle of its own and a network that delays
 * and, if asked to, loses; then reads everything and checks the history. Resolves if it shows no broken promise.
 *
 * Contract
 * - Rejects with an `AssertionError` that names the seed and lists what `checkHistory` found first; `actual` holds everything.
 * - What each caller asks for depends on the seed and on the answers that it got.
 * - Where `capabilities.sharing` is `"none"` all callers share one handle.
 *
 * @example
 * test('race', () => raceRun(harness, { seed: 7, rates: { lost: 0.1, late: 0.1 } }))
 */
export async function raceRun(harness: Harness, options: RaceRunOptions): Promise<RaceRun> {
  const { seed, actors = 4, calls = 60, rates = {}, clock = systemClock } = options
  if (!Number.isInteger(seed) || seed < 0 || seed > 2 ** 24) throw new TypeError(`seed: ${seed} is not from 0 to 2^24`)
  if (!Number.isInteger(actors) || actors < 1 || actors > ACTORS)
    throw new TypeError(`actors: ${actors} is not 1 to 64`)
  const store = await harness.create()
  const events: HistoryEvent[] = []
  const time = sequence()
  const record = (adapter: StorageAdapter, actor: string) =>
    recording(adapter, { actor, time, write: (event) => void events.push(event) })
  try {
    const networks = (await openFor(store, actors)).map((handle, actor) =>
      faulty(handle, { seed: seed * ACTORS + actor, rates, latency: { clock, atMost: PAUSE } }),
    )
    const racing = Array.from({ length: actors }, async (_, actor) => {
      const { adapter } = networks[actor % networks.length] ?? {}
      if (adapter)
        await act(record(adapter, `actor ${actor}`), actor, calls, seededRandom(seed * ACTORS + actor), clock)
    })
    const raced = await Promise.allSettled(racing)
    // What is late arrives now: afterwards everything stands as it stays.
    await Promise.all(networks.map(({ adapter }) => adapter.close()))
    for (const result of raced) if (result.status === 'rejected') throw result.reason
    await readAll(record(await store.open(), 'last'))
    const violations = checkHistory(events)
    if (violations.length > 0) {
      const first = violations.slice(0, SHOWN).map(({ rule, message }) => `\n${rule}: ${message}`)
      const found = `${first.join('')}\n(${violations.length} in all)`
      throw new AssertionError(`a race on ${harness.name} with seed ${seed} broke promises:${found}`, violations, [])
    }
    return { events, faults: networks.flatMap(({ faults }) => faults) }
  } finally {
    await store.destroy()
  }
}

/** As many handles as there are callers, or the one that there may be. */
async function openFor(store: TestStore, actors: number): Promise<StorageAdapter[]> {
  const first = await store.open()
  const more = first.capabilities.sharing === 'none' ? 0 : actors - 1
  return [first, ...(await Promise.all(Array.from({ length: more }, () => store.open())))]
}

async function readAll(adapter: StorageAdapter): Promise<void> {
  for (const log of LOGS) await collect(adapter.read(log))
  for (const key of KEYS) await adapter.get(key)
  await adapter.close()
}

/** Random calls of one caller, which believes what it saw last. */
async function act(adapter: StorageAdapter, actor: number, calls: number, random: Random, clock: Clock): Promise<void> {
  const lengths = new Map<string, number>()
  const versions = new Map<string, string>()
  const below = (bound: number) => Math.floor(randomFraction(random) * bound)
  const pick = (names: readonly string[]) => names[below(names.length)] ?? ''

  const append = async (log: string, id: string) => {
    const records = Array.from({ length: 1 + below(3) }, (_, i) => `"${id}.${i}"`)
    const at = lengths.get(log) ?? 0
    await adapter.append(log, at, records)
    lengths.set(log, at + records.length)
  }
  const read = async (log: string) => {
    const reverse = below(2) === 0
    const batches = await collect(adapter.read(log, reverse ? { reverse, limit: 1 + below(4) } : {}))
    const newest = reverse ? batches[0] : batches.at(-1)
    lengths.set(log, newest ? newest.at + newest.records.length : 0)
  }
  const get = async (key: string) => void versions.set(key, (await adapter.get(key))?.version ?? 'absent')
  const put = async (key: string, id: string) => {
    const expect = versions.get(key) ?? 'absent'
    versions.set(key, await adapter.put(key, `"${id}"`, { expect }))
  }
  const remove = async (key: string) => {
    const known = versions.get(key) ?? 'absent'
    await adapter.remove(key, { expect: known === 'absent' || below(2) === 0 ? undefined : known })
    versions.set(key, 'absent')
  }
  const call = async (id: string): Promise<void> => {
    const [log, key, choice] = [pick(LOGS), pick(KEYS), below(100)]
    if (choice < 35) await append(log, id)
    else if (choice < 60) await read(log)
    else if (choice < 75) await get(key)
    else if (choice < 93) await put(key, id)
    else if (choice < 98) await remove(key)
    else await adapter.drop('race/dropped')
  }
  for (let i = 0; i < calls; i++) {
    try {
      await call(`${actor}.${i}`)
    } catch (error) {
      // An answer like any other. What is no error of the library is a fault of the adapter, or of this file.
      if (!SessionError.is(error)) throw error
    }
    await sleep(clock, randomFraction(random) * PAUSE)
  }
}
