import { isMessageEntry, type Entry } from '../entry.ts'
import { deriveStatus, type SessionStatus } from '../lifecycle.ts'
import type { SessionState } from '../session-state.ts'
import { hasRunOut, LEASE_SKEW, leaseOf } from '../turns/lease.ts'
import type { Listener } from './news.ts'
import { PathMirror } from './path-mirror.ts'

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

/** What a user interface shows of a session, kept up to date while somebody is subscribed. */
export class LiveSnapshot<Message> {
  readonly #state: SessionState<Message>
  readonly #listeners = new Set<() => void>()
  readonly #mirror: PathMirror<Message, Entry<Message>>
  #path: readonly Entry<Message>[] = []
  #current: SessionSnapshot<Message>
  #listening: Listener | undefined
  #cancelTimer: (() => void) | undefined

  constructor(state: SessionState<Message>) {
    this.#state = state
    this.#mirror = new PathMirror(state, (found) => state.entry(found))
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
    if (!this.#listening) void this.#run(this.#state.news.listen())
    return () => {
      this.#listeners.delete(own)
      if (this.#listeners.size > 0) return
      this.#listening?.end()
      this.#listening = undefined
      this.#cancelTimer?.()
    }
  }

  async #run(listening: Listener): Promise<void> {
    this.#listening = listening
    const { news, journal } = this.#state
    try {
      await journal.refresh()
      for (let goesOn = true; goesOn;) {
        const { version } = news
        await this.#load()
        goesOn = await listening.until(version)
      }
    } catch (problem) {
      if (!listening.hasEnded) this.#show({ ...this.#current, problem })
    } finally {
      listening.end()
      // The next subscription tries again.
      if (this.#listening === listening) this.#listening = undefined
    }
  }

  async #load(): Promise<void> {
    const { journal, shown, document } = this.#state
    const { leaf } = journal.records.state
    const path = await this.#mirror.pathTo(leaf)
    const status = await this.#status(path)
    // What is shown from now on is known: an append behind it does not conflict.
    if (journal.records.state.leaf?.id === leaf?.id) shown.show(journal.records)
    const isSame = path === this.#path && this.#current.isLoaded
    this.#path = path
    const entries = isSame ? this.#current.entries : path.filter((entry) => isMessageEntry(entry))
    const messages = isSame
      ? this.#current.messages
      : entries.flatMap((entry) => (isMessageEntry(entry) ? [entry.message] : []))
    const { title } = document
    this.#show({ messages, entries, leafId: leaf?.id ?? null, status, title, isLoaded: true, problem: undefined })
  }

  async #status(path: readonly Entry<Message>[]): Promise<SessionStatus> {
    const { options, turn } = this.#state
    this.#cancelTimer?.()
    const statusWith = (activeTurnId: string | undefined) =>
      deriveStatus(newestFirst(path), options.format, { activeTurnId })
    const lifecycle = statusWith(turn?.identity.id)
    if (lifecycle.status !== 'interrupted') return lifecycle.status
    // Another handle's turn may be alive: its lease tells.
    const known = leaseOf(this.#state.document)
    const now = options.clock.now()
    if (!known || known.turn !== lifecycle.turnId || hasRunOut(known, now)) await this.#state.readDocument()
    const lease = leaseOf(this.#state.document)
    if (!lease || hasRunOut(lease, now)) return 'interrupted'
    const left = Date.parse(lease.expiresAt) + LEASE_SKEW + 1 - now
    this.#cancelTimer = options.clock.timer(left, () => this.#state.news.tell())
    return statusWith(lease.turn).status
  }

  #show(next: SessionSnapshot<Message>): void {
    const current = this.#current
    const fields = Object.keys(next) as (keyof SessionSnapshot<Message>)[]
    if (fields.every((field) => next[field] === current[field])) return
    this.#current = Object.freeze(next)
    for (const listener of this.#listeners) listener()
  }
}

function* newestFirst<Item>(items: readonly Item[]): Generator<Item, void, void> {
  for (let at = items.length - 1; at >= 0; at--) yield items[at] as Item
}
