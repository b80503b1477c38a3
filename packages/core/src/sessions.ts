import { v7 } from 'uuid'
import type { StorageAdapter } from './adapter.ts'
import { canonicalJson } from './canonical.ts'
import { checkDocument, checkIndex, checkName } from './check.ts'
import type { JsonObject } from './entry.ts'
import { SessionError } from './errors.ts'
import { InFlight } from './in-flight.ts'
import { roleContent, type MessageFormat, type RoleMessage } from './message-format.ts'
import { scopeNames, type ScopeNames } from './names.ts'
import { parseJson } from './parse-json.ts'
import { checkId, FORMAT } from './record.ts'
import { systemClock, systemRandom, type Clock, type Random } from './runtime.ts'
import {
  createDocument,
  freshRev,
  parseSessionDocument,
  readSessionDocument,
  type SessionDocument,
} from './session-document.ts'
import { Session } from './session.ts'

/** Options of {@link openSessions}. */
export interface SessionsOptions<Message> {
  /** Whose sessions: tenant, user, project. Sessions of one scope are invisible in every other. Default: none. */
  readonly scope?: readonly string[]
  /** How to look at the caller's messages. Default: {@link roleContent}. */
  readonly format?: MessageFormat<Message>
  readonly clock?: Clock
  readonly random?: Random
}

/** Options of {@link Sessions.create}. */
export interface CreateOptions {
  readonly title?: string
  readonly metadata?: JsonObject
  /** Default: now. */
  readonly createdAt?: Date | string
}

/** Options of {@link Sessions.list}. */
export interface ListSessionsOptions {
  /** At most so many. */
  readonly limit?: number
  /** Only sessions behind this one: the `cursor` of the last one of the page before. */
  readonly after?: string
}

/** What a list shows of a session. */
export interface SessionInfo {
  readonly id: string
  readonly createdAt: string
  readonly title: string | undefined
  readonly metadata: JsonObject
  /** Its place in the list, for `after`. */
  readonly cursor: string
  /** Why this session cannot be opened (`CORRUPT`, `FORMAT`); its `id` is then the encoded one. Damage never hides a session. */
  readonly problem: SessionError | undefined
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

// How many session documents a list reads side by side.
const READ_TOGETHER = 20

/** The sessions of one scope. Made by {@link openSessions}. */
export class Sessions<Message> {
  readonly #adapter: StorageAdapter
  readonly #names: ScopeNames
  readonly #format: MessageFormat<Message>
  readonly #clock: Clock
  readonly #random: Random
  readonly #inFlight = new InFlight('sessions handle')

  /** @internal Use {@link openSessions}. */
  constructor(adapter: StorageAdapter, options: SessionsOptions<Message>) {
    const { scope = [] } = options
    if (!Array.isArray(scope)) throw new TypeError('scope: expected a list of strings')
    this.#adapter = adapter
    this.#names = scopeNames(scope.map((id) => ({ id, incarnation: 0 })))
    this.#format = options.format ?? (roleContent() as unknown as MessageFormat<Message>)
    this.#clock = options.clock ?? systemClock
    this.#random = options.random ?? systemRandom
  }

  /**
   * Creates a session and resolves with it.
   *
   * Contract
   * - Without an id it gets a UUIDv7. A used id is `EXISTS`, a deleted one `DELETED`; what is there stays untouched.
   * - Interrupted at any point it is absent or complete.
   */
  create(id?: string, options: CreateOptions = {}): Promise<Session<Message>> {
    return this.#inFlight.run(async () => {
      const document = this.#newDocument(
        id ?? v7({ msecs: this.#clock.now(), random: this.#random.bytes(16) }),
        options,
      )
      const found = id === undefined ? undefined : await this.#find(id)
      const created = found ? undefined : await this.#put(document)
      if (created) return created
      if (!found) await this.#find(document.id)
      const name = JSON.stringify(document.id)
      throw new SessionError('EXISTS', `There is a session ${name} already; open() or getOrCreate() gives it.`)
    })
  }

