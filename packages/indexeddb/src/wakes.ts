import type { Signal } from '@sessiontree/core'

/**
 * Wakes whoever waits for a log to grow, in this handle and in all others of the origin: tabs, workers, and handles of the same page.
 *
 * Contract
 * - Only the name of the log travels, and only as a hint: a wake may be spurious, late or missing.
 * - Nothing is opened before the first `tell` or `watch`.
 */
export class Wakes {
  /** Whether this runtime can. */
  static get available(): boolean {
    return typeof BroadcastChannel !== 'undefined'
  }

  readonly #database: string
  readonly #watchers = new Map<string, Set<() => void>>()
  #channel: BroadcastChannel | undefined

  constructor(database: string) {
    this.#database = database
  }

  watch(log: string, wake: () => void, signal: Signal): void {
    const watchers = this.#watchers.get(log) ?? new Set()
    // A function of its own: the same one may watch twice.
    const watcher = () => wake()
    this.#watchers.set(log, watchers.add(watcher))
    const end = () => {
      watchers.delete(watcher)
      if (watchers.size === 0 && this.#watchers.get(log) === watchers) this.#watchers.delete(log)
    }
    signal.addEventListener('abort', end, { once: true })
    this.#open()
  }

  /** Tells everybody that a log may have grown. */
  tell(log: string): void {
    if (!Wakes.available) return
    this.#wake(log)
    // Its own channel object is the only one that a message does not reach.
    this.#open()?.postMessage(log)
  }

  close(): void {
    this.#watchers.clear()
    this.#channel?.close()
    this.#channel = undefined
  }

  #open(): BroadcastChannel | undefined {
    if (this.#channel) return this.#channel
    try {
      this.#channel = new BroadcastChannel(`sessiontree ${this.#database}`)
    } catch {
      // A page without storage of its own; its hints are missing.
      return undefined
    }
    this.#channel.addEventListener('message', ({ data }) => this.#wake(String(data)))
    return this.#channel
  }

  #wake(log: string): void {
    for (const watcher of this.#watchers.get(log) ?? []) {
      // Each by itself: one that throws keeps nobody from waking. Not at once: `watch` has returned, whoever calls.
      void Promise.resolve().then(() => {
        if (this.#watchers.get(log)?.has(watcher)) watcher()
      })
    }
  }
}
