import {
  LogFold,
  SessionError,
  type CloseOptions,
  type RecordHome,
  type Signal,
  type StoredValue,
} from '@sessiontree/core'
import { cursorOf, parseCursor, staleCursor } from './cursor.ts'
import type { SessionEvent, StoredEvent } from './event.ts'
import { checkHookRunQuery, checkStoredRun, selectRuns, type HookRun, type HookRunQuery } from './hook-run.ts'
import {
  checkQuery,
  groupByTurn,
  matcher,
  passesAll,
  type EventFilter,
  type EventQuery,
  type TurnHistory,
} from './query.ts'
import { checkCount } from './check-input.ts'
import { mergeUsage, totalUsage, type TokenTotals, type TokenUsage } from './token-usage.ts'

/** Options of every read. */
export interface ReadOptions {
  readonly signal?: Signal | undefined
}

/** What {@link EventReader.page} is asked for. */
export interface PageOptions extends EventFilter, ReadOptions {
  /** The cursor of an event or of a page, or a sequence number: what comes after it. Default: the beginning. */
  readonly after?: string | number | undefined
  /** At most this many events. Default 100. */
  readonly limit?: number | undefined
}

/** A page of events, oldest first. */
export interface EventPage<Content = unknown> {
  readonly events: readonly SessionEvent<Content>[]
  /** Where the next page begins: pass it as `after`. */
  readonly cursor: string
  /** Whether there was anything more to look at behind it. */
  readonly hasMore: boolean
}

/** What {@link EventReader.follow} is asked for. */
export interface FollowOptions extends EventFilter, ReadOptions {
  /** The cursor of the last event that is known already, or its sequence number. Default: from the beginning. */
  readonly after?: string | number | undefined
}

const DEFAULT_PAGE = 100

