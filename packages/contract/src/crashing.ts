import type { StorageAdapter } from '@sessiontree/core'
import { intercept, settle, unsettle } from './intercept.ts'

/** Options of {@link crashing}. */
export interface CrashingOptions {
  /**
   * How many steps happen before the crash: each call (of an iterator each pull) is two, its request and its answer. `Infinity`: no
   * crash, to learn how many steps there are.
   */
  readonly after: number
}

/** An adapter in a process that dies. */
export interface Crashing {
  readonly adapter: StorageAdapter
  /** Resolves when the process is dead and the store has settled what had reached it. Never without a crash. */
  readonly crashed: Promise<void>
  /** How many steps have happened. */
  readonly steps: number
}

/**
 * Wraps an adapter so that its process dies after a number of steps, as seen from outside: what had reached the store takes effect,
 * nothing else does, and nobody gets an answer any more. For running a protocol up to every step, reopening, and looking
 * at what is there.
 *
 * Contract
 * - An even `after` ends before a request reaches the store, an odd one before the answer of the one that did (calls side by side may mix).
 * - From then on nothing settles, `close` included: a dead process says nothing. Wait for the protocol or `crashed`, whichever comes
 *   first, and close the wrapped handle yourself.
 * - Until then it passes everything on unchanged: the contract suite passes through it.
 *
 * @throws {TypeError} if `after` is neither a whole number from 0 nor `Infinity`.
 *
 * @example
 * for (let after = 0, done = false; !done; after++) {
 *   const store = new MemoryStore()
 *   const { adapter, crashed } = crashing(memory({ store }), { after })
 *   done = await Promise.race([protocol(adapter).then(() => true), crashed.then(() => false)])
 *   await checkWhatIsThere(memory({ store }))
 * }
 */
export function crashing(adapter: StorageAdapter, { after }: CrashingOptions): Crashing {
  if (after !== Infinity && (!Number.isInteger(after) || after < 0)) {
    throw new TypeError(`after: expected a whole number from 0, or Infinity, got ${String(after)}`)
  }
  const { promise: crashed, resolve: crash } = Promise.withResolvers<void>()
  const atStore = new Set<Promise<unknown>>()
  let steps = 0
  let dead = false
  const silence = () => new Promise<never>(() => {})
  // Synchronous: between a step and what it allows nobody may die.
  const dies = (): boolean => {
    if (steps < after) {
      steps++
      return false
    }
    if (!dead) {
      dead = true
      void Promise.all(atStore).then(() => crash())
    }
    return true
  }
  const dying = intercept(adapter, async (_call, send) => {
    if (dies()) await silence()
    const running = settle(send())
    atStore.add(running)
    const settled = await running
    atStore.delete(running)
    if (dies()) await silence()
    return unsettle(settled)
  })
  return {
    adapter: dying,
    crashed,
    get steps() {
      return steps
    },
  }
}
