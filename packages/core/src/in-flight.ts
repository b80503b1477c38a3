import { SessionError } from './errors.ts'

/** What is under way on a handle: lets `close` wait for it, and refuses what starts afterwards. */
export class InFlight {
  readonly #what: string
  readonly #running = new Set<Promise<unknown>>()
  readonly #onClose = new Set<() => void>()
  #closing: Promise<void> | undefined

  /** `what` names the handle in the message of `CLOSED`. */
  constructor(what: string) {
    this.#what = what
  }

  /** Throws `CLOSED` once closing began. */
  assertOpen(): void {
    if (this.#closing) throw new SessionError('CLOSED', `This ${this.#what} was closed; open another.`)
  }

  /** Starts an operation and counts it until it has settled; rejects with `CLOSED` once closing began. */
  async run<Result>(start: () => Promise<Result>): Promise<Result> {
    this.assertOpen()
    return this.finish(start)
  }

  /** Like {@link run}, but also for the end of something that began before closing did. */
  async finish<Result>(start: () => Promise<Result>): Promise<Result> {
    const running = start()
    this.#running.add(running)
    try {
      return await running
    } finally {
      this.#running.delete(running)
    }
  }

  /** Calls `stop` once, when closing begins: for what waits without being under way. Returns what takes that back. */
  onClose(stop: () => void): () => void {
    this.#onClose.add(stop)
    return () => void this.#onClose.delete(stop)
  }

  /** Waits until nothing is under way, then releases what the handle holds; once, however often it is called. */
  close(release: () => Promise<void>): Promise<void> {
    this.#closing ??= this.#drain(release)
    return this.#closing
  }

  async #drain(release: () => Promise<void>): Promise<void> {
    for (const stop of this.#onClose) stop()
    while (this.#running.size > 0) await Promise.allSettled(this.#running)
    await release()
  }
}
