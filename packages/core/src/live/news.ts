import type { StorageAdapter } from '../adapter.ts'
import { SessionError } from '../errors.ts'
import type { InFlight } from '../in-flight.ts'
import { newAbortController, type AbortController, type Clock } from '../runtime.ts'

/** What {@link News} works with. */
export interface NewsOptions {
  readonly adapter: StorageAdapter
  readonly clock: Clock
  readonly inFlight: InFlight
  /** The log that may grow. */
  readonly log: () => string
  /** Looks what others appended. */
  readonly look: () => Promise<void>
  /** Looks whether the session still exists, and what became of its title. */
  readonly lookAtDocument: () => Promise<void>
}

/** Between two looks lie at least these milliseconds, however many hints come. */
export const SHORTEST_PAUSE = 25
/** And at most these: a hint may be missing. */
export const LONGEST_PAUSE = 2_000
/** A session that is silent so long may be gone. */
const SILENCE = 30_000

/** Somebody who wants to know what is new. */
export interface Listener {
  /** Resolves with true once something is newer than `version`, with false once it has ended. Rejects when looking fails for good. */
  until(version: number): Promise<boolean>
  /** Lets whoever waits go. */
  end(): void
  /** Whether it has ended, also because the handle was closed. */
  readonly hasEnded: boolean
}

interface Waiter {
  readonly resolve: (goesOn: boolean) => void
  readonly reject: (error: unknown) => void
}

/**
 * What is new in one session, for all who wait on one handle: they share one look, and one watch of the adapter.
 *
 * Contract
 * - Looks only while somebody waits. Without `watch` after 25 ms, then twice as long each time up to 2 s, and after 25 ms again once there was something;
 *   with it when it hints, else every 2 s.
 * - What this handle itself appends is told without a look.
 * - A failure that may pass (`retry`) is tried again; any other is told to whoever waits.
 */
export class News {
  readonly #options: NewsOptions
  readonly #listeners = new Set<object>()
  readonly #waiting = new Set<Waiter>()
  #version = 0
  #isRunning = false
  #hinted = false
  /** Ends the pause that is under way. */
  #interrupt: (() => void) | undefined

  constructor(options: NewsOptions) {
    this.#options = options
  }

  /** Rises with whatever is new. */
  get version(): number {
    return this.#version
  }

  /** Says that there is something new. */
  tell(): void {
    this.#version++
    for (const { resolve } of this.#takeWaiting()) resolve(true)
  }

  /** Begins to listen. */
  listen(): Listener {
    const listener = {}
    const own = new Set<Waiter>()
    let ended = false
    const end = () => {
      if (ended) return
      ended = true
      stopListening()
      this.#listeners.delete(listener)
      for (const waiter of own) {
        this.#waiting.delete(waiter)
        waiter.resolve(false)
      }
      if (this.#listeners.size === 0) this.#interrupt?.()
    }
    const stopListening = this.#options.inFlight.onClose(end)
    this.#listeners.add(listener)
    const until = async (version: number) => {
      if (ended) return false
      if (this.#version !== version) return true
      let waiter: Waiter | undefined
      const news = new Promise<boolean>((resolve, reject) => {
        waiter = { resolve, reject }
        own.add(waiter)
        this.#waiting.add(waiter)
        if (!this.#isRunning) void this.#run()
        else this.#interrupt?.()
      })
      try {
        return await news
      } finally {
        own.delete(waiter as Waiter)
      }
    }
    return {
      until,
      end,
      get hasEnded() {
        return ended
      },
    }
  }

  async #run(): Promise<void> {
    const { clock, adapter } = this.#options
    this.#isRunning = true
    let watch: { readonly log: string; readonly controller: AbortController } | undefined
    let heardAt = clock.elapsed()
    let pause = SHORTEST_PAUSE
    while (this.#listeners.size > 0) {
      const log = this.#options.log()
      if (watch?.log !== log) {
        watch?.controller.abort()
        watch = adapter.watch && { log, controller: this.#watch(log) }
      }
      await this.#rest(watch ? LONGEST_PAUSE : pause)
      const before = this.#version
      if (this.#listeners.size === 0) break
      if (this.#waiting.size === 0) continue
      try {
        await this.#options.look()
        if (this.#version === before && clock.elapsed() - heardAt >= SILENCE) {
          heardAt = clock.elapsed()
          await this.#options.lookAtDocument()
        }
      } catch (error) {
        if (!SessionError.is(error) || !error.retry) for (const { reject } of this.#takeWaiting()) reject(error)
      }
      if (this.#version !== before) heardAt = clock.elapsed()
      pause = this.#version === before ? Math.min(2 * pause, LONGEST_PAUSE) : SHORTEST_PAUSE
    }
    watch?.controller.abort()
    this.#isRunning = false
    // Somebody may have come while the last one left.
    if (this.#waiting.size > 0) void this.#run()
  }

  /** Waits out a pause, or the shortest one if there was a hint; then until somebody wants to know. */
  async #rest(pause: number): Promise<void> {
    await this.#pause(SHORTEST_PAUSE, () => false)
    if (pause > SHORTEST_PAUSE) await this.#pause(pause - SHORTEST_PAUSE, () => this.#hinted)
    while (this.#listeners.size > 0 && this.#waiting.size === 0) await this.#pause(undefined, () => false)
    this.#hinted = false
  }

  #pause(milliseconds: number | undefined, isOver: () => boolean): Promise<void> {
    if (isOver() || this.#listeners.size === 0) return Promise.resolve()
    return new Promise((resolve) => {
      let cancel: (() => void) | undefined
      const end = () => {
        cancel?.()
        this.#interrupt = undefined
        resolve()
      }
      if (milliseconds !== undefined) cancel = this.#options.clock.timer(milliseconds, end)
      this.#interrupt = () => {
        if (milliseconds === undefined || this.#listeners.size === 0 || isOver()) end()
      }
    })
  }

  #watch(log: string): AbortController {
    const controller = newAbortController()
    const { adapter, inFlight } = this.#options
    try {
      inFlight.assertOpen()
      adapter.watch?.(
        log,
        () => {
          this.#hinted = true
          this.#interrupt?.()
        },
        controller.signal,
      )
    } catch {
      // Nothing but a hint: whatever is wrong, the next look tells.
    }
    return controller
  }

  #takeWaiting(): readonly Waiter[] {
    const waiting = [...this.#waiting]
    this.#waiting.clear()
    return waiting
  }
}