/** The events of one session, for reading. */
export class EventReader<Content = unknown> {
  readonly sessionId: string
  /** @internal */
  protected readonly home: RecordHome
  readonly #usage = new LogFold<TokenUsage, Map<string, TokenUsage>>(
    () => new Map(),
    (turns, { value }) => turns.set(value.turnId, mergeUsage(turns.get(value.turnId), value)),
  )

  /** @internal Use `openEvents` or `openEventsReadOnly`. */
  constructor(home: RecordHome) {
    this.home = home
    this.sessionId = home.id
  }

  /**
   * Resolves with the events that match, oldest first.
   *
   * Contract
   * - All conditions must hold; `since` is inclusive, `afterSequence` exclusive. An empty array where nothing matches.
   * - `limit` gives the **latest** so many of them: with `afterSequence` it is a tail, not the next page. {@link page} goes forward and never skips.
   * - Reads from the newest event backwards, and no further than it must. A negative number is a `TypeError`.
   */
  async query(query: EventQuery & ReadOptions = {}): Promise<readonly SessionEvent<Content>[]> {
    const { after, limit } = checkQuery(query)
    const matches = matcher(query)
    const { signal } = query
    // Only where every event counts is it known how many are needed.
    const needed = passesAll(query) && limit < Infinity ? limit : undefined
    const found: SessionEvent<Content>[] = []
    for await (const stored of this.#log.read({ reverse: true, limit: needed, signal })) {
      if (stored.at < after) break
      if (!matches(stored.value)) continue
      found.push(this.event(stored))
      if (found.length === limit) break
    }
    return found.toReversed()
  }

  /**
   * Resolves with the next events after a cursor, oldest first, and a cursor for what follows: following it to the end meets every event exactly once.
   *
   * Contract
   * - A page may be empty and have more behind it only where a filter lets nothing pass.
   * - A cursor from before a clear is a `CONFLICT`.
   */
  async page(options: PageOptions = {}): Promise<EventPage<Content>> {
    const limit = checkCount(options.limit, 'limit') ?? DEFAULT_PAGE
    if (limit === 0) throw new TypeError('limit: a page has at least one event')
    const matches = matcher(options)
    const { signal } = options
    const cursor = parseCursor(options.after)
    const log = await this.#log.snapshot(signal)
    if (cursor.incarnation !== undefined && cursor.incarnation !== log.incarnation) throw staleCursor(cursor)
    const { sequence } = cursor
    // The event that the cursor is of shows that it is of these events.
    let isThere = sequence === 0
    const from = Math.max(0, sequence - 1)
    const needed = passesAll(options) ? sequence - from + limit + 1 : undefined
    const events: SessionEvent<Content>[] = []
    let last = sequence
    for await (const stored of log.read({ from, limit: needed, signal })) {
      isThere = true
      if (stored.at < sequence) continue
      if (events.length === limit) return { events, cursor: cursorOf(log.incarnation, last), hasMore: true }
      last = stored.at + 1
      if (matches(stored.value)) events.push(this.event(stored))
    }
    if (!isThere) throw staleCursor(cursor)
    return { events, cursor: cursorOf(log.incarnation, last), hasMore: false }
  }

  /**
   * Resolves with the events of a query by turn: turns in the order in which they first appear, each with all its events, also those
   * that another turn interrupted.
   *
   * Contract
   * - Filters and limit apply to the events before they are grouped: the first turn may be partial.
   */
  async history(query: EventQuery & ReadOptions = {}): Promise<readonly TurnHistory<Content>[]> {
    return groupByTurn(await this.query(query))
  }

  /** Resolves with what each turn has used, or one turn, in the order in which they first reported. */
  async tokenUsage({ turnId, signal }: { readonly turnId?: string | undefined } & ReadOptions = {}): Promise<
    readonly TokenUsage[]
  > {
    const turns = await this.#usage.upTo(await this.home.log<TokenUsage>('usage').committed(signal), signal)
    const all = [...turns.values()].map((usage) => ({ ...usage }))
    return turnId === undefined ? all : all.filter((usage) => usage.turnId === turnId)
  }

  /** Resolves with what all turns have used together. */
  async tokenTotals(options: ReadOptions = {}): Promise<TokenTotals> {
    return totalUsage(await this.tokenUsage(options))
  }

  /**
   * Resolves with runs of hooks, ordered by when they were recorded; equal times in the order of recording.
   *
   * Contract
   * - `limit` gives the latest so many. A word that is none of the list, or another session's id, is a `TypeError`.
   * - A stored run with such a word is `CORRUPT`, and the message names it.
   */
  async hookRuns(query: HookRunQuery & ReadOptions = {}): Promise<readonly HookRun[]> {
    checkHookRunQuery(query)
    this.checkSession(query.sessionId)
    const runs: HookRun[] = []
    for await (const { value } of this.home.log<HookRun>('hook').read({ signal: query.signal }))
      runs.push(checkStoredRun(value))
    return selectRuns(runs, query)
  }

  /**
   * Yields events as they are recorded, by whichever handle, and waits for more.
   *
   * Contract
   * - From the cursor on each later event exactly once and in order: with the cursor of the last one this goes on after any interruption.
   * - Ends with an error only: the signal's reason, `CLOSED`, or `CONFLICT` when the events are cleared, or were since the cursor.
   */
  async *follow(options: FollowOptions = {}): AsyncGenerator<SessionEvent<Content>, never, void> {
    const matches = matcher(options)
    const { incarnation, sequence } = parseCursor(options.after)
    const { signal } = options
    const following = this.#log.follow({ from: sequence, incarnation, signal })
    for await (const stored of following) if (matches(stored.value)) yield this.event(stored)
    throw new SessionError('IO', 'unreachable: following ends with an error only')
  }

  /**
   * Waits for what is under way, at most `timeout` milliseconds (5,000), then ends this handle. The adapter stays open: it is the caller's.
   *
   * Contract
   * - Later calls are `CLOSED`; so is a `close` beside this one; one after it resolves. `TIMEOUT` if not all ended in time; closed all the same.
   */
  close(options?: CloseOptions): Promise<void> {
    return this.home.close(options)
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  /** @internal */
  protected event({ incarnation, at, value }: StoredValue<StoredEvent<Content>>): SessionEvent<Content> {
    const { id, turnId, type, agentName, content, timestamp } = value
    const sequence = at + 1
    const cursor = cursorOf(incarnation, sequence)
    return { id, sessionId: this.sessionId, sequence, cursor, turnId, type, agentName, content, timestamp }
  }

  /** @internal */
  protected checkSession(sessionId: string | undefined): void {
    if (sessionId === undefined || sessionId.trim() === '' || sessionId === this.sessionId) return
    throw new TypeError(
      `sessionId: these are the events of ${JSON.stringify(this.sessionId)}, not of ${JSON.stringify(sessionId)}`,
    )
  }

  get #log() {
    return this.home.log<StoredEvent<Content>>('event')
  }
}
