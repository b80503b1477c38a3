import { v7 } from 'uuid'
import type { StorageAdapter } from './adapter.ts'
import { newSessionDocument, putSession, type CreateOptions } from './create-session.ts'
import type { DeleteOptions } from './delete-session.ts'
import type { Environment } from './environment.ts'
import type { EraseOptions, EraseReceipt } from './erase.ts'
import { SessionError } from './errors.ts'
import { InFlight } from './in-flight.ts'
import { FIRST_READ } from './log-view.ts'
import type { ListSessionsOptions, SessionInfo } from './list-sessions.ts'
import { roleContent, type MessageFormat, type RoleMessage } from './message-format.ts'
import type { ScopeNames } from './names.ts'
import { checkId } from './record.ts'
import { systemClock, systemRandom, throwIfAborted, type Clock, type Random, type Signal } from './runtime.ts'
import { Scope } from './scope.ts'
import { readSessionDocument, type SessionDocument } from './session-document.ts'
import { Session } from './session.ts'
import type { TurnLock } from './turns/turn-lock.ts'
import type { SweepOptions, SweepReport } from './sweep.ts'

/** Options of {@link openSessions}. */
export interface SessionsOptions<Message> {
  /** Whose sessions: tenant, user, project. Sessions of one scope are invisible in every other. Default: none. */
  readonly scope?: readonly string[]
  /** How to look at the caller's messages. Default: {@link roleContent}. */
  readonly format?: MessageFormat<Message>
  readonly clock?: Clock
  readonly random?: Random
  /** Locks that a runtime frees when their holder is gone, such as the Web Locks of a browser's tabs: see {@link TurnLock}. */
  readonly turnLock?: TurnLock
}

/** Options of {@link Sessions.open}. */
export interface OpenOptions {
  readonly signal?: Signal | undefined
}

/**
 * Opens the sessions of one scope on an adapter. The adapter now belongs to it: closing it closes the adapter.
 *
 * @example
 * await using sessions = openSessions(nodeFs('./sessions'))
 * const session = await sessions.getOrCreate('support-42', { title: 'Lost parcel' })
 */
export function openSessions<Message extends { readonly role: string } = RoleMessage>(
  adapter: StorageAdapter,
  options?: SessionsOptions<Message> & { readonly format?: undefined },
): Sessions<Message>
export function openSessions<Message>(
  adapter: StorageAdapter,
  options: SessionsOptions<Message> & { readonly format: MessageFormat<Message> },
): Sessions<Message>
export function openSessions<Message>(
  adapter: StorageAdapter,
  options: SessionsOptions<Message> = {},
): Sessions<Message> {
  return new Sessions<Message>(adapter, options)
}

/** The sessions of one scope. Made by {@link openSessions}. */
export class Sessions<Message> {
  readonly #environment: Environment
  readonly #scope: Scope
  readonly #format: MessageFormat<Message>
  readonly #inFlight = new InFlight('sessions handle')

  /** @internal Use {@link openSessions}. */
  constructor(adapter: StorageAdapter, options: SessionsOptions<Message>) {
    const { scope = [], clock = systemClock, random = systemRandom } = options
    this.#environment = { adapter, clock, random, turnLock: options.turnLock }
    this.#scope = new Scope(this.#environment, scope)
    this.#format = options.format ?? (roleContent() as unknown as MessageFormat<Message>)
  }

