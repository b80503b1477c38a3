import { summarisedCompaction, type CompactOptions } from '../compact.ts'
import type { Context, ContextOptions } from '../context.ts'
import type { EntryContent, TerminalStatus } from '../entry-types.ts'
import { entryIds } from '../append.ts'
import type { Entry, JsonObject, UnknownContent } from '../entry.ts'
import { SessionError } from '../errors.ts'
import type { SessionStatus } from '../lifecycle.ts'
import { messageContents } from '../new-message.ts'
import type { RecordContent } from '../record.ts'
import { newAbortController, type RuntimeSignal, type Signal } from '../runtime.ts'
import { assertEntryType } from '../session-append.ts'
import type { ReadOptions } from '../session-options.ts'
import type { SessionState } from '../session-state.ts'
import { copyMetadata } from '../session-fields.ts'
import { leaseLost } from './active-turn.ts'
import type { BegunTurn } from './begin-turn.ts'
import type { RecoveredTurn } from './close-open-turn.ts'
import { epochOf, LEASE_TIME, leaseOf } from './lease.ts'
import { Renewal } from './renewal.ts'
import { summaryField, summaryOf } from './summary.ts'
import type { HeldLock } from './turn-lock.ts'
import { TurnBranch, type TurnAppendOptions } from './turn-branch.ts'

/** How a turn ended. */
export interface TurnEnd<Message = unknown> {
  readonly status: TerminalStatus
  /** The marker that says so. */
  readonly entry: Entry<Message>
  /** Why the session's document could not be told. The turn has ended all the same, and the next one begins as ever. */
  readonly problem?: unknown
}

const STATUS: Readonly<Record<TerminalStatus, SessionStatus>> = {
  completed: 'completed',
  waiting: 'waiting',
  failed: 'failed',
  aborted: 'cancelled',
}

/**
 * One run of an agent on a session, from `started` to its end: nobody else moves the leaf or extends its branch meanwhile. Made by
 * {@link Session.beginTurn}.
 *
 * Contract
 * - What it appends follows its own entries, and takes the leaf while that is its own.
 * - Once another turn took over (by force, or because this one did not renew its lease in time) nothing of this one is written any more: every call
 *   rejects with `LEASE_LOST`, however long ago it was made, and `signal` aborts. If the session was deleted after that, it is `DELETED`; on S3 a call
 *   that others had overtaken by more than one record may resolve instead, with what nobody can read (`[drop.late]` of the adapter contract).
 * - `complete`, `wait`, `fail` and `abort` end it, each by one append and one put that no signal stops. Disposal of a turn that has not ended is `abort`.
 *
 * @example
 * await using turn = await session.beginTurn()
 * await turn.append({ role: 'user', content: 'Where is my parcel?' })
 * const { messages } = await turn.context()
 * await turn.append(await model(messages, turn.signal))
 * await turn.complete()
 */
export class Turn<Message> implements AsyncDisposable {
  readonly id: string
  readonly owner: string
  /** Higher than that of any turn before it. */
  readonly epoch: number
  /** Aborts, with the reason, as soon as it is known that the turn is lost. */
  readonly signal: RuntimeSignal
  /** The turn that it found open and closed on its way in. */
  readonly recovered: readonly RecoveredTurn[]
  readonly #state: SessionState<Message>
  readonly #branch: TurnBranch<Message>
  readonly #source = newAbortController()
  readonly #renewal: Renewal
  readonly #lock: HeldLock | undefined
  readonly #forgetClose: () => void
  /** Of the failure and the marker that end it: the same, however often that is tried. */
  readonly #endIds: readonly string[]
  #ending: Promise<TurnEnd<Message>> | undefined
  #end: TurnEnd<Message> | undefined
  #lost: unknown

  /** @internal Made by {@link Session.beginTurn}. */
  constructor(state: SessionState<Message>, begun: BegunTurn) {
    const { id, owner, epoch, started, recovered, lock } = begun
    const { clock, inFlight } = state.options
    this.id = id
    this.owner = owner
    this.epoch = epoch
    this.recovered = recovered
    this.signal = this.#source.signal
    this.#state = state
    this.#lock = lock
    this.#endIds = entryIds(2, undefined, state.options)
    this.#branch = new TurnBranch(state, { id, epoch }, started)
    this.#renewal = new Renewal(clock, () => inFlight.run(() => this.#renew()))
    this.#forgetClose = inFlight.onClose(() => this.#renewal.stop())
    state.turn = this.#branch
  }

