import type { EntryReference } from './ancestry.ts'
import type { Context, ContextOptions } from './context.ts'
import type { Lifecycle } from './lifecycle.ts'
import type { Entry, JsonObject } from './entry.ts'
import { EntryStream } from './entry-stream.ts'
import { SnapshotStore, type SessionSnapshot } from './live/snapshot-store.ts'
import { followEntries, type Following, type FollowOptions } from './live/follow.ts'
import type { Leaf } from './record.ts'
import type { PathOptions, ReadOptions } from './session-options.ts'
import { readPath } from './read-path.ts'
import { readEntries, readEntry, readLeaf } from './session-reads.ts'
import type { ForkOrigin } from './session-document.ts'
import type { SessionState } from './session-state.ts'
import type { SessionParent } from './sub-agents.ts'
import type { TurnInfo } from './turns/lease.ts'
import type { RetryPoint } from './turns/standing.ts'
import type { SessionTree } from './tree/session-tree.ts'
import type { Verification, VerifyOptions } from './verify.ts'

/** What can be read of a session: everything that writes nothing. Each handle that writes is one, too: {@link Session}. */
export class ReadableSession<Message> {
  readonly #state: SessionState<Message>
  #live: SnapshotStore<Message> | undefined

  /** @internal Made by `Sessions`. */
  constructor(state: SessionState<Message>) {
    this.#state = state
  }

  get id(): string {
    return this.#state.document.id
  }

  /** UTC, ISO 8601 with milliseconds. */
  get createdAt(): string {
    return this.#state.document.createdAt
  }

  /** As it was when this handle last looked at the session's document: when it was opened, changed or refreshed. */
  get title(): string | undefined {
    return this.#state.document.title
  }

  /** As {@link title}; not to be changed in place. */
  get metadata(): JsonObject {
    return this.#state.document.metadata ?? {}
  }

  /** Where this session was forked: the session, and the last entry that they share, null if there is none. Undefined if it is no fork. */
  get forkedFrom(): ForkOrigin | undefined {
    return this.#state.document.forkedFrom
  }

  /** The session that this one belongs to, as a sub-agent's does, and the entry that called for it. */
  get parent(): SessionParent | undefined {
    return this.#state.document.parent
  }

