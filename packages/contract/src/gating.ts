import { SessionError, type StorageAdapter } from '@sessiontree/core'
import { intercept, isWrite, settle, unsettle, type Operation, type StoreCall } from './intercept.ts'

/** One call that is held, or that will be when it comes. */
export interface ParkedCall {
  /** Resolves with the call when it is held. */
  readonly parked: Promise<StoreCall>
  /** Lets the call go on. Resolves when the store has settled it; never rejects. */
  release(): Promise<void>
  /**
   * Lets the call reach the store, but not its answer reach the caller: a write rejects with `UNCERTAIN`, a read with
   * `UNAVAILABLE`. Resolves as `release` does.
   */
  dropResponse(): Promise<void>
  /** Rejects the caller with this error. Parked before the store: nothing happens there. Parked behind it: it has happened. */
  refuse(error: unknown): void
  /**
   * Rejects the caller as `dropResponse` does, at once, while the call stays parked: `release` then lets it land late, `refuse`
   * lets it get lost.
   */
  timeOut(): void
}

/** Options of {@link Gate.park}. */
export interface ParkOptions {
  /** Only a call on this log, key or prefix. */
  readonly name?: string
}

/** An adapter whose calls can be held. */
export interface Gate {
  readonly adapter: StorageAdapter
  /**
   * Holds the next call of this operation that nobody else has been told to hold, before it reaches the store or before its
   * answer reaches the caller. Of `read`, `logs` and `keys` it holds one step.
   */
  readonly park: (operation: Operation, moment: 'before' | 'after', options?: ParkOptions) => ParkedCall
  /** Releases everything that is held, calls that timed out too, and forgets what was parked for calls that have not come. */
  readonly open: () => void
}

/**
 * Wraps an adapter so that a test decides when each call reaches the store and when its answer comes back: every interleaving can be
 * played, in any order, without a timer.
 *
 * Contract
 * - A call is chosen when it starts, in the order in which `park` was called. What is not chosen passes.
 * - A verdict may be given before the call comes. The first one counts, but for what follows `timeOut`.
 * - `close` waits for held calls, as for any that are in flight.
 * - With nothing parked it passes everything on unchanged: the contract suite passes through it.
 *
 * @example
 * const gate = gating(memory({ store }))
 * const held = gate.park('append', 'before')
 * const slow = gate.adapter.append('log', 0, ['"slow"'])
 * await held.parked
 * await memory({ store }).append('log', 0, ['"fast"'])
 * await held.release() // and now slow rejects with CONFLICT
 */
export function gating(adapter: StorageAdapter): Gate {
  const waiting = new Set<Barrier>()
  const held = new Set<Barrier>()
  const take = (call: StoreCall, moment: Moment) => {
    for (const barrier of waiting) {
      if (!barrier.holds(call, moment)) continue
      waiting.delete(barrier)
      held.add(barrier)
      return barrier
    }
    return undefined
  }

  const gated = intercept(adapter, async (call, send) => {
    const before = take(call, 'before')
    const after = take(call, 'after')
    const sendOnce = async () => {
      const settled = await settle(send())
      before?.reached()
      return settled
    }
    let verdict: Verdict = { kind: 'release' }
    if (before) {
      verdict = await before.hold(call)
      held.delete(before)
    }
    if (verdict.kind === 'refuse' || verdict.kind === 'time-out') {
      // Nothing of this call gets to its end.
      if (after) {
        held.delete(after)
        after.reached()
      }
      if (verdict.kind === 'refuse') throw verdict.error
      if (before) held.add(before)
      void verdict.landing.then(async (late) => {
        if (before) held.delete(before)
        if (late.kind === 'refuse') before?.reached()
        else await sendOnce()
      })
      throw lost(call)
    }
    const settled = await sendOnce()
    if (after) {
      const last = await after.hold(call)
      after.reached()
      held.delete(after)
      if (last.kind === 'refuse') throw last.error
      if (last.kind !== 'release') throw lost(call)
    }
    if (verdict.kind === 'drop') throw lost(call)
    return unsettle(settled)
  })

  return {
    adapter: gated,
    park(operation, moment, options = {}) {
      const barrier = new Barrier(operation, moment, options.name)
      waiting.add(barrier)
      return barrier
    },
    open() {
      // Whoever releases one of these later must not wait for a call that passes.
      for (const barrier of waiting) barrier.reached()
      waiting.clear()
      for (const barrier of held) void barrier.release()
    },
  }
}

type Moment = 'before' | 'after'

type Verdict =
  | { readonly kind: 'release' | 'drop' }
  | { readonly kind: 'refuse'; readonly error: unknown }
  | { readonly kind: 'time-out'; readonly landing: Promise<Verdict> }

class Barrier implements ParkedCall {
  readonly parked: Promise<StoreCall>
  readonly #operation: Operation
  readonly #moment: Moment
  readonly #name: string | undefined
  readonly #park: (call: StoreCall) => void
  readonly #verdict: Promise<Verdict>
  #decide: (verdict: Verdict) => void
  readonly #reached: Promise<void>
  readonly reached: () => void

  constructor(operation: Operation, moment: Moment, name: string | undefined) {
    this.#operation = operation
    this.#moment = moment
    this.#name = name
    ;({ promise: this.parked, resolve: this.#park } = Promise.withResolvers<StoreCall>())
    ;({ promise: this.#verdict, resolve: this.#decide } = Promise.withResolvers<Verdict>())
    ;({ promise: this.#reached, resolve: this.reached } = Promise.withResolvers<void>())
  }

  holds(call: StoreCall, moment: Moment): boolean {
    const { operation, name } = call
    return this.#moment === moment && this.#operation === operation && (this.#name ?? name) === name
  }

  hold(call: StoreCall): Promise<Verdict> {
    this.#park(call)
    return this.#verdict
  }

  release(): Promise<void> {
    this.#decide({ kind: 'release' })
    return this.#reached
  }

  dropResponse(): Promise<void> {
    this.#decide({ kind: 'drop' })
    return this.#reached
  }

  refuse(error: unknown): void {
    this.#decide({ kind: 'refuse', error })
    if (this.#moment === 'before') this.reached()
  }

  timeOut(): void {
    const { promise, resolve } = Promise.withResolvers<Verdict>()
    this.#decide({ kind: 'time-out', landing: promise })
    // What comes after a verdict that counted already must not take its place.
    this.#decide = resolve
  }
}

function lost({ operation, name }: StoreCall): SessionError {
  const answer = `The answer to ${operation} of ${name} was lost by the gate`
  return isWrite(operation)
    ? new SessionError('UNCERTAIN', `${answer}; whether it took effect is unknown.`)
    : new SessionError('UNAVAILABLE', `${answer}.`)
}
