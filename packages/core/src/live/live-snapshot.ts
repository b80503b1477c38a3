import { isMessageEntry, type Entry } from '../entry.ts'
import { deriveStatus, type SessionStatus } from '../lifecycle.ts'
import type { SessionState } from '../session-state.ts'
import { hasRunOut, LEASE_SKEW, leaseOf } from '../turns/lease.ts'
import type { Listener } from './news.ts'
import { PathMirror } from './path-mirror.ts'
import type { SnapshotStore } from './snapshot-store.ts'

/** Reads what a user interface shows of a session: at first the whole path, then what is new on it. */
export class LiveSnapshot<Message> {
  readonly #state: SessionState<Message>
  readonly #store: SnapshotStore<Message>
  readonly #mirror: PathMirror<Message, Entry<Message>>
  #path: readonly Entry<Message>[] = []
  #cancelTimer: (() => void) | undefined

  constructor(state: SessionState<Message>, store: SnapshotStore<Message>) {
    this.#state = state
    this.#store = store
    this.#mirror = new PathMirror(state, (found) => state.entry(found))
  }

  /** Resolves when `listening` has ended. */
  async keepUpToDate(listening: Listener): Promise<void> {
    const { news, journal } = this.#state
    try {
      await journal.refresh()
      for (let goesOn = !listening.hasEnded; goesOn;) {
        const { version } = news
        await this.#load()
        goesOn = await listening.until(version)
      }
    } finally {
      this.#cancelTimer?.()
    }
  }

  async #load(): Promise<void> {
    const { journal, shown, document } = this.#state
    const { leaf, turn } = journal.records.state
    const path = await this.#mirror.pathTo(leaf)
    const status = await this.#status(path, turn)
    // What is shown from now on is known: an append behind it does not conflict.
    if (journal.records.state.leaf?.id === leaf?.id) shown.show(journal.records)
    const isSame = path === this.#path && this.#store.current.isLoaded
    this.#path = path
    const entries = isSame ? this.#store.current.entries : path.filter((entry) => isMessageEntry(entry))
    const messages = isSame
      ? this.#store.current.messages
      : entries.flatMap((entry) => (isMessageEntry(entry) ? [entry.message] : []))
    const { title } = document
    this.#store.show({ messages, entries, leafId: leaf?.id ?? null, status, title, isLoaded: true, problem: undefined })
  }

  async #status(path: readonly Entry<Message>[], openTurnId: string | null): Promise<SessionStatus> {
    const { options, turn } = this.#state
    this.#cancelTimer?.()
    const statusWith = (activeTurnId: string | undefined) =>
      deriveStatus(newestFirst(path), options.format, { activeTurnId, openTurnId })
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
}

function* newestFirst<Item>(items: readonly Item[]): Generator<Item, void, void> {
  for (let at = items.length - 1; at >= 0; at--) yield items[at] as Item
}
