import { CorruptError, SessionError } from '@sessiontree/core'
import { isBusy, isDamage, primary, RESULT } from './result-codes.ts'

const ADVICE = {
  BUSY: 'another connection holds its lock; try again, or raise busyTimeout.',
  DENIED: 'permission was refused; give this user access to the file and its folder.',
  READ_ONLY: 'it cannot be written; give this user write access to the file and its folder.',
  CORRUPT: 'the file is damaged; restore a backup, or pass `quarantine` to move it aside and begin an empty one.',
  QUOTA: 'no space is left; free some, then try again.',
  TOO_LARGE: 'more than SQLite takes in one piece or one file.',
  UNAVAILABLE:
    'it cannot be opened. If it has a -wal beside it and its folder cannot be written, copy both to a folder that can.',
  IO: 'reading or writing failed; the cause says why.',
  UNCERTAIN: 'a commit failed on its way to the disk; whether it took effect is not known.',
} as const

type Code = keyof typeof ADVICE

const BY_PRIMARY_CODE: ReadonlyMap<number, Code> = new Map([
  [RESULT.PERM, 'DENIED'],
  [RESULT.AUTH, 'DENIED'],
  [RESULT.READONLY, 'READ_ONLY'],
  [RESULT.FULL, 'QUOTA'],
  [RESULT.CANTOPEN, 'UNAVAILABLE'],
  [RESULT.TOOBIG, 'TOO_LARGE'],
  [RESULT.NOLFS, 'TOO_LARGE'],
])

/** A failure of a file, with what to do about it. */
export function fileError(
  file: string,
  code: Code | 'FORMAT' | 'UNSUPPORTED',
  cause?: unknown,
  advice: string = code === 'FORMAT' || code === 'UNSUPPORTED' ? '' : ADVICE[code],
): SessionError {
  const message = `SQLite ${file}: ${advice}`
  const options = cause === undefined ? {} : { cause }
  return code === 'CORRUPT'
    ? new CorruptError(message, { ...options, where: file })
    : new SessionError(code, message, options)
}

/** What an error of SQLite means, before anything was committed: nothing was written. */
export function sqliteError(file: string, code: number | undefined, cause: unknown): SessionError {
  if (isBusy(code)) return fileError(file, 'BUSY', cause)
  if (isDamage(code)) return fileError(file, 'CORRUPT', cause)
  if (code === RESULT.READONLY_DBMOVED) return replaced(file, cause)
  return fileError(file, (code !== undefined && BY_PRIMARY_CODE.get(primary(code))) || 'IO', cause)
}

/**
 * What an error at a commit means. A full disk leaves the mark of a commit incomplete, and a lock is asked for before the first
 * byte; after anything else the mark may be on the disk.
 */
export function commitError(file: string, code: number | undefined, cause: unknown): SessionError {
  const isDefinite = isBusy(code) || (code !== undefined && primary(code) === RESULT.FULL)
  return isDefinite ? sqliteError(file, code, cause) : fileError(file, 'UNCERTAIN', cause)
}

/** The file is not the one that this handle opened. */
export function replaced(file: string, cause?: unknown): SessionError {
  return fileError(
    file,
    'UNAVAILABLE',
    cause,
    'it was moved, removed or replaced while this handle was open; open another.',
  )
}

const SYSTEM_CODES: Readonly<Record<string, Code>> = {
  EACCES: 'DENIED',
  EPERM: 'DENIED',
  ELOOP: 'DENIED',
  EROFS: 'READ_ONLY',
  ENOSPC: 'QUOTA',
  EDQUOT: 'QUOTA',
  ENOENT: 'UNAVAILABLE',
  ENOTDIR: 'UNAVAILABLE',
  EEXIST: 'UNAVAILABLE',
  EISDIR: 'UNAVAILABLE',
}

/** What an error of the operating system means. */
export function systemError(file: string, cause: unknown): SessionError {
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : ''
  return fileError(file, SYSTEM_CODES[code] ?? 'IO', cause)
}
