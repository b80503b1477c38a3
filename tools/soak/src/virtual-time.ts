import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Clock } from '@sessiontree/core'

interface Event {
  readonly time: number
  readonly order: number
  readonly wake: () => void
}

// How many turns of the event loop a step gets: more than the longest chain of them that waits for no event.
const TURNS = 3
// How many steps without any event are taken for a hang.
const IDLE_STEPS = 20_000

/** Time that passes only when everybody waits, so that a schedule depends on nothing but its seed. */
export class VirtualTime implements Clock {
  #now = Date.UTC(2026, 0, 1)
  #order = 0
  #events: Event[] = []

  now(): number {
    return this.#now
  }

  elapsed(): number {
    return this.#now
  }

  timer(milliseconds: number, wake: () => void): () => void {
    const event: Event = { time: this.#now + Math.max(0, milliseconds), order: this.#order++, wake }
    this.#events.push(event)
    return () => {
      this.#events = this.#events.filter((each) => each !== event)
    }
  }

  /** Lets time pass until a promise settles, and settles like it. Rejects if nothing is left that could settle it. */
  async until<Result>(promise: Promise<Result>): Promise<Result> {
    let settled = false
    const end = () => {
      settled = true
    }
    promise.then(end, end)
    for (let idle = 0; ; idle++) {
      for (let turn = 0; turn < TURNS; turn++) if (!settled) await nextTurn()
      if (settled) return promise
      if (this.#fire()) idle = 0
      if (idle > IDLE_STEPS) throw new Error('hang: nothing is left to wait for, and the operation has not ended')
    }
  }

  /** Takes the earliest event; of several at one time the one that was planned first. */
  #fire(): boolean {
    let next: Event | undefined
    for (const event of this.#events) {
      if (!next || event.time < next.time || (event.time === next.time && event.order < next.order)) next = event
    }
    if (!next) return false
    this.#events = this.#events.filter((each) => each !== next)
    this.#now = Math.max(this.#now, next.time)
    next.wake()
    return true
  }
}

/** A clock on which everything is due at once, in the order in which it was asked for; for what needs no schedule. */
export const eagerClock: Clock = Object.freeze({
  now: () => Date.UTC(2026, 0, 1),
  elapsed: () => 0,
  timer(_milliseconds: number, wake: () => void) {
    let cancelled = false
    void nextTurn().then(() => {
      if (!cancelled) wake()
    })
    return () => {
      cancelled = true
    }
  },
})