  /** Resolves with the active end of the session, or undefined if it has none: an empty session, or moved before the first entry. */
  leaf(options: ReadOptions = {}): Promise<Entry<Message> | undefined> {
    return readLeaf(this.#state, options)
  }

  /** Resolves with one entry; `NOT_FOUND` if it is not in this session. Given an entry instead of an id it is one read. */
  entry(reference: EntryReference, options: ReadOptions = {}): Promise<Entry<Message>> {
    return readEntry(this.#state, reference, options)
  }

  /**
   * Streams every entry of every branch in the order of appending.
   *
   * Contract
   * - Where a repair found records missing, there is an entry of type `lost` with the indexes `first` to `last`.
   */
  entries(options: ReadOptions = {}): EntryStream<Message> {
    return new EntryStream(() => readEntries(this.#state, options))
  }

  /**
   * Streams the entries from the first one to the leaf. Of a path of more than 4 MiB memory holds where its entries lie, and they are read twice.
   *
   * Contract
   * - `leaf` ends at another entry instead, `last: n` starts n entries before the end and reads no more than that needs.
   * - `NOT_FOUND` for an unknown `leaf`; `CORRUPT` if the chain of parents is broken.
   * - Where a repair found the parent missing, there is an entry of type `lost`, and the path goes on with the leaf before the gap.
   */
  path(options: PathOptions = {}): EntryStream<Message> {
    return new EntryStream(() => readPath(this.#state, options))
  }

  /**
   * Resolves with the shape of the session: every entry without its content, and the branches that they form.
   *
   * Contract
   * - Reads the whole session once and holds some 300 bytes for each entry; no entry's content stays in memory.
   * - A branch for each end; the one that the leaf ends is active. Labels stand at their entries.
   *
   * @example
   * const { branches } = await session.tree()
   * const ends = branches.map(({ tip }) => session.path({ leaf: tip, last: 1 }))
   */
  async tree(options: ReadOptions = {}): Promise<SessionTree> {
    const looking = this.#look(options)
    const { readTree } = await import('./parts/conversation.ts')
    return readTree(this.#state, options, looking)
  }

  /**
   * Resolves with what the model is shown: messages, with the entries they come from.
   *
   * Contract
   * - Reads from the leaf backwards, and no further than the context goes: to the newest compaction and what it keeps, or until the
   *   budget (`maxTokens`, `maxBytes`) is used up.
   * - The rules of {@link ContextProjection}: whole tool batches only, the newest compaction alone counts.
   *
   * @example
   * const { messages } = await session.context({ maxTokens: 100_000 })
   */
  async context(options: ContextOptions & ReadOptions = {}): Promise<Context<Message>> {
    const looking = this.#state.turn?.holdsLeaf ? undefined : this.#look(options)
    const { readContext } = await import('./parts/conversation.ts')
    return readContext(this.#state, options, looking)
  }

  /**
   * Streams entries as they are appended, by whomever: every branch, in the order of appending, until the loop is left.
   *
   * Contract
   * - Each entry exactly once and in order, also when a repair moves the session to another log. `after: entry` goes on behind one: a reader that was
   *   interrupted misses nothing and gets nothing twice. Without it, from the call on; `after: null` from the beginning.
   * - Ends without an error when `signal` aborts, the sessions are closed or the loop is left. `DELETED` when the session is.
   * - What others append is seen within 2 s, sooner where the adapter has `watch` or something was seen just before. A session that is silent costs one small read every 2 s,
   *   for all followers of a handle together, and nothing while none of them waits.
   * - Whoever is given an entry has been shown it: an append behind it does not conflict.
   *
   * @example
   * for await (const entry of session.follow({ after: lastSeen, signal })) render(entry)
   */
  follow(options: FollowOptions = {}): Following<Message> {
    return followEntries(this.#state, options)
  }

  /**
   * For user interfaces: what {@link subscribe} keeps up to date. The same object until something changed; nothing of it ever changes. Bound, as `subscribe` is: for
   * `useSyncExternalStore(session.subscribe, session.snapshot)` and the like.
   */
  readonly snapshot = (): SessionSnapshot<Message> => this.#liveSnapshot().current

  /**
   * Calls `listener` whenever {@link snapshot} gives another object; returns what ends that.
   *
   * Contract
   * - Reads the path with the first subscription, and from then on what is new on it, by whomever: as {@link follow} does, and at its cost. Messages that stay on the path
   *   stay the same objects.
   * - Nothing is read while nobody is subscribed. What cannot be read is `snapshot().problem`; subscribing again tries again.
   */
  readonly subscribe = (listener: () => void): (() => void) => this.#liveSnapshot().subscribe(listener)

  /**
   * Resolves with where the session stands, derived from the markers on its path and from who holds it: see {@link Lifecycle}.
   *
   * Contract
   * - Reads from the leaf backwards, no further than the newest turn; a path without markers whole.
   * - Shows no entry: an append behind what somebody else appended meanwhile is a `CONFLICT` as before.
   */
  status(options: ReadOptions = {}): Promise<Lifecycle> {
    return this.#state.options.inFlight.run(async () =>
      (await import('./parts/conversation.ts')).readStatus(this.#state, options.signal),
    )
  }

  /**
   * Resolves with where the newest failure can be tried again: `beginTurn({ from })` there, without the user's message once more.
   *
   * Contract
   * - The entry before the newest save point of the turn that failed, else the newest message of a user; `NO_RETRY_TARGET` without either.
   *
   * @example
   * await using turn = await session.beginTurn({ from: await session.retryTarget() })
   */
  retryTarget(options: ReadOptions = {}): Promise<RetryPoint<Message>> {
    return this.#state.options.inFlight.run(async () =>
      (await import('./parts/conversation.ts')).findRetry(this.#state, options.signal),
    )
  }

  /**
   * Resolves with the turn that holds the session, or undefined: as its document says now, whatever it says.
   *
   * Contract
   * - `isExpired` if the next turn may take over: by the lease's time, by the lock of its holder, or because the log says that the turn has ended.
   */
  activeTurn(options: ReadOptions = {}): Promise<TurnInfo | undefined> {
    return this.#state.options.inFlight.run(async () =>
      (await import('./parts/conversation.ts')).activeTurn(this.#state, options.signal),
    )
  }

  /**
   * Reads the whole session and checks every record, hash, digest and reference; resolves with what it found.
   *
   * Contract
   * - Damage is reported, never thrown, and nothing is written. Rejects only if the store cannot be read at all.
   * - Finds any change and any loss inside. That nothing was cut from the end only `expect` can prove: a digest kept elsewhere.
   * - A `TypeError` if `expect` is no digest.
   * - Holds about 200 bytes for each entry.
   *
   * @example
   * const { ok, digest, problems } = await session.verify()
   */
  verify(options: VerifyOptions = {}): Promise<Verification> {
    return this.#state.options.inFlight.run(async () =>
      (await import('./parts/upkeep.ts')).verifySession(this.#state, options),
    )
  }

  /**
   * Looks again: at the session's document (title, metadata, whether it still exists) and at what others appended.
   *
   * Contract
   * - `DELETED` or `NOT_FOUND` if the session is gone. Until this call or a write tells it, a handle may still show what it has read.
   */
  async refresh({ signal }: ReadOptions = {}): Promise<void> {
    await this.#state.readDocument(signal)
    await this.#state.look(signal)
  }

  /** Begins a look in the order of calls: what it is for may have to be loaded first. */
  #look({ signal }: ReadOptions): Promise<Leaf | null> {
    const looking = this.#state.look(signal)
    looking.catch(() => undefined)
    return looking
  }

  #liveSnapshot(): SnapshotStore<Message> {
    this.#live ??= new SnapshotStore(this.#state)
    return this.#live
  }
}
