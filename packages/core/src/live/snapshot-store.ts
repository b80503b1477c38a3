import type { Entry } from '../entry.ts'
import type { SessionStatus } from '../lifecycle.ts'
import type { SessionState } from '../session-state.ts'
import type { LiveSnapshot } from './live-snapshot.ts'
import type { Listener } from './news.ts'

/** A session at one moment, for a user interface. Never changes: something new is another object, with what stayed the same in it. */
export interface SessionSnapshot<Message> {
  /** The messages on the path, oldest first. */
  readonly messages: readonly Message[]
  /** The entries that carry them; `entries[i]` has `messages[i]`. */
  readonly entries: readonly Entry<Message>[]
  /** The active end; null before the first entry. */
  readonly leafId: string | null
  readonly status: SessionStatus
  readonly title: string | undefined
  /** False until the session was read for the first time. */
  readonly isLoaded: boolean
  /** Why the session could not be read; what is shown is what was read before. */
  readonly problem: unknown
}

/** The snapshot of a session, and who wants to know when there is another one. */
export class SnapshotStore<Message> {
  readonly #state: SessionState<Message>
  readonly #listeners = new Set<() => void>()
  #current: SessionSnapshot<Message>
  #live: LiveSnapshot<Message> | undefined
  #listening: Listener | undefined

  constructor(state: SessionState<Message>) {
    this.#state = state
    this.#current = Object.freeze({
      messages: [],
      entries: [],
      leafId: null,
      status: 'idle',
      title: state.document.title,
      isLoaded: false,
      problem: undefined,
    })
  }

  get current(): SessionSnapshot<Message> {
    return this.#current
  }

  /** Calls `listener` whenever {@link current} is another one; returns what ends that. */
  subscribe(listener: () => void): () => void {
    // One that is given twice is called twice.
    const own = () => listener()
    this.#listeners.add(own)
    if (!this.#listening) void this.#keepUpToDate(this.#state.news.listen())
    return () => {
      this.#listeners.delete(own)
      if (this.#listeners.size > 0) return
      this.#listening?.end()
      this.#listening = undefined
    }
  }

  /** Puts another one in the place of the current one, unless both say the same. */
  show(next: SessionSnapshot<Message>): void {
    const current = this.#current
    const fields = Object.keys(next) as (keyof SessionSnapshot<Message>)[]
    if (fields.every((field) => next[field] === current[field])) return
    this.#current = Object.freeze(next)
    for (const listener of this.#listeners) listener()
  }

  async #keepUpToDate(listening: Listener): Promise<void> {
    this.#listening = listening
    try {
      const live = await import('../parts/conversation.ts')
      this.#live ??= new live.LiveSnapshot(this.#state, this)
      await this.#live.keepUpToDate(listening)
    } catch (problem) {
      if (!listening.hasEnded) this.show({ ...this.#current, problem })
    } finally {
      listening.end()
      // The next subscription tries again.
      if (this.#listening === listening) this.#listening = undefined
    }
  }
}
