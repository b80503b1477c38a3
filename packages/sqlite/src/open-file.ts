import { SessionError, sleep, type Clock, type Random } from '@sessiontree/core'
import type { SqliteConnection, SqliteDriver, SqliteStatement } from './driver.ts'
import { fileError, sqliteError } from './failures.ts'
import { inspect, migrate, rollBack, type Found, type Migration } from './layout.ts'
import { assertLocal, isSameFile, makeFile, stampOf, type Stamp } from './place.ts'
import { moveAside, type Quarantined } from './quarantine.ts'
import { isDamage } from './result-codes.ts'

/** How a file is opened. */
export interface FileOptions {
  readonly file: string
  readonly driver: SqliteDriver
  readonly durability: 'disk' | 'process'
  readonly create: boolean
  readonly readOnly: boolean
  readonly busyTimeout: number
  readonly integrityCheck: boolean
  readonly quarantine: ((moved: Quarantined) => void) | undefined
  readonly migrations: readonly Migration[]
  readonly clock: Clock
  readonly random: Random
}

// How long SQLite itself waits for a lock, with the event loop standing still; longer waits are this adapter's own.
const BLOCKING_WAIT = 10
// What is left of a write-ahead log that grew large.
const LARGEST_IDLE_WAL = 16 * 1024 * 1024
// Time stamps of files are this coarse at most, on local disks.
const CLOCK_TICK = 50

/** An open file: its connection, the statements prepared so far, and what it looked like. */
export class OpenFile {
  readonly connection: SqliteConnection
  readonly stamp: Stamp
  /** Opened as one that nobody writes: whoever reads must look whether that is still so. */
  readonly isImmutable: boolean
  readonly #statements: Map<string, SqliteStatement> = new Map()

  constructor(connection: SqliteConnection, stamp: Stamp, isImmutable: boolean) {
    this.connection = connection
    this.stamp = stamp
    this.isImmutable = isImmutable
  }

  /** The statement of a text, prepared once. */
  sql(text: string): SqliteStatement {
    let statement = this.#statements.get(text)
    if (!statement) {
      statement = this.connection.prepare(text)
      this.#statements.set(text, statement)
    }
    return statement
  }
}

/** Opens a file, makes it if it may, and brings it to the newest layout. Throws SQLite's own error while it is locked. */
export async function openFile(options: FileOptions): Promise<OpenFile> {
  const { file, driver, quarantine, readOnly, clock, random } = options
  try {
    return await openAsItIs(options)
  } catch (error) {
    const damaged = stampOf(file)
    if (!quarantine || readOnly || !damaged || !isDamage(driver.resultCode(causeOf(error)))) throw error
    const movedTo = moveAside(file, damaged, clock, random)
    const opened = await openAsItIs(options)
    quarantine({ file, movedTo, cause: causeOf(error) })
    return opened
  }
}

function causeOf(error: unknown): unknown {
  return SessionError.is(error, 'CORRUPT') ? error.cause : error
}

async function openAsItIs(options: FileOptions): Promise<OpenFile> {
  const { file, readOnly, create, durability } = options
  const mayMake = create && !readOnly
  // In this order: a file that was empty after its log was not is damaged, not new.
  const hasLog = (stampOf(`${file}-wal`)?.size ?? 0n) > 0n
  if ((stampOf(file)?.size ?? 0n) === 0n) {
    if (!mayMake) throw fileError(file, 'UNAVAILABLE', undefined, missing(readOnly))
    if (hasLog) {
      const advice = 'its -wal is there, but the database is missing or empty; put it back, or move the -wal away.'
      throw fileError(file, 'CORRUPT', undefined, advice)
    }
    makeFile(file, durability)
  }
  assertLocal(file)
  if (readOnly) {
    const unwritten = await openUnwritten(options)
    if (unwritten) return unwritten
  }
  // Whoever opened a file for writing moves its log into it when closing: not into one that is then refused.
  if (!readOnly && hasLog) await lookFirst(options)
  const connection = await options.driver.open(file, { readOnly })
  try {
    const stamp = stampOf(file)
    connection.exec(`PRAGMA busy_timeout = ${Math.min(options.busyTimeout, BLOCKING_WAIT)}`)
    prepareLayout(connection, options, mayMake)
    setUp(connection, options)
    // It may have been replaced while it was opened.
    if (!stamp || !isSameFile(stamp, stampOf(file))) throw fileError(file, 'UNAVAILABLE')
    return new OpenFile(connection, stamp, false)
  } catch (error) {
    closeQuietly(connection)
    throw error
  }
}

