import type { Clock } from '../runtime.ts'

/** How often a lease is renewed, in milliseconds. */
export const RENEW_EVERY = 10_000

const RETRY_EVERY = 2_000

/** Calls `renew` now and then until it is stopped; sooner again when it failed. */
export class Renewal {
  readonly #clock: Clock
  readonly #renew: () => Promise<void>
  #cancel: (() => void) | undefined
  #isStopped = false

  /** `renew` rejects if it may succeed another time. */
  constructor(clock: Clock, renew: () => Promise<void>) {
    this.#clock = clock
    this.#renew = renew
    this.#wait(RENEW_EVERY)
  }

  stop(): void {
    this.#isStopped = true
    this.#cancel?.()
  }

  #wait(milliseconds: number): void {
    if (this.#isStopped) return
    // A turn alone must not keep a process running.
    this.#cancel = this.#clock.timer(milliseconds, () => void this.#run(), { inBackground: true })
  }

  async #run(): Promise<void> {
    const [renewed] = await Promise.allSettled([this.#renew()])
    this.#wait(renewed.status === 'fulfilled' ? RENEW_EVERY : RETRY_EVERY)
  }
}
