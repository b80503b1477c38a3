import type { Clock } from '../src/index.ts'

/** A clock that goes on when it is told to. Pauses of less than two seconds take no time: nobody waits for a back-off. */
export interface HandClock extends Clock {
  /** Lets time pass, by the wall and by the monotonic clock, and wakes whoever waited for it, in order. */
  advance(milliseconds: number): Promise<void>
  /** Sets the wall clock by so much, as an administrator would. */
  jump(milliseconds: number): void
  /** How many wait. */
  readonly waiting: number
}

export const START = 1_700_000_000_000

/** What is under way gets to its end, or to where it waits. */
export const settle = async () => {
  for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve))
}

export function handClock(start: number = START): HandClock {
  let [elapsed, wall] = [0, start]
  const timers = new Set<{ readonly at: number; readonly wake: () => void }>()
  return {
    now: () => wall,
    elapsed: () => elapsed,
    timer(milliseconds, wake) {
      if (milliseconds < 2000) {
        const handle = setImmediate(wake)
        return () => clearImmediate(handle)
      }
      const timer = { at: elapsed + milliseconds, wake }
      timers.add(timer)
      return () => timers.delete(timer)
    },
    async advance(milliseconds) {
      const end = elapsed + milliseconds
      for (;;) {
        const next = [...timers].toSorted((a, b) => a.at - b.at).find(({ at }) => at <= end)
        const to = next?.at ?? end
        wall += to - elapsed
        elapsed = to
        if (!next) return
        timers.delete(next)
        next.wake()
        await settle()
      }
    },
    jump(milliseconds) {
      wall += milliseconds
    },
    get waiting() {
      return timers.size
    },
  }
}
