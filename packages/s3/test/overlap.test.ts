import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { encodeLogObject, heldBySize } from '../src/log-object.ts'
import { cover, REPEAT_BYTES, roundEnd, wantedRepeats, type Held } from '../src/overlap.ts'
import { lastWithin } from '../src/tails.ts'

describe('how many records an object repeats', () => {
  test.each([
    // [at, end, repeats]: one by one, the lengths of a binary counter
    [0, 1, 0],
    [1, 2, 1],
    [2, 3, 0],
    [3, 4, 3],
    [4, 5, 0],
    [5, 6, 1],
    [7, 8, 7],
    [31, 32, 31],
    [63, 64, 63],
    [64, 65, 0],
    [127, 128, 63],
    [9999, 10_000, 15],
    // batches: back to the multiple below their own start
    [5, 8, 5],
    [10, 70, 10],
    [60, 70, 60],
    [63, 65, 63],
    [64, 200, 0],
    [70, 200, 6],
    [100, 101, 0],
    [100, 103, 0],
    [100, 104, 4],
  ])('[%i, %i) repeats %i', (at, end, repeats) => expect(wantedRepeats(at, end)).toBe(repeats))

  test('and never leaves its block', () => {
    for (let at = 0; at < 300; at++) {
      for (let end = at + 1; end < at + 80; end++) {
        const repeats = wantedRepeats(at, end)
        expect(repeats).toBeLessThanOrEqual(at % 64)
        // Whoever ends a block holds all of it.
        if (Math.floor(at / 64) < Math.floor(end / 64)) expect(repeats).toBe(at % 64)
      }
    }
  })
})

/** A log in memory: what lies in each object, and its listing, newest first. */
interface Simulated {
  readonly listing: readonly Held[]
  /** [first record held, end] by the index of the first own record. */
  readonly held: ReadonlyMap<number, readonly [number, number]>
  readonly sizes: readonly number[]
}

/** `known`: how many of the records before it a writer knows at most. */
function simulate(batches: readonly { readonly sizes: readonly number[]; readonly known: number }[]): Simulated {
  const listing: Held[] = []
  const held = new Map<number, readonly [number, number]>()
  const sizes: number[] = []
  for (const batch of batches) {
    const at = sizes.length
    const end = at + batch.sizes.length
    const before = sizes.slice(0, at).map((size) => new Uint8Array(size))
    const repeated = lastWithin(before, Math.min(batch.known, wantedRepeats(at, end)))
    sizes.push(...batch.sizes)
    const body = encodeLogObject(
      at,
      'i'.repeat(32),
      repeated,
      batch.sizes.map((size) => new Uint8Array(size)),
    )
    listing.unshift(heldBySize(at, body.length))
    held.set(at, [at - repeated.length, end])
  }
  return { listing, held, sizes }
}

/** Fetches what `cover` picked and checks that it delivers each index from `reached` up to `high` exactly once. */
function delivered({ listing, held, sizes }: Simulated, low: number, high: number): number[] {
  const { picks, reached } = cover(listing, low, high)
  expect(reached).toBe(Math.min(low, high))
  const indices: number[] = []
  for (const pick of picks) {
    const [from, end] = held.get(pick.object?.at ?? -1) ?? [0, 0]
    // The size told the truth about what the object holds.
    expect(pick.object?.from).toBe(from)
    for (let index = Math.min(pick.to, end) - 1; index >= pick.from; index--) indices.push(index)
    expect(pick.from).toBeGreaterThanOrEqual(from)
  }
  expect(indices).toEqual(range(low, Math.min(high, sizes.length)).toReversed())
  return indices
}

const range = (from: number, to: number) => Array.from({ length: Math.max(0, to - from) }, (_, i) => from + i)

const batches = fc.array(
  fc.record({
    sizes: fc.array(fc.oneof(fc.nat(40), fc.constantFrom(1, 100, 5000, 90_000, 300_000)), {
      minLength: 1,
      maxLength: 9,
    }),
    known: fc.constantFrom(63, 63, 63, 0, 5, 20),
  }),
  { minLength: 1, maxLength: 60 },
)

describe('what to fetch', () => {
  test('any pattern of batches is readable from any tail and in any range', () => {
    fc.assert(
      fc.property(batches, fc.nat(), fc.nat(), (pattern, one, other) => {
        const log = simulate(pattern)
        const [a, b] = [one % log.sizes.length, other % log.sizes.length]
        delivered(log, a, Infinity)
        if (a !== b) delivered(log, Math.min(a, b), Math.max(a, b))
        delivered(log, 0, Infinity)
      }),
      { numRuns: 150 },
    )
  }, 60_000)

  test('a listing that ends early is covered as far as it goes', () => {
    const { listing } = simulate(range(0, 200).map(() => ({ sizes: [100], known: 63 })))
    expect(cover(listing.slice(0, 10), 0, Infinity).reached).toBe(128)
    expect(cover([], 0, 50)).toEqual({ picks: [], reached: 50 })
  })

  test('one record is one object, the smallest that holds it', () => {
    const { listing } = simulate(range(0, 200).map(() => ({ sizes: [1000], known: 63 })))
    const { picks } = cover(listing, 70, 71)
    expect(picks).toHaveLength(1)
    expect(picks[0]?.object?.at).toBe(70)
  })

  // 330 bytes is the least that a record of core has; batches of a few, mixed sizes, and one by one.
  test.each([
    { name: '330 B one by one', size: () => 330, batch: () => 1 },
    { name: '1 kB one by one', size: () => 1000, batch: () => 1 },
    { name: '330 B in batches of 1 to 5', size: () => 330, batch: (n: number) => 1 + (n % 5) },
    {
      name: '330 B to 4 kB in batches of 1 to 3',
      size: (n: number) => 330 + ((n * 7919) % 3700),
      batch: (n: number) => 1 + (n % 3),
    },
    { name: '95 % 500 B, 5 % 1 MB', size: (n: number) => (n % 20 === 7 ? 1_000_000 : 500), batch: () => 1 },
  ])('64 KiB of tail take at most 12 GETs in one round: $name', ({ size, batch }) => {
    // Only the last records matter, and those at any length of the log: so the sizes of the objects are worked out, not their bodies.
    const sizes: number[] = []
    let listing: Held[] = []
    let most = 0
    while (sizes.length < 10_000) {
      const at = sizes.length
      for (let i = 0; i < batch(listing.length); i++) sizes.push(size(sizes.length))
      const end = sizes.length
      let [from, bytes] = [at, 0]
      while (at - from < wantedRepeats(at, end) && bytes + (sizes[from - 1] ?? 0) <= REPEAT_BYTES)
        bytes += sizes[--from] ?? 0
      const total = sizes.slice(from, end).reduce((sum, one) => sum + one + 6, 120)
      listing = [heldBySize(at, total + ((((at - from - total) % 64) + 64) % 64)), ...listing.slice(0, 255)]
      const { picks } = cover(listing, Math.max(0, at - 255), Infinity)
      const round = picks.slice(0, roundEnd(picks, 0, 65_536))
      most = Math.max(most, round.length)
      // All that was asked for came in that round.
      const reached = round.at(-1)?.from ?? 0
      const got = sizes.slice(reached).reduce((sum, one) => sum + one, 0)
      if (reached > 0 && round.length < picks.length) expect(got).toBeGreaterThanOrEqual(65_536)
    }
    expect(most).toBeLessThanOrEqual(12)
    expect(most).toBeGreaterThan(1)
  })
})
