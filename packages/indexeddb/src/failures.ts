import { SessionError } from '@sessiontree/core'

const ADVICE = {
  UNSUPPORTED: 'there is no IndexedDB here; use it in a browser window or worker, or inject one as `indexedDB`.',
  DENIED: 'this page may not use storage; allow it for this site.',
  FORMAT:
    'it was written by a newer release of @sessiontree/indexeddb, or by something else; update, then reload the page.',
  BLOCKED:
    'another tab keeps it from opening, or needs it for an update; close the other tabs of this site, then reload.',
  UNAVAILABLE: 'the browser could not open it; the cause says why.',
  IO: 'the browser broke off a transaction before it was committed; nothing was written.',
  UNCERTAIN: 'the browser broke off a commit; whether it took effect is not known.',
} as const

/** A failure of the database called `database`, with what to do about it. */
export function storageError(
  database: string,
  code: keyof typeof ADVICE,
  cause?: unknown,
  advice: string = ADVICE[code],
): SessionError {
  return new SessionError(code, `IndexedDB ${JSON.stringify(database)}: ${advice}`, { cause })
}

const OPENING: Readonly<Record<string, keyof typeof ADVICE>> = {
  VersionError: 'FORMAT',
  SecurityError: 'DENIED',
}

/** Why a database could not be opened. */
export function openingError(database: string, error: unknown): SessionError {
  return storageError(database, OPENING[nameOf(error)] ?? 'UNAVAILABLE', error)
}

/** Why a transaction failed. Once the browser was asked to commit, nobody can tell whether it took effect. */
export function transactionError(database: string, error: unknown, committing: boolean): SessionError {
  return storageError(database, committing ? 'UNCERTAIN' : 'IO', error)
}

/** The name of an error: the browser's are told apart by nothing else. */
export function nameOf(error: unknown): string {
  return error instanceof Error ? error.name : ''
}
