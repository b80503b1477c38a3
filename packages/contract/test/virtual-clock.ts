import type { Clock } from '@sessiontree/core'

/** A clock that jumps to the next timer as soon as nothing else is ready: what waits on it comes in the order of its times. */
export function virtualClock(): Clock {
  const timers: { readonly at: number; readonly wake: () => void }[] = []
  let now = 0
  let pumping = false
  const pump = () => {
    pumping = true
    // setImmediate runs behind every microtask: whoever was woken has armed its next timer by then.
    setImmediate(() => {
      const next = timers.reduce((first, one) => (one.at < first.at ? one : first), timers[0]!)
      timers.splice(timers.indexOf(next), 1)
      now = Math.max(now, next.at)
      pumping = false
      if (timers.length > 0) pump()
      next.wake()
    })
  }
  return {
    now: () => now,
    elapsed: () => now,
    timer(milliseconds, wake) {
      const timer = { at: now + milliseconds, wake }
      timers.push(timer)
      if (!pumping) pump()
      return () => {
        // Cancelled, but kept: the pump counts on it.
        timers.splice(timers.indexOf(timer), 1, { at: timer.at, wake() {} })
      }
    },
  }
}
