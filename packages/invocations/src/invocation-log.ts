import {
  RecordHome,
  recordHomes,
  SessionError,
  systemClock,
  type Clock,
  type CloseOptions,
  type Random,
  type RecordHomeOptions,
  type Signal,
  type StorageAdapter,
} from '@sessiontree/core'
import { mayMatch, widened } from './coverage.ts'
import { matcher, type InvocationFilter } from './filter.ts'
import { checkInvocation, type Invocation, type NewInvocation } from './invocation.ts'
import { formatJsonl, parseJsonl, type Damage, type TextSource } from './jsonl.ts'
import { passRateOf, windowOf, type PassRate } from './pass-rate.ts'

/** Options of {@link openInvocations}. */
export interface InvocationsOptions {
  /** Whose they are, as in `openSessions`. Default: none. */
  readonly scope?: readonly string[] | undefined
  readonly clock?: Clock | undefined
  readonly random?: Random | undefined
}

/** Options of every call. */
export interface InvocationCallOptions {
  readonly signal?: Signal | undefined
}

/** Options of every read. */
export interface InvocationReadOptions extends InvocationFilter, InvocationCallOptions {
  /** Throw at damage instead of going on behind it. Default false. */
  readonly strict?: boolean | undefined
  /** Told of damage, where it is gone over. */
  readonly onDamage?: ((damage: Damage & { readonly sessionId: string | undefined }) => void) | undefined
}

/** Everything that can be read of a session, and what cannot. */
export interface ReadInvocations {
  readonly invocations: readonly Invocation[]
  readonly damage: readonly Damage[]
}

/** What an import did. */
export interface ImportReport {
  readonly imported: number
  readonly damage: readonly Damage[]
}

const OPEN_LOGS = 256
const IMPORT_BATCH = 100

/**
 * Opens the invocation logs on an adapter, which stays the caller's.
 *
 * @example
 * const log = openInvocations(nodeFs('./store'))
 * await log.append('support-42', { skill: 'tdd', attempts: [{ model: 'small', verified: true }] })
 */
export function openInvocations(adapter: StorageAdapter, options: InvocationsOptions = {}): InvocationLog {
  return new InvocationLog(adapter, options)
}

/** The invocations of all sessions, a log for each. Made by {@link openInvocations}. */
export class InvocationLog {
  readonly #settings: RecordHomeOptions
  readonly #clock: Clock
  readonly #homes: Map<string, RecordHome> = new Map()
  readonly #covering: WeakMap<RecordHome, Promise<void>> = new WeakMap()
  #isClosed = false

  /** @internal Use {@link openInvocations}. */
  constructor(adapter: StorageAdapter, { scope, clock, random }: InvocationsOptions) {
    this.#settings = { adapter, kind: 'invocations', logs: ['entry'], scope, clock, random }
    this.#clock = clock ?? systemClock
  }