  /**
   * Creates a session and resolves with it.
   *
   * Contract
   * - With a `parent` it is a sub-agent's session and hangs on its owner: `NOT_FOUND` or `DELETED` if that one is not there.
   * - Without an id it gets a UUIDv7. A used id is `EXISTS`, a deleted one `DELETED`; what is there stays untouched.
   * - Interrupted at any point it is absent or complete.
   */
  create(id?: string, options: CreateOptions = {}): Promise<Session<Message>> {
    return this.#inFlight.run(async () => {
      const { clock, random } = this.#environment
      const document = this.#newDocument(id ?? v7({ msecs: clock.now(), random: random.bytes(16) }), options)
      const found = id === undefined ? undefined : await this.#find(id, options.signal, { isExpected: false })
      const created = found ? undefined : await this.#put(document, options.signal)
      if (created) return created
      if (!found) await this.#find(document.id, options.signal, { isExpected: false })
      const name = JSON.stringify(document.id)
      throw new SessionError('EXISTS', `There is a session ${name} already; open() or getOrCreate() gives it.`)
    })
  }

  /** Resolves with the session of this id, and creates it with these options if there is none. */
  getOrCreate(id: string, options: CreateOptions = {}): Promise<Session<Message>> {
    return this.#inFlight.run(async () => {
      const { signal } = options
      const document = this.#newDocument(id, options)
      return (await this.#find(id, signal)) ?? (await this.#put(document, signal)) ?? this.#open(id, signal)
    })
  }

  /**
   * Resolves with the session of this id.
   *
   * Contract
   * - `NOT_FOUND`, `DELETED`, `FORMAT` if it was written by a newer version or with another message format; nothing is written.
   */
  open(id: string, { signal }: OpenOptions = {}): Promise<Session<Message>> {
    return this.#inFlight.run(async () => {
      checkId(id)
      return this.#open(id, signal)
    })
  }

  /**
   * Streams the sessions of this scope, the newest first.
   *
   * Contract
   * - By `createdAt` descending; equal ones by encoded id ascending. No update ever changes the order.
   * - Costs a page of names and one document each: what is not asked for is not read.
   */
  async *list(options: ListSessionsOptions = {}): AsyncGenerator<SessionInfo, void, void> {
    const { checkListing, listSessions } = await import('./parts/conversation.ts')
    checkListing(options)
    this.#inFlight.assertOpen()
    throwIfAborted(options.signal)
    yield* listSessions(this.#environment, await this.#scope.names(), options)
  }

  /**
   * Deletes a session: its records, title and metadata go, its id stays spent.
   *
   * Contract
   * - From its first write on nobody lists, opens, creates or forks the session, and no turn of it begins. Its second write, right behind it, ends the log: from then on a write
   *   of a handle that has it open is `DELETED`. If this call dies between the two, such a handle may still be told that an append was stored; it goes with the session, once the
   *   deletion is taken up.
   * - Forks of it get a copy of what they share, side by side and batch by batch; `onProgress` tells how far that is.
   * - A session that is deleted already resolves; `NOT_FOUND` if there never was one. `CONFLICT` if sub-agents' sessions hang on it, unless
   *   `subAgents` says what becomes of them; `ACTIVE_TURN` while a turn holds it, unless `force`; a turn that has ended in the log holds nothing.
   * - Interrupted anywhere, or aborted, the next `delete` of the session or {@link sweep} finishes it.
   */
  delete(id: string, options: DeleteOptions = {}): Promise<void> {
    return this.#inFlight.run(async () => {
      checkId(id)
      throwIfAborted(options.signal)
      const { deleteSession } = await import('./parts/upkeep.ts')
      await deleteSession(this.#environment, await this.#scope.names(), id, options)
    })
  }

  /**
   * Erases this scope with its inner ones, names of deleted sessions included, and resolves with a receipt.
   *
   * Contract
   * - From its first write on the scope is empty for whoever opens it, and for this handle. Sessions and handles that were open before write into the
   *   void: what they still put there nobody else sees, and the next erasure or sweep removes it.
   * - What cannot be removed is listed in the receipt and does not stop the rest. Interrupted anywhere, or aborted, the next `erase` or
   *   {@link sweep} of the scope finishes it.
   * - No other scope is touched. One document with the name of the scope and the number of its erasures stays.
   * - A `TypeError` for sessions without a scope: remove the store instead.
   *
   * @example
   * const { complete, failed, keepsVersions } = await openSessions(adapter, { scope: ['acme', 'user-7'] }).erase()
   */
  async erase(options: EraseOptions = {}): Promise<EraseReceipt> {
    if (this.#scope.path.length === 0) {
      throw new TypeError(
        'erase: these sessions have no scope. Open the one to erase with openSessions(adapter, { scope }), delete() sessions one ' +
          'by one, or remove the whole store.',
      )
    }
    return this.#inFlight.run(async () =>
      (await import('./parts/upkeep.ts')).eraseScope(this.#environment, this.#scope, options),
    )
  }

  /**
   * Finishes what was interrupted and removes what nobody needs any more, in this scope without its inner ones.
   *
   * Contract
   * - Safe beside everything else, other sweeps included. Worth a run now and then: nothing depends on it but space and lists.
   * - Finishes deletions and erasures, drops logs that no session uses, puts the list right. What it cannot do is in `failed` and does not
   *   stop the rest.
   */
  sweep(options: SweepOptions = {}): Promise<SweepReport> {
    return this.#inFlight.run(async () =>
      (await import('./parts/upkeep.ts')).sweepScope(this.#environment, this.#scope, options),
    )
  }

  /** Waits for the calls under way, then closes the adapter. Whatever is called from now on rejects with `CLOSED`. */
  close(): Promise<void> {
    return this.#inFlight.close(() => this.#environment.adapter.close())
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #open(id: string, signal: Signal | undefined, { isExpected = true } = {}): Promise<Session<Message>> {
    throwIfAborted(signal)
    const { adapter } = this.#environment
    const { names, document, version } = await this.#scope.read(async (at) => {
      // Whoever opens a session looks at it next, and its first log's name follows from the id: a store far away begins with both.
      if (isExpected) adapter.prepare?.(at.log(id, 0), { ...FIRST_READ, signal })
      const found = await readSessionDocument(adapter, at.session(id), id, signal)
      return { names: at, document: found.document, version: found.version }
    })
    return this.#session(names, document, version)
  }

  async #find(
    id: string,
    signal: Signal | undefined,
    options?: { readonly isExpected: boolean },
  ): Promise<Session<Message> | undefined> {
    try {
      return await this.#open(id, signal, options)
    } catch (error) {
      if (SessionError.is(error, 'NOT_FOUND')) return undefined
      throw error
    }
  }

  async #put(document: SessionDocument, signal: Signal | undefined): Promise<Session<Message> | undefined> {
    const names = await this.#scope.names()
    throwIfAborted(signal)
    const { tookEffect, version } = await putSession(this.#environment, names, document, signal)
    return tookEffect ? this.#session(names, document, version) : undefined
  }

  #newDocument(id: string, options: CreateOptions): SessionDocument {
    const session = { id, messageFormat: this.#format.id, names: this.#scope.likelyNames }
    return newSessionDocument(this.#environment, session, options)
  }

  #session(names: ScopeNames, document: SessionDocument, version?: string): Session<Message> {
    if (document.messageFormat !== this.#format.id) {
      throw new SessionError(
        'FORMAT',
        `Session ${JSON.stringify(document.id)} holds messages of format ${JSON.stringify(document.messageFormat)}, not ` +
          `${JSON.stringify(this.#format.id)}; pass that format to openSessions().`,
      )
    }
    return new Session({
      ...this.#environment,
      names,
      document,
      version,
      format: this.#format,
      inFlight: this.#inFlight,
    })
  }
}
