import {
  canonicalJson,
  LogFold,
  SessionError,
  type Clock,
  type LogDraft,
  type Random,
  type RecordHome,
  type Signal,
  type StoredValue,
} from '@sessiontree/core'
import { checkText } from './check-input.ts'
import { freshId, type NewEvent, type SessionEvent, type StoredEvent } from './event.ts'
import { EventReader, type ReadOptions } from './event-reader.ts'
import { checkHookRun, type HookRun, type NewHookRun } from './hook-run.ts'
import { checkInstant } from './instant.ts'
import { checkTokenUsage, type NewTokenUsage, type TokenUsage } from './token-usage.ts'

/** Options of every write. */
export interface WriteOptions {
  /** Honoured until the event is handed to the adapter; afterwards the call rejects with `UNCERTAIN`. */
  readonly signal?: Signal | undefined
}

/** Takes what must not be stored out of an event, before anything else sees it. */
export type StripEvent<Content> = (event: NewEvent<Content>) => NewEvent<Content>

/** The events of one session, token usage and hook runs beside them. Made by `openEvents`. */
export class Events<Content = unknown> extends EventReader<Content> {
  readonly #clock: Clock
  readonly #random: Random
  readonly #strip: StripEvent<Content>
  /** Where each id is. Read only once somebody gives an id. */
  readonly #ids = new LogFold<StoredEvent<Content>, Map<string, number>>(
    () => new Map(),
    (ids, { at, value }) => ids.set(value.id, at),
  )

  /** @internal Use `openEvents`. */
  constructor(home: RecordHome, strip: StripEvent<Content> = (event) => event) {
    super(home)
    this.#clock = home.clock
    this.#random = home.random
    this.#strip = strip
  }

  /** As {@link recordPersisted}, for whom it is enough that the event is stored. */
  async record(event: NewEvent<Content>, options?: WriteOptions): Promise<void> {
    await this.recordPersisted(event, options)
  }

  /**
   * Records an event and resolves with it as it is stored, when it is as durable as the adapter promises and every new query sees it.
   *
   * Contract
   * - Sequence numbers are 1, 2, 3 … without gaps, over all handles and processes; calls of one handle in call order, and those that wait share one
   *   write. A failed call takes no number.
   * - A blank turn id, type or agent name, or another session's id, is a `TypeError`, and so is what JSON cannot keep; nothing is written.
   * - An id that is taken: the same event resolves with the stored one, another is `DUPLICATE`.
   */
  async recordPersisted(event: NewEvent<Content>, { signal }: WriteOptions = {}): Promise<SessionEvent<Content>> {
    const { id, ...rest } = this.#checked(this.#strip(event))
    const log = this.home.log<StoredEvent<Content>>('event')
    if (id === undefined) {
      const [stored] = await log.append([{ id: freshId('ev', this.#random), ...rest }], signal)
      return this.event(stored as StoredValue<StoredEvent<Content>>)
    }
    let known: StoredValue<StoredEvent<Content>> | undefined
    const [stored] = await log.append(async (draft) => {
      known = await this.#find(draft, id)
      if (!known) return [{ id, ...rest }]
      const { timestamp, ...given } = rest
      // A time that was filled in differs each time.
      assertSame(known.value, event.timestamp ? { ...given, timestamp } : given)
      return []
    }, signal)
    return this.event((stored ?? known) as StoredValue<StoredEvent<Content>>)
  }

  /**
   * Reports what a turn has used so far.
   *
   * Contract
   * - What is null or absent keeps what was reported before, any other value replaces it, 0 too; nothing is summed. The timestamp is always replaced.
   * - Reports count in the order in which they are stored, whatever their timestamps say.
   */
  async recordTokenUsage(usage: NewTokenUsage, { signal }: WriteOptions = {}): Promise<void> {
    await this.home.log<TokenUsage>('usage').append([checkTokenUsage(usage, this.#clock)], signal)
  }

  /** Records one run of a hook and resolves with it as it is stored. A word that is none of the lists is a `TypeError`, nothing written. */
  async recordHookRun(run: NewHookRun, { signal }: WriteOptions = {}): Promise<HookRun> {
    this.checkSession(run.sessionId)
    const id = freshId('hook', this.#random)
    const [stored] = await this.home.log<HookRun>('hook').append([{ id, ...checkHookRun(run, this.#clock) }], signal)
    return (stored as StoredValue<HookRun>).value
  }

  /**
   * Empties events, usage and hook runs together. The handle goes on; sequence numbers start again at 1, under a new incarnation.
   *
   * Contract
   * - Whoever reads sees all of the old state or nothing of it. What was recorded before is gone for every handle, and nothing that is recorded afterwards is
   *   lost, also by a handle that slept meanwhile.
   * - Cursors from before it are recognised: `CONFLICT`. Interrupted anywhere, the next write finishes it.
   */
  async clear({ signal }: ReadOptions = {}): Promise<void> {
    await this.home.clear({ signal })
  }

  /**
   * As {@link clear}, but keeps what was there in the store, where nothing reads it any more: the way out when it is damaged. Nothing does this by
   * itself. Resolves with the number of the incarnation whose logs stay.
   */
  async quarantine({ signal }: ReadOptions = {}): Promise<{ readonly incarnation: number }> {
    return { incarnation: (await this.home.clear({ keep: true, signal })) - 1 }
  }

  #checked(event: NewEvent<Content>): Omit<StoredEvent<Content>, 'id'> & { readonly id: string | undefined } {
    this.checkSession(event.sessionId)
    const { content, id } = event
    if (content === undefined)
      throw new TypeError('content: expected a JSON value, got undefined; an empty text will do')
    return {
      id: id === undefined || id === '' ? undefined : checkText(id, 'id'),
      turnId: checkText(event.turnId, 'turnId'),
      type: checkText(event.type, 'type'),
      agentName: checkText(event.agentName, 'agentName'),
      timestamp: checkInstant(event.timestamp, this.#clock, 'timestamp'),
      content,
    }
  }

  async #find(
    draft: LogDraft<StoredEvent<Content>>,
    id: string,
  ): Promise<StoredValue<StoredEvent<Content>> | undefined> {
    const drafted = draft.drafted.find(({ value }) => value.id === id)
    if (drafted) return drafted
    const at = (await this.#ids.upTo(draft)).get(id)
    if (at === undefined || at >= draft.committed) return undefined
    for await (const stored of draft.read(at)) return stored
    return undefined
  }
}

/** The same id with other content is a mistake of the caller, never an overwrite. */
function assertSame(stored: object, given: object): void {
  const known = Object.fromEntries(Object.entries(stored).filter(([name]) => name in given))
  if (canonicalJson(known) === canonicalJson(given)) return
  throw new SessionError('DUPLICATE', 'An event with this id and other content is stored already; nothing was written.')
}