  /** Resolves with the session of this id, and creates it with these options if there is none. */
  getOrCreate(id: string, options: CreateOptions = {}): Promise<Session<Message>> {
    return this.#inFlight.run(async () => {
      const document = this.#newDocument(id, options)
      return (await this.#find(id)) ?? (await this.#put(document)) ?? this.#open(id)
    })
  }

  /**
   * Resolves with the session of this id.
   *
   * Contract
   * - `NOT_FOUND`, `DELETED`, `FORMAT` if it was written by a newer version or with another message format; nothing is written.
   */
  open(id: string): Promise<Session<Message>> {
    return this.#inFlight.run(async () => {
      checkId(id)
      return this.#open(id)
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
    const { limit = Infinity, after } = options
    if (limit !== Infinity) checkIndex(limit, 'limit')
    const start = after === undefined ? undefined : `${this.#names.index}/${after}`
    if (start !== undefined) checkName(start, 'after')
    let left = limit
    if (left === 0) return
    this.#inFlight.assertOpen()
    const pages = this.#adapter.keys(this.#names.index, { after: start })
    for await (const page of pages) {
      for (let at = 0; at < page.length;) {
        const keys = page.slice(at, at + Math.min(READ_TOGETHER, left))
        for (const info of await Promise.all(keys.map((key) => this.#info(key)))) {
          if (!info) continue
          yield info
          if (--left === 0) return
        }
        at += keys.length
      }
    }
  }

  /** Waits for the calls under way, then closes the adapter. Whatever is called from now on rejects with `CLOSED`. */
  close(): Promise<void> {
    return this.#inFlight.close(() => this.#adapter.close())
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #open(id: string): Promise<Session<Message>> {
    const { document } = await readSessionDocument(this.#adapter, this.#names.session(id), id)
    return this.#session(document)
  }

  async #find(id: string): Promise<Session<Message> | undefined> {
    try {
      return await this.#open(id)
    } catch (error) {
      if (SessionError.is(error, 'NOT_FOUND')) return undefined
      throw error
    }
  }

  async #info(indexKey: string): Promise<SessionInfo | undefined> {
    const { sessionKey: key, createdAt } = this.#names.indexed(indexKey)
    const cursor = indexKey.slice(this.#names.index.length + 1)
    const stored = await this.#adapter.get(key)
    if (!stored) return undefined
    const time = new Date(createdAt).toISOString()
    try {
      const { id, state, title, metadata = {}, ...document } = parseSessionDocument(stored.value, key)
      // Two creators may have left an entry each; the document says whose time counts.
      if (state !== 'live' || document.createdAt !== time) return undefined
      return { id, createdAt: time, title, metadata, cursor, problem: undefined }
    } catch (error) {
      if (!SessionError.is(error)) throw error
      return {
        id: key.slice(key.lastIndexOf('/') + 1),
        createdAt: time,
        title: undefined,
        metadata: {},
        cursor,
        problem: error,
      }
    }
  }

  /** Checks everything that a session is created with, before anything is read or written. */
  #newDocument(id: string, options: CreateOptions): SessionDocument {
    checkId(id)
    const { title, metadata, createdAt = this.#clock.now() } = options
    const time = new Date(createdAt)
    if (Number.isNaN(time.getTime())) throw new TypeError(`createdAt: ${String(createdAt)} is not a time`)
    this.#names.indexEntry(id, time.getTime())
    if (title !== undefined && typeof title !== 'string') throw new TypeError('title: expected a string')
    if (metadata !== undefined) canonicalJson(metadata)
    const document: SessionDocument = {
      format: FORMAT,
      rev: freshRev(this.#random),
      revs: [],
      state: 'live',
      id,
      createdAt: time.toISOString(),
      incarnation: 0,
      segment: 0,
      messageFormat: this.#format.id,
      ...(title === undefined ? {} : { title }),
      ...(metadata === undefined ? {} : { metadata: parseJson(JSON.stringify(metadata)) as JsonObject }),
    }
    checkDocument(JSON.stringify(document))
    return document
  }

  /** Creates the session unless another writer did. */
  async #put(document: SessionDocument): Promise<Session<Message> | undefined> {
    const { id, createdAt } = document
    const key = this.#names.session(id)
    const indexKey = this.#names.indexEntry(id, Date.parse(createdAt))
    // The index first: an entry without its session is skipped by every list, a session without its entry would be lost to it.
    await createDocument(this.#adapter, indexKey, {}, this.#clock)
    if (await createDocument(this.#adapter, key, document, this.#clock)) return this.#session(document)
    const winner = await this.#adapter.get(key)
    // The entry that this call made is nobody's, unless both were made in one millisecond.
    if (winner && parseSessionDocument(winner.value, key).createdAt !== createdAt) {
      await this.#adapter.remove(indexKey, { forget: true })
    }
    return undefined
  }

  #session(document: SessionDocument): Session<Message> {
    if (document.messageFormat !== this.#format.id) {
      throw new SessionError(
        'FORMAT',
        `Session ${JSON.stringify(document.id)} holds messages of format ${JSON.stringify(document.messageFormat)}, not ` +
          `${JSON.stringify(this.#format.id)}; pass that format to openSessions().`,
      )
    }
    return new Session({
      adapter: this.#adapter,
      names: this.#names,
      document,
      format: this.#format,
      clock: this.#clock,
      random: this.#random,
      inFlight: this.#inFlight,
    })
  }
}
