/**
 * Time, randomness and cancellation as this library sees them: structural types, so that a test can inject a seeded
 * pair and replay a fault exactly. This is the only file that may touch `globalThis` (a lint rule keeps it so).
 */

/** The clock that everything waits on. Inject another through `openSessions(adapter, { clock })` or an adapter's options. */
export interface Clock {
  /** Wall-clock time in milliseconds since 1970, as `Date.now()`. May jump. */
  now(): number
  /** Milliseconds since some fixed moment; never goes back. For measuring how long something has been watched. */
  elapsed(): number
  /**
   * Calls `wake` once after at least `milliseconds`; returns a function that cancels it. One `inBackground` need not keep a process
   * running that has nothing else to do.
   */
  timer(milliseconds: number, wake: () => void, options?: { readonly inBackground?: boolean }): () => void
}

/** The source of every id, token and jitter. */
export interface Random {
  /** `length` fresh random bytes. */
  bytes(length: number): Uint8Array
}

/** What this library needs of an `AbortSignal`; any `AbortSignal` fits. */
export interface Signal {
  readonly aborted: boolean
  readonly reason: unknown
  addEventListener(type: 'abort', listener: () => void, options?: { once?: boolean }): void
  removeEventListener(type: 'abort', listener: () => void): void
}

/** The runtime's own `AbortSignal` where its types are known, so that it can be passed to `fetch` and the like. */
export type RuntimeSignal = typeof globalThis extends { AbortSignal: { prototype: infer Native } }
  ? Native & Signal
  : Signal

interface Platform {
  readonly crypto: { getRandomValues(array: Uint8Array): Uint8Array }
  readonly performance: { now(): number }
  readonly AbortController: new () => AbortController
  setTimeout(wake: () => void, milliseconds: number): Timer
  clearTimeout(timer: never): void
}
type Timer = number | { unref?(): void } | undefined

const platform = globalThis as unknown as Platform

// setTimeout takes a 32-bit signed delay; a longer one would fire at once.
const LONGEST_TIMER = 2_147_483_647

/** The runtime's own clock. */
export const systemClock: Clock = Object.freeze({
  now: () => Date.now(),
  elapsed: () => platform.performance.now(),
  timer(milliseconds: number, wake: () => void, { inBackground = false }: { readonly inBackground?: boolean } = {}) {
    let timer: Timer
    const arm = (left: number) => {
      const part = Math.min(left, LONGEST_TIMER)
      timer = platform.setTimeout(() => (part < left ? arm(left - part) : wake()), part)
      // Node's timers keep the process running unless told not to; a browser's are numbers.
      if (inBackground && typeof timer === 'object') timer?.unref?.()
    }
    arm(Math.max(0, milliseconds))
    return () => platform.clearTimeout(timer as never)
  },
})

// getRandomValues refuses more than this in one call.
const RANDOM_QUOTA = 65_536

/** The runtime's own cryptographic randomness. */
export const systemRandom: Random = Object.freeze({
  bytes(length: number) {
    const bytes = new Uint8Array(length)
    for (let at = 0; at < length; at += RANDOM_QUOTA) {
      platform.crypto.getRandomValues(bytes.subarray(at, at + RANDOM_QUOTA))
    }
    return bytes
  },
})

/** What aborts a signal of its own. */
export interface AbortController {
  readonly signal: RuntimeSignal
  abort(reason?: unknown): void
}

/** A fresh signal of the runtime's own kind, so that it fits wherever an adapter passes it on. */
export function newAbortController(): AbortController {
  return new platform.AbortController()
}

/** Throws the signal's reason if it is aborted. */
export function throwIfAborted(signal: Signal | undefined): void {
  if (signal?.aborted) throw signal.reason
}

/** Resolves after `milliseconds` of the given clock; rejects with the signal's reason as soon as that aborts. */
export function sleep(clock: Clock, milliseconds: number, signal?: Signal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason)
    const abort = () => {
      cancel()
      reject(signal?.reason)
    }
    const cancel = clock.timer(milliseconds, () => {
      signal?.removeEventListener('abort', abort)
      resolve()
    })
    signal?.addEventListener('abort', abort, { once: true })
  })
}

/** A random number in [0, 1), for jitter. */
export function randomFraction(random: Random): number {
  const [a = 0, b = 0, c = 0, d = 0] = random.bytes(4)
  return (a * 0x1000000 + b * 0x10000 + c * 0x100 + d) / 0x100000000
}
