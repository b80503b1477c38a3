import type { Environment } from '../environment.ts'
import { randomFraction, type Signal } from '../runtime.ts'
import { Stop } from './stop.ts'

const SHORTEST_PAUSE = 20
const LONGEST_PAUSE = 1000
// A hint may be missing: it only makes the pauses longer.
const LONGEST_WATCHED_PAUSE = 5000

/** Waits for news of one log: for the adapter's hint where there is one, else for a pause that grows while nothing comes. */
export class Waiting {
  readonly #environment: Environment
  readonly #signals: readonly Signal[]
  readonly #watching = new Stop()
  readonly #isWatched: boolean
  #isWoken = false
  #wake: (() => void) | undefined
  #pause = SHORTEST_PAUSE

  /** Any of the signals ends the waiting at once. */
  constructor(environment: Environment, log: string, signals: readonly (Signal | undefined)[]) {
    this.#environment = environment
    this.#signals = signals.filter((signal) => signal !== undefined)
    const { adapter } = environment
    this.#isWatched = adapter.watch !== undefined
    for (const signal of this.#signals) signal.addEventListener('abort', this.#hear, { once: true })
    adapter.watch?.(log, this.#hear, this.#watching)
  }

  /** Something came: the next pause is short. */
  reset(): void {
    this.#pause = SHORTEST_PAUSE
  }

  /** Resolves when it is worth looking again. */
  async next(): Promise<void> {
    const { clock, random } = this.#environment
    if (!this.#isWoken && !this.#signals.some(({ aborted }) => aborted)) {
      const longest = this.#isWatched ? LONGEST_WATCHED_PAUSE : LONGEST_PAUSE
      await new Promise<void>((resolve) => {
        const cancel = clock.timer(this.#pause * (0.5 + randomFraction(random) / 2), resolve)
        this.#wake = () => {
          cancel()
          resolve()
        }
      })
      this.#pause = Math.min(longest, this.#pause * 2)
    }
    this.#isWoken = false
    this.#wake = undefined
  }

  /** Stops listening. */
  end(): void {
    this.#watching.abort(undefined)
    for (const signal of this.#signals) signal.removeEventListener('abort', this.#hear)
  }

  readonly #hear = (): void => {
    this.#isWoken = true
    this.#wake?.()
  }
}
