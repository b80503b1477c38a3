import type { Entry } from './entry.ts'

/** What went wrong, in one word. A code never changes its meaning; a message may change in any release. */
export type ErrorCode =
  /** The session or entry does not exist. */
  | 'NOT_FOUND'
  /** The id is taken. */
  | 'EXISTS'
  /** The session was deleted; its id stays spent. */
  | 'DELETED'
  /** An entry with this id and other content is stored already. */
  | 'DUPLICATE'
  /** The parent named for an entry is not in this session. */
  | 'INVALID_PARENT'
  /** Somebody else wrote first. Look again, then decide. */
  | 'CONFLICT'
  /** Another turn holds this session. */
  | 'ACTIVE_TURN'
  /** This turn's lease was taken over. */
  | 'LEASE_LOST'
  /** Nothing on the path can be retried. */
  | 'NO_RETRY_TARGET'
  /** It is unknown whether the write took effect. */
  | 'UNCERTAIN'
  /** The handle was closed. */
  | 'CLOSED'
  /** The handle or the store does not take writes. */
  | 'READ_ONLY'
  /** Stored data is damaged. */
  | 'CORRUPT'
  /** The stored format is newer than this version of the library. */
  | 'FORMAT'
  /** This adapter, store or runtime cannot do that. */
  | 'UNSUPPORTED'
  /** More than the backend takes. */
  | 'TOO_LARGE'
  /** No space left. */
  | 'QUOTA'
  /** Locked or rate-limited for the moment. */
  | 'BUSY'
  /** Another tab or process keeps the store from opening. */
  | 'BLOCKED'
  /** Missing permission or wrong credentials. */
  | 'DENIED'
  /** The store itself is missing or does not answer. Never used for an absent session. */
  | 'UNAVAILABLE'
  /** Not finished in the time given. */
  | 'TIMEOUT'
  /** Any other failure of the backend. */
  | 'IO'

/** Whether the operation changed the store: `"no"`, `"yes"`, or nobody can tell (`"unknown"`). */
export type Written = 'no' | 'yes' | 'unknown'

/** Details of a {@link SessionError}. */
export interface SessionErrorOptions {
  /** Default: `"unknown"` for `UNCERTAIN`, else `"no"`. */
  readonly written?: Written
  /** Whether the same call may succeed later without anybody changing anything. Default: true for `UNCERTAIN` and `BUSY`, else false. */
  readonly retry?: boolean
  /** The backend's own error. */
  readonly cause?: unknown
}

const brand = Symbol.for('sessiontree.SessionError')

/**
 * Every error that this library throws on purpose; a programmer's mistake is a `TypeError` instead.
 *
 * Contract
 * - `code` is stable, `message` says what to do and holds no record text and no credential.
 * - `written` tells whether the store may have changed; `retry` whether the same call may succeed later.
 * - The backend's own error is the `cause`.
 */
export class SessionError extends Error {
  readonly code: ErrorCode
  readonly written: Written
  readonly retry: boolean

  constructor(code: ErrorCode, message: string, options: SessionErrorOptions = {}) {
    super(message, 'cause' in options ? { cause: options.cause } : undefined)
    // A literal: minifiers rename classes.
    this.name = 'SessionError'
    this.code = code
    this.written = options.written ?? (code === 'UNCERTAIN' ? 'unknown' : 'no')
    this.retry = options.retry ?? (code === 'UNCERTAIN' || code === 'BUSY')
    Object.defineProperty(this, brand, { value: true })
  }

  /**
   * True for an error of this library, also one thrown by another copy of the package; with a code, only for that code.
   *
   * @example
   * if (SessionError.is(error, 'CONFLICT')) console.log(error.atLeast)
   */
  static is<Code extends ErrorCode>(error: unknown, code: Code): error is ErrorOfCode<Code>
  static is(error: unknown): error is SessionError
  static is(error: unknown, code?: ErrorCode): boolean {
    return (
      error instanceof Error &&
      brand in error &&
      (code === undefined || (error as unknown as SessionError).code === code)
    )
  }
}