  /**
   * Appends an invocation to a session's log and resolves with it as it is stored, when it is as durable as the adapter promises. Creates the log.
   *
   * Contract
   * - `session_id`, `timestamp` and `final_status` are filled in; empty optional fields are left out; unknown ones are kept. Attempts keep their order.
   * - A bad field, another session's id, and what JSON cannot keep, are a `TypeError`: nothing is created or written.
   * - Several handles, tabs and processes may append: no record ever mixes with another.
   */
  async append(
    sessionId: string,
    invocation: NewInvocation,
    { signal }: InvocationCallOptions = {},
  ): Promise<Invocation> {
    const home = this.#home(sessionId)
    const checked = checkInvocation(invocation, sessionId, new Date(this.#clock.now()).toISOString())
    const [stored] = await this.#appendAll(home, [checked], signal)
    return stored as Invocation
  }

  /**
   * Streams a session's invocations that match, in the order of appending; nothing for a session that has none.
   *
   * Contract
   * - Memory is bounded by the largest records, not by the log. No record is too long.
   * - Damage is told to `onDamage` by its place, and the rest is delivered; with `strict` it is thrown.
   */
  async *read(sessionId: string, options: InvocationReadOptions = {}): AsyncGenerator<Invocation, void, void> {
    const { matches } = matcher(options)
    const { signal, strict = false, onDamage } = options
    for await (const reading of this.#home(sessionId).log<Invocation>('entry').readAround({ signal })) {
      if ('stored' in reading) {
        if (matches(reading.stored.value)) yield reading.stored.value
        continue
      }
      const { from, to, error } = reading.damage
      const damage = {
        line: from + 1,
        lines: to === undefined ? undefined : to - from,
        error: error ?? unreadable(from),
      }
      if (strict) throw damage.error
      onDamage?.({ ...damage, sessionId })
    }
  }

  /** Resolves with everything that can be read of a session, and with what cannot. */
  async readAll(sessionId: string, options: InvocationReadOptions = {}): Promise<ReadInvocations> {
    const damage: Damage[] = []
    const invocations: Invocation[] = []
    const onDamage = ({ sessionId: _session, ...one }: Damage & { readonly sessionId: string | undefined }) =>
      void damage.push(one)
    for await (const one of this.read(sessionId, { ...options, onDamage })) invocations.push(one)
    return { invocations, damage }
  }

  /** Streams the ids of sessions that have a log, in the order of their encoded ids. */
  async *sessions({ signal }: InvocationCallOptions = {}): AsyncGenerator<string, void, void> {
    for await (const found of this.#found(signal)) if ('id' in found) yield found.id
  }

  /**
   * Streams the invocations of all sessions that match, session by session.
   *
   * Contract
   * - Reads each session's document, but only the logs that may hold what is asked for: by skill, and by day.
   * - Damage as in {@link read}.
   */
  async *query(options: InvocationReadOptions = {}): AsyncGenerator<Invocation, void, void> {
    const wanted = matcher(options)
    for await (const found of this.#found(options.signal)) {
      if ('id' in found) {
        if (mayMatch(found.document.about, wanted)) yield* this.read(found.id, options)
      } else if (options.strict) throw found.error
      else options.onDamage?.({ line: 1, lines: undefined, error: found.error, sessionId: undefined })
    }
  }

  /**
   * Resolves with how often a skill, or any, passed within a window up to now.
   *
   * Contract
   * - Older words count as what they mean; `skip` is not part of the rate; null where nothing counts. A skill that nobody knows has zeros.
   */
  async passRate({
    window = '7d',
    ...filter
  }: { readonly window?: string | number | undefined } & InvocationReadOptions = {}): Promise<PassRate> {
    const since = filter.since ?? new Date(this.#clock.now() - windowOf(window)).toISOString()
    const counted: Pick<Invocation, 'final_status'>[] = []
    for await (const { final_status } of this.query({ ...filter, since })) counted.push({ final_status })
    return passRateOf(counted)
  }

  /**
   * Appends the records of a JSONL file, in their order, each to the log of its own session, or all to one.
   *
   * Contract
   * - Records are kept as they are, whatever words and fields they have; only a missing `session_id` is filled in. With `sessionId` a record of another
   *   session is damage, and so is one without any.
   * - Damaged lines are reported and gone over; with `strict` the first one rejects, and what came before it is imported.
   * - Importing a file twice stores it twice.
   */
  async importJsonl(
    source: TextSource,
    {
      sessionId,
      strict = false,
      signal,
    }: { readonly sessionId?: string; readonly strict?: boolean } & InvocationCallOptions = {},
  ): Promise<ImportReport> {
    const damage: Damage[] = []
    let batch: Invocation[] = []
    let imported = 0
    const flush = async () => {
      const [first] = batch
      if (first) await this.#appendAll(this.#home(first.session_id), batch, signal)
      imported += batch.length
      batch = []
    }
    for await (const parsed of parseJsonl(source)) {
      const found = 'damage' in parsed ? parsed : placed(parsed, sessionId)
      if ('damage' in found) {
        if (strict) {
          await flush()
          throw found.damage.error
        }
        damage.push(found.damage)
        continue
      }
      const { invocation } = found
      if (batch.length === IMPORT_BATCH || (batch[0] && batch[0].session_id !== invocation.session_id)) await flush()
      batch.push(invocation)
    }
    await flush()
    return { imported, damage }
  }

  /** Streams a session as JSONL: one object a line, a line feed behind each, every field as it is stored. */
  async *exportJsonl(sessionId: string, options: InvocationReadOptions = {}): AsyncGenerator<string, void, void> {
    for await (const invocation of this.read(sessionId, options)) yield* formatJsonl([invocation])
  }

  /** Deletes a session's log; its id stays spent. */
  async delete(sessionId: string, { signal }: InvocationCallOptions = {}): Promise<void> {
    await this.#home(sessionId).delete({ signal })
  }

  /** Waits for what is under way, then ends this handle; the adapter stays open. See `RecordHome.close`. */
  async close(options?: CloseOptions): Promise<void> {
    this.#isClosed = true
    const closed = await Promise.allSettled([...this.#homes.values()].map((home) => home.close(options)))
    for (const result of closed) if (result.status === 'rejected') throw result.reason
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  /** Calls on one session are appended in call order, also where the document must be widened before. */
  async #appendAll(
    home: RecordHome,
    invocations: readonly Invocation[],
    signal: Signal | undefined,
  ): Promise<readonly Invocation[]> {
    const before = this.#covering.get(home) ?? Promise.resolve()
    const covered = before.then(async () => {
      const { about } = home.known ?? (await home.createWith(widened(undefined, invocations)).look(signal))
      // Before the records: a log never holds what its document does not cover.
      if (widened(about, invocations)) await home.change((now) => widened(now, invocations), signal)
      // In an object: whoever comes next waits for the place in the queue, not for the append.
      return { appended: home.log<Invocation>('entry').append(invocations, signal) }
    })
    const done = covered.then(
      () => {},
      () => {},
    )
    this.#covering.set(home, done)
    const { appended } = await covered
    return (await appended).map(({ value }) => value)
  }

  #found(signal: Signal | undefined) {
    this.#assertOpen()
    return recordHomes(this.#settings, signal)
  }

  #home(sessionId: string): RecordHome {
    this.#assertOpen()
    if (typeof sessionId !== 'string' || sessionId.trim() === '') {
      throw new TypeError('sessionId: expected a text that is not blank')
    }
    const known = this.#homes.get(sessionId)
    const home = known ?? new RecordHome(this.#settings, sessionId).createWith()
    // Last used, last to go. Whoever still works with one that went goes on all the same.
    this.#homes.delete(sessionId)
    this.#homes.set(sessionId, home)
    const [oldest] = this.#homes.keys()
    if (this.#homes.size > OPEN_LOGS && oldest !== undefined) this.#homes.delete(oldest)
    return home
  }

  #assertOpen(): void {
    if (this.#isClosed) throw new SessionError('CLOSED', 'These invocation logs were closed; open them again.')
  }
}

/** Finds out whose an imported record is. */
function placed(
  { line, invocation }: { readonly line: number; readonly invocation: Invocation },
  sessionId: string | undefined,
): { readonly invocation: Invocation } | { readonly damage: Damage } {
  const own: unknown = invocation.session_id
  const isBlank = own === undefined || own === ''
  if (typeof own === 'string' && !isBlank && (sessionId === undefined || own === sessionId)) return { invocation }
  if (isBlank && sessionId !== undefined) return { invocation: { ...invocation, session_id: sessionId } }
  return { damage: { line, lines: 1, error: new TypeError(`Line ${line} is of no session, or of another one.`) } }
}

const unreadable = (at: number) => new SessionError('CORRUPT', `Records from ${at + 1} on cannot be read.`)
