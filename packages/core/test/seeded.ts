import type { Clock, Random } from '../src/index.ts'

/** Deterministic bytes: the same seed gives the same ids, tokens and jitter. */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0 || 1
  const next = () => {
    state ^= state << 13
    state >>>= 0
    state ^= state >>> 17
    state ^= state << 5
    state >>>= 0
    return state
  }
  return { bytes: (length) => Uint8Array.from({ length }, () => next() >>> 11) }
}

/** A clock that goes on by one millisecond whenever it is asked, and whose timers fire at once. */
export function seededClock(start = 1_700_000_000_000): Clock {
  let now = start
  return {
    now: () => now++,
    elapsed: () => now,
    timer(milliseconds, wake) {
      now += milliseconds
      const handle = setImmediate(wake)
      return () => clearImmediate(handle)
    },
  }
}
