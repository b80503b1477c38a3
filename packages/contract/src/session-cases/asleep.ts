import { systemClock, type Clock } from '@sessiontree/core'

// Renewals of a lease come later than this, pauses between two attempts sooner.
const LONG = 5_000

/** A clock that is ahead by so many milliseconds, and never wakes anybody who waits long: no lease is renewed by whoever has it. */
export function asleep(ahead = 0): Clock {
  return {
    now: () => systemClock.now() + ahead,
    elapsed: () => systemClock.elapsed(),
    timer: (milliseconds, wake) => (milliseconds < LONG ? systemClock.timer(milliseconds, wake) : () => {}),
  }
}

/** So far ahead that a lease which was taken just now has run out. */
export const EXPIRED = 60_000
