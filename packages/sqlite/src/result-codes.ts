/** The result codes of SQLite that decide something here; the lower eight bits of an extended code are the primary one. */
export const RESULT = {
  PERM: 3,
  BUSY: 5,
  LOCKED: 6,
  READONLY: 8,
  IOERR: 10,
  CORRUPT: 11,
  FULL: 13,
  CANTOPEN: 14,
  PROTOCOL: 15,
  TOOBIG: 18,
  CONSTRAINT: 19,
  MISMATCH: 20,
  NOLFS: 22,
  AUTH: 23,
  NOTADB: 26,
  READONLY_DBMOVED: 1032,
  IOERR_FSYNC: 1034,
  IOERR_DIR_FSYNC: 1290,
} as const

/** Primary codes by name, as in `SQLITE_BUSY`. */
export const PRIMARY_CODES: ReadonlyMap<string, number> = new Map(
  Object.entries(RESULT).filter(([, code]) => code <= 0xff),
)

/** Extended codes by name. */
export const FULL_CODES: ReadonlyMap<string, number> = new Map(
  Object.entries(RESULT)
    .filter(([, code]) => code > 0xff)
    .map(([name, code]) => [`SQLITE_${name}`, code]),
)

/** The primary code of an extended one. */
export function primary(code: number): number {
  return code & 0xff
}

/** Whether somebody else holds a lock, and the same call may succeed a moment later. */
export function isBusy(code: number | undefined): boolean {
  if (code === undefined) return false
  return primary(code) === RESULT.BUSY || primary(code) === RESULT.LOCKED || code === RESULT.PROTOCOL
}

/** Whether the file, or what is in it, is damaged. A constraint is: this adapter checks what it writes beforehand. */
export function isDamage(code: number | undefined): boolean {
  if (code === undefined) return false
  return [RESULT.CORRUPT, RESULT.NOTADB, RESULT.CONSTRAINT, RESULT.MISMATCH].some((known) => known === primary(code))
}

/** Whether a flush failed, so that nobody knows what of it is on the disk. */
export function isFailedFlush(code: number | undefined): boolean {
  return code === RESULT.IOERR_FSYNC || code === RESULT.IOERR_DIR_FSYNC
}