  /**
   * Appends a message of this turn, or a batch of messages that become visible together, and resolves with what was stored; like
   * {@link Session.append} otherwise.
   *
   * Contract
   * - Each follows the one before it, the first of them the turn's last entry, or `parent`, an entry of this turn (else `INVALID_PARENT`).
   *   Nobody else can be first: it never conflicts.
   * - With `leaf: "keep"` the next one does not follow it.
   * - `LEASE_LOST` if another turn took over, `CLOSED` if this one has ended; nothing is written.
   */
  append(message: Message, options?: TurnAppendOptions): Promise<Entry<Message>>
  append(messages: readonly Message[], options?: TurnAppendOptions): Promise<readonly Entry<Message>[]>
  async append(
    messages: Message | readonly Message[],
    options: TurnAppendOptions = {},
  ): Promise<Entry<Message> | readonly Entry<Message>[]> {
    const batch = Array.isArray(messages)
    const list = (batch ? messages : [messages]) as readonly Message[]
    const contents = messageContents(list, this.#state.options.format)
    const entries = await this.#append(contents instanceof Promise ? await contents : contents, options)
    return batch ? entries : (entries[0] as Entry<Message>)
  }

  /** Records an entry of any type, or a batch; like {@link append} otherwise. */
  record(content: EntryContent<Message> | UnknownContent, options?: TurnAppendOptions): Promise<Entry<Message>>
  record(
    contents: readonly (EntryContent<Message> | UnknownContent)[],
    options?: TurnAppendOptions,
  ): Promise<readonly Entry<Message>[]>
  async record(
    contents: EntryContent<Message> | UnknownContent | readonly (EntryContent<Message> | UnknownContent)[],
    options: TurnAppendOptions = {},
  ): Promise<Entry<Message> | readonly Entry<Message>[]> {
    const batch = Array.isArray(contents)
    const list = (batch ? contents : [contents]) as readonly RecordContent[]
    for (const content of list) assertEntryType(content)
    const entries = await this.#append(list, options)
    return batch ? entries : (entries[0] as Entry<Message>)
  }

  /** Marks a point from which a retry can go on; resolves with the marker. Every call has its result there, or the provider would refuse it. */
  async savePoint(
    metadata?: JsonObject,
    options: { readonly signal?: Signal | undefined } = {},
  ): Promise<Entry<Message>> {
    const [entry] = await this.#append([marker('save_point', metadata)], options)
    return entry as Entry<Message>
  }

  /**
   * Resolves with what the model is shown at this point of the turn; as {@link Session.context} otherwise.
   *
   * Contract
   * - Reads once. From then on the turn knows its path: no request, whatever it appends.
   */
  context(options: ContextOptions & ReadOptions = {}): Promise<Context<Message>> {
    return this.#branch.path.context(options)
  }

  /** Compacts the conversation from inside the turn: see {@link Session.compact}. */
  async compact(options: CompactOptions<Message>): Promise<Entry<Message> | undefined> {
    this.#assertOpen()
    const { signal } = options
    const before = await this.context({ purpose: 'compaction', signal })
    const content = await summarisedCompaction(before, this.#state.options.format, options)
    if (!content) return undefined
    // The context goes on with what the turn appended while the summary was made.
    const { entries } = await this.context({ purpose: 'compaction', signal })
    const firstKeptEntryId = content.firstKeptEntryId ?? entries[before.entries.length]?.id ?? null
    return this.record({ ...content, firstKeptEntryId }, { signal })
  }

  /** Ends the turn: it has done what it was for. */
  complete(metadata?: JsonObject): Promise<TurnEnd<Message>> {
    return this.#finish('completed', () => [marker('completed', metadata)])
  }

  /** Ends the turn: it waits for the user. */
  wait(metadata?: JsonObject): Promise<TurnEnd<Message>> {
    return this.#finish('waiting', () => [marker('waiting', metadata)])
  }

  /** Ends the turn with what went wrong, which is kept as a `run_failure`. */
  fail(error: unknown, metadata?: JsonObject): Promise<TurnEnd<Message>> {
    return this.#finish('failed', () => [{ type: 'run_failure', error: textOf(error) }, marker('failed', metadata)])
  }

  /** Ends the turn: somebody called it off. */
  abort(metadata?: JsonObject): Promise<TurnEnd<Message>> {
    return this.#finish('aborted', () => [marker('aborted', metadata)])
  }

  /** Ends a turn that has not ended as {@link abort} does. One that was lost, or whose session is gone, has no end of its own to write. */
  async [Symbol.asyncDispose](): Promise<void> {
    try {
      await (this.#ending ?? this.abort())
    } catch (error) {
      const isOver = ['LEASE_LOST', 'DELETED', 'NOT_FOUND'].some((code) => SessionError.is(error, code as 'LEASE_LOST'))
      if (!isOver) throw error
    }
  }

  async #append(contents: readonly RecordContent[], options: TurnAppendOptions): Promise<readonly Entry<Message>[]> {
    this.#assertOpen()
    try {
      return await this.#branch.append(contents, options)
    } catch (error) {
      throw this.#noteLoss(error)
    }
  }

  #assertOpen(): void {
    if (this.#lost !== undefined) throw this.#lost
    if (!this.#ending) return
    const how = this.#end ? `has ended (${this.#end.status})` : 'is ending'
    throw new SessionError('CLOSED', `Turn ${JSON.stringify(this.id)} ${how}; begin another with beginTurn().`)
  }

  async #finish(status: TerminalStatus, contents: () => readonly RecordContent[]): Promise<TurnEnd<Message>> {
    if (this.#end?.status === status) return this.#end
    this.#assertOpen()
    const last = contents()
    const ending = this.#state.options.inFlight.run(() => this.#write(status, last))
    this.#ending = ending
    try {
      this.#end = await ending
      return this.#end
    } catch (error) {
      // Whoever is told that it failed may try again, or end the turn in another way.
      this.#ending = undefined
      throw this.#noteLoss(error)
    }
  }

  async #write(status: TerminalStatus, contents: readonly RecordContent[]): Promise<TurnEnd<Message>> {
    const entry = await this.#branch.end(contents, this.#endIds.slice(-contents.length))
    // What was tried before may have been stored after all.
    const found = entry.type === 'turn_marker' ? ((entry as { status?: TerminalStatus }).status ?? status) : status
    this.#renewal.stop()
    const [told] = await Promise.allSettled([this.#tell(found, entry)])
    await this.#letGo()
    return { status: found, entry, ...(told.status === 'rejected' && { problem: told.reason as unknown }) }
  }

  /** Gives the lease back, and says how the session stands. */
  async #tell(status: TerminalStatus, entry: Entry<Message>): Promise<void> {
    await this.#state.change((current) => {
      if (epochOf(current) !== this.epoch) return undefined
      const { lease: _lease, ...rest } = current
      const preview = this.#branch.preview ?? summaryOf(current)?.preview
      const summary = summaryField({
        updatedAt: entry.createdAt,
        status: STATUS[status],
        ...(preview === undefined ? {} : { preview }),
        records: entry.position[1] + 1,
      })
      return { ...rest, summary }
    })
  }

  /** Renews the lease. Finding that it is gone is no failure of the renewal. */
  async #renew(): Promise<void> {
    try {
      await this.#state.change((current) => {
        if (this.#end || this.#lost !== undefined) return undefined
        const held = leaseOf(current)
        if (held?.epoch !== this.epoch || held.turn !== this.id) throw leaseLost(this.#state.id, this.id)
        const expiresAt = new Date(this.#state.options.clock.now() + LEASE_TIME).toISOString()
        return { ...current, lease: { ...(current.lease as JsonObject), expiresAt } }
      })
    } catch (error) {
      if (this.#noteLoss(error) !== this.#lost) throw error
    }
  }

  /** Gives up the turn if an error says that it is lost; returns the error. */
  #noteLoss(error: unknown): unknown {
    const isLost = ['LEASE_LOST', 'DELETED', 'NOT_FOUND'].some((code) => SessionError.is(error, code as 'LEASE_LOST'))
    if (!isLost || this.#lost !== undefined) return error
    this.#lost = error
    this.#renewal.stop()
    this.#source.abort(error)
    void this.#letGo()
    return error
  }

  async #letGo(): Promise<void> {
    this.#forgetClose()
    if (this.#state.turn === this.#branch) this.#state.turn = undefined
    // A lock that cannot be given back does not keep the turn from having ended.
    await Promise.allSettled([this.#lock?.[Symbol.asyncDispose]()])
  }
}

/** What was thrown, in words: whatever it is, it must not keep the turn from ending. */
function textOf(error: unknown): string {
  try {
    return error instanceof Error ? String(error.message || error.name) : String(error)
  } catch {
    return Object.prototype.toString.call(error)
  }
}

function marker(status: TerminalStatus | 'save_point', metadata: JsonObject | undefined): RecordContent {
  return { type: 'turn_marker', status, ...(metadata === undefined ? {} : { metadata: copyMetadata(metadata) }) }
}
