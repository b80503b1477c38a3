/** An object repeats what leads up to its own records only inside its block of this many indices. */
export const BLOCK = 64
/** And at most this many bytes of it. */
export const REPEAT_BYTES: number = 256 * 1024

/**
 * How many records before `at` an object with the own records `at ≤ index < end` should repeat: with k ≤ 6 the largest for
 * which the object reaches or passes a multiple of 2^k, those back to the multiple of 2^k at or below `at`.
 */
export function wantedRepeats(at: number, end: number): number {
  let width = 1
  while (width < BLOCK && Math.floor(at / (width * 2)) < Math.floor(end / (width * 2))) width *= 2
  return at % width
}

/** One object as a listing shows it. It holds `from` ≤ index < the next newer object's `at`, if its size tells the truth. */
export interface Held {
  /** Its first own record. */
  readonly at: number
  /** Its first record, own or repeated. */
  readonly from: number
  readonly size: number
  readonly etag?: string | undefined
}

/** One object to fetch, and which of its records are wanted. */
export interface Pick {
  /** Undefined: no listed object holds these. */
  readonly object: Held | undefined
  /** The first own record of the next newer object. `Infinity` if none is listed. */
  readonly next: number
  readonly from: number
  /** `Infinity`: to the end of the object. */
  readonly to: number
}

export interface Cover {
  /** From high to low indices; together they leave out nothing between `reached` and `high`. */
  readonly picks: readonly Pick[]
  readonly reached: number
}

/**
 * Chooses few objects that together hold `low ≤ index < high`, from the top: each time the one that reaches furthest back. Stops
 * above `low` where the listing ends.
 *
 * @param objects newest first, without a gap.
 */
export function cover(objects: readonly Held[], low: number, high: number): Cover {
  const picks: Pick[] = []
  let reached = high
  let start = 0
  while (reached > low) {
    // A block's last object repeats from the block's start: nothing newer than that helps.
    while ((objects[start]?.at ?? -1) >= reached + BLOCK - 1) start++
    let best = -1
    for (let i = start; i < objects.length; i++) {
      const object = objects[i] as Held
      if (nextOf(objects, i) < reached) break
      if (object.from < reached && (best < 0 || better(object, objects[best] as Held, low))) best = i
    }
    if (best < 0) break
    const object = objects[best] as Held
    const from = Math.max(object.from, low)
    picks.push({ object, next: nextOf(objects, best), from, to: reached })
    reached = from
  }
  return { picks, reached }
}

const nextOf = (objects: readonly Held[], i: number) => objects[i - 1]?.at ?? Infinity

/** Reaching back further is better, but nobody asked for what is below `low`; then the smaller object is. */
function better(one: Held, other: Held, low: number): boolean {
  const [a, b] = [Math.max(one.from, low), Math.max(other.from, low)]
  return a < b || (a === b && one.size < other.size)
}

/** The end of the round that begins at `start` and brings at least `budget` bytes of records, as far as sizes tell. */
export function roundEnd(picks: readonly Pick[], start: number, budget: number): number {
  let [end, bytes] = [start, 0]
  while (end < picks.length && (end === start || bytes < budget)) bytes += leastBytes(picks[end++] as Pick)
  return end
}

// The header, 8 bytes for each length in it, and the padding bring no records; and of an object that is used in part, the rest may be
// all that is large.
function leastBytes({ object, next, to }: Pick): number {
  if (!object || to < next) return 0
  const held = Math.min(next, object.at + 1) - object.from
  return Math.max(0, object.size - 192 - 8 * held)
}