/** Details of a {@link ConflictError}. */
export interface ConflictErrorOptions extends SessionErrorOptions {
  readonly atLeast?: number
  readonly entries?: readonly Entry[]
}

/** Another writer was first; nothing of this call was written. */
export class ConflictError extends SessionError {
  /** For a log: the log holds at least this many records. Undefined for a document. */
  readonly atLeast: number | undefined
  /** For a session: what the others appended. */
  readonly entries: readonly Entry[]

  constructor(message: string, options: ConflictErrorOptions = {}) {
    super('CONFLICT', message, options)
    this.name = 'ConflictError'
    this.atLeast = options.atLeast
    this.entries = options.entries ?? []
  }
}

/** Details of an {@link ActiveTurnError}. */
export interface ActiveTurnErrorOptions extends SessionErrorOptions {
  readonly turnId: string
  readonly owner?: string | undefined
  readonly expiresAt?: string | undefined
  readonly isExpired: boolean
}

/** A turn is open; nothing of this call was written. */
export class ActiveTurnError extends SessionError {
  readonly turnId: string
  /** Who holds it; undefined if nobody does any more. */
  readonly owner: string | undefined
  /** Until when, unless it is renewed: UTC, ISO 8601. */
  readonly expiresAt: string | undefined
  /** Whether nobody holds it any more, so that `recover()` and `beginTurn()` may close it. */
  readonly isExpired: boolean

  constructor(message: string, options: ActiveTurnErrorOptions) {
    const { turnId, owner, expiresAt, isExpired } = options
    super('ACTIVE_TURN', message, { retry: !isExpired, ...options })
    this.name = 'ActiveTurnError'
    this.turnId = turnId
    this.owner = owner
    this.expiresAt = expiresAt
    this.isExpired = isExpired
  }
}

/** Details of a {@link CorruptError}. */
export interface CorruptErrorOptions extends SessionErrorOptions {
  readonly log?: string
  readonly at?: number
  readonly where?: string
}

/** Stored data is damaged. Everything before the damage was delivered; `salvage` reads on behind it. */
export class CorruptError extends SessionError {
  /** The damaged log's name, if it is a log. */
  readonly log: string | undefined
  /** The first index that cannot be delivered. */
  readonly at: number | undefined
  /** Where to look: file, line and offset; bucket and key; database and store. */
  readonly where: string | undefined

  constructor(message: string, options: CorruptErrorOptions = {}) {
    super('CORRUPT', message, options)
    this.name = 'CorruptError'
    this.log = options.log
    this.at = options.at
    this.where = options.where
  }
}

/** Details of an {@link UncertainError}. */
export interface UncertainErrorOptions extends SessionErrorOptions {
  readonly ids?: readonly string[]
}

/** Nobody can tell whether the write took effect. It is settled by the next call on the same session. */
export class UncertainError extends SessionError {
  /** The ids of the entries in question, generated ones too; empty for a document or below the session. */
  readonly ids: readonly string[]

  constructor(message: string, options: UncertainErrorOptions = {}) {
    super('UNCERTAIN', message, options)
    this.name = 'UncertainError'
    this.ids = options.ids ?? []
  }
}

interface ErrorsWithFields {
  /** An adapter's own has no `ids`. */
  UNCERTAIN: SessionError & Partial<Pick<UncertainError, 'ids'>>
  /** Some stores tell how many bytes are used and how many there may be. */
  QUOTA: SessionError & { readonly usage?: number | undefined; readonly quota?: number | undefined }
  CONFLICT: ConflictError
  ACTIVE_TURN: ActiveTurnError
  CORRUPT: CorruptError
}

/** The class that an error of this code has. */
export type ErrorOfCode<Code extends ErrorCode> = Code extends keyof ErrorsWithFields
  ? ErrorsWithFields[Code]
  : SessionError & { readonly code: Code }
