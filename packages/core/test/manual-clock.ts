import type { Clock } from '../src/index.ts'

/** A clock that stands still until it is told to go on. */
export interface ManualClock extends Clock {
  /** Goes on by so many milliseconds, and lets everything happen that falls due on the way, in its order. */
  advance(milliseconds: number): Promise<void>
}

export function manualClock(start = 1_700_000_000_000): ManualClock {
  let now = start
  const timers = new Set<{ readonly at: number; readonly wake: () => void }>()
  // What was woken runs to its next wait: behind every microtask and what they put off.
  const settle = async () => {
    for (let i = 0; i < 5; i++) await new Promise((resolve) => setImmediate(resolve))
  }
  return {
    now: () => now,
    elapsed: () => now - start,
    timer(milliseconds, wake) {
      const timer = { at: now + milliseconds, wake }
      timers.add(timer)
      return () => timers.delete(timer)
    },
    async advance(milliseconds) {
      const end = now + milliseconds
      for (;;) {
        await settle()
        const due = [...timers].filter(({ at }) => at <= end).toSorted((a, b) => a.at - b.at)[0]
        if (!due) break
        now = Math.max(now, due.at)
        timers.delete(due)
        due.wake()
      }
      now = end
      await settle()
    },
  }
}