/** Throws what opening for writing would refuse, and leaves a file and its log as they are. */
async function lookFirst(options: FileOptions): Promise<void> {
  const connection = await options.driver.open(options.file, { readOnly: true })
  try {
    connection.exec(`PRAGMA busy_timeout = ${Math.min(options.busyTimeout, BLOCKING_WAIT)}`)
    look(connection, options)
  } finally {
    closeQuietly(connection)
  }
}

/**
 * Opens a file for reading that nobody has open for writing, so that nothing appears beside it: even to read, SQLite else makes a
 * `-wal` and a `-shm`. Undefined if somebody may be writing, or the driver cannot.
 */
async function openUnwritten(options: FileOptions): Promise<OpenFile | undefined> {
  const { file, driver, clock } = options
  const before = stampOf(file)
  if (!before || !driver.openImmutable || !isUnwritten(file)) return undefined
  // A change within the same tick would not show in the time stamp.
  const age = clock.now() - Number(before.mtimeNs / 1_000_000n)
  if (age < CLOCK_TICK) await sleep(clock, CLOCK_TICK - Math.max(age, 0))
  const connection = await driver.openImmutable(file)
  if (!connection) return undefined
  try {
    const stamp = stampOf(file)
    prepareLayout(connection, options, false)
    if (stamp && isUnwritten(file)) return new OpenFile(connection, stamp, true)
  } catch (error) {
    if (isUnwritten(file)) {
      closeQuietly(connection)
      throw error
    }
  }
  closeQuietly(connection)
  return undefined
}

/** Whether a database is whole by itself: nothing beside it holds a part of it. */
export function isUnwritten(file: string): boolean {
  return !['-wal', '-journal'].some((companion) => (stampOf(file + companion)?.size ?? 0n) > 0n)
}

function prepareLayout(connection: SqliteConnection, options: FileOptions, mayMake: boolean): void {
  const { file, migrations, clock, readOnly, integrityCheck } = options
  const found = look(connection, options)
  if (found === 'empty') {
    if (!mayMake) throw fileError(file, 'UNAVAILABLE', undefined, missing(readOnly))
    // Before anything is in it; it keeps the mode.
    connection.exec('PRAGMA journal_mode = WAL')
  } else if (integrityCheck) {
    assertIntegrity(connection, file)
  }
  if (found !== 'empty' && found.pending.length === 0) return
  if (readOnly) {
    const advice = 'it has an older layout; open it once for writing, which brings it up to date.'
    throw fileError(file, 'FORMAT', undefined, advice)
  }
  migrate(connection, file, migrations, clock)
}

function look(connection: SqliteConnection, { file, migrations }: FileOptions): Found {
  connection.exec('BEGIN')
  try {
    const found = inspect(connection, file, migrations)
    if (found !== 'empty' && found.pending.length === 0) {
      for (const table of ['logs', 'records', 'documents']) connection.prepare(`SELECT * FROM ${table} LIMIT 1`).get()
    }
    return found
  } finally {
    rollBack(connection)
  }
}

function assertIntegrity(connection: SqliteConnection, file: string): void {
  const row = connection.prepare('PRAGMA integrity_check(1)').get() as { readonly integrity_check?: string } | undefined
  if (row?.integrity_check === 'ok') return
  throw fileError(
    file,
    'CORRUPT',
    Object.assign(new Error(row?.integrity_check), { errcode: 11, code: 'SQLITE_CORRUPT' }),
  )
}

function setUp(connection: SqliteConnection, { file, readOnly, durability }: FileOptions): void {
  if (readOnly) {
    connection.exec('PRAGMA query_only = ON')
    return
  }
  const mode = connection.prepare('PRAGMA journal_mode = WAL').get() as { readonly journal_mode?: string } | undefined
  if (mode?.journal_mode !== 'wal') {
    throw fileError(file, 'UNSUPPORTED', undefined, 'a write-ahead log is not possible here; put it on a local disk.')
  }
  // FULL flushes the log at every commit, NORMAL only when its pages go into the database.
  connection.exec(`PRAGMA synchronous = ${durability === 'disk' ? 'FULL' : 'NORMAL'}`)
  // What was dropped or replaced is overwritten with zeros, not left in free pages.
  connection.exec('PRAGMA secure_delete = ON')
  connection.exec(`PRAGMA journal_size_limit = ${LARGEST_IDLE_WAL}`)
}

function missing(readOnly: boolean): string {
  return readOnly
    ? 'there is no store; nothing is made by reading.'
    : 'there is no store; pass create: true to make one.'
}

function closeQuietly(connection: SqliteConnection): void {
  try {
    connection.close()
  } catch {
    // The error that led here counts.
  }
}

/** The error of opening a file, as a `SessionError`. */
export function openingError(error: unknown, { file, driver }: FileOptions): SessionError {
  return SessionError.is(error) ? error : sqliteError(file, driver.resultCode(error), error)
}
