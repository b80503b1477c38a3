import type { Signal } from '../runtime.ts'

/** A signal that its owner aborts. */
export class Stop implements Signal {
  aborted = false
  reason: unknown
  readonly #listeners: Set<() => void> = new Set()

  abort(reason: unknown): void {
    if (this.aborted) return
    this.aborted = true
    this.reason = reason
    for (const listener of this.#listeners) listener()
    this.#listeners.clear()
  }

  addEventListener(_type: 'abort', listener: () => void): void {
    this.#listeners.add(listener)
  }

  removeEventListener(_type: 'abort', listener: () => void): void {
    this.#listeners.delete(listener)
  }
}
