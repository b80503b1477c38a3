import { randomFraction, SessionError, sleep, throwIfAborted, type Signal } from '@sessiontree/core'
import type { SqliteStatement } from './driver.ts'
import { fileError, replaced, sqliteError } from './failures.ts'
import { isUnwritten, openFile, openingError, type FileOptions, type OpenFile } from './open-file.ts'
import { isSameFile, isUnchanged, stampOf } from './place.ts'
import { isBusy, isDamage } from './result-codes.ts'
import { Writer } from './writer.ts'

/** What the work inside a transaction has at hand. Everything is synchronous: no transaction outlives the call that it is for. */
export interface Transaction {
  readonly sql: (text: string) => SqliteStatement
  /** Whether an error says that the file is damaged. */
  readonly isDamage: (error: unknown) => boolean
}

const SHORTEST_PAUSE = 1
const LONGEST_PAUSE = 50

/**
 * One handle's way to its file: opened at the first operation, and opened anew after an error that leaves its state in doubt. Waits
 * for locks without holding up the event loop.
 */
export class Database {
  readonly options: FileOptions
  readonly #writer: Writer
  #opened: OpenFile | undefined
  #opening: Promise<OpenFile> | undefined
  /** The file that this handle works on: never another one of the same name. */
  #known: OpenFile['stamp'] | undefined

  constructor(options: FileOptions) {
    this.options = options
    this.#writer = new Writer(this)
  }

  get file(): string {
    return this.options.file
  }

  /** Runs `body` on one state of the file. */
  read<Result>(signal: Signal | undefined, body: (transaction: Transaction) => Result): Promise<Result> {
    return this.patiently(signal, (opened) => {
      opened.sql('BEGIN').run()
      try {
        return body(this.transaction(opened))
      } finally {
        opened.sql('ROLLBACK').run()
        // What was read from a file that changed meanwhile counts for nothing, not even as damage.
        if (opened.isImmutable) this.#assertUnwritten(opened)
      }
    })
  }

  /**
   * Runs `body` in a write transaction, perhaps together with others, and resolves once it is committed. If `body` throws, it must not
   * have written before.
   */
  write<Result>(signal: Signal | undefined, body: (transaction: Transaction) => Result, bytes = 0): Promise<Result> {
    if (this.options.readOnly) {
      throw fileError(this.file, 'READ_ONLY', undefined, 'this handle was opened with readOnly; open another to write.')
    }
    return this.#writer.write(signal, body, bytes)
  }

  /**
   * Moves everything from the write-ahead log into the database and empties it, so that no earlier content is left there. Resolves with
   * whether that was possible; with `wait` it waits for readers.
   */
  async emptyLog(wait: boolean): Promise<boolean> {
    const started = this.options.clock.elapsed()
    for (let tries = 0; ; tries++) {
      const isEmpty = await this.patiently(undefined, (opened) => {
        const row = opened.sql('PRAGMA wal_checkpoint(TRUNCATE)').get() as { readonly busy?: number } | undefined
        return row?.busy === 0
      }).catch(() => false)
      if (isEmpty || !wait || this.options.clock.elapsed() - started >= this.options.busyTimeout) return isEmpty
      await this.#pause(tries, undefined)
    }
  }

  /** Runs `attempt` on the open file; again, after a pause, while somebody else holds a lock that it needs. */
  async patiently<Result>(signal: Signal | undefined, attempt: (opened: OpenFile) => Result): Promise<Result> {
    const { clock, busyTimeout } = this.options
    const started = clock.elapsed()
    for (let tries = 0; ; tries++) {
      try {
        const opened = this.#opened ?? (await untilAborted(this.#open(), signal))
        throwIfAborted(signal)
        this.#assertPresent(opened)
        return attempt(opened)
      } catch (error) {
        if (error === WRITTEN) continue
        if (SessionError.is(error) || (signal?.aborted === true && error === signal.reason)) throw error
        const code = this.codeOf(error)
        if (!isBusy(code) || clock.elapsed() - started >= busyTimeout) throw sqliteError(this.file, code, error)
      }
      await this.#pause(tries, signal)
    }
  }

  transaction(opened: OpenFile): Transaction {
    return { sql: (text) => opened.sql(text), isDamage: (error) => isDamage(this.codeOf(error)) }
  }

  codeOf(error: unknown): number | undefined {
    return this.options.driver.resultCode(error)
  }

  /** Closes the connection; the next operation opens another. */
  letGo(opened: OpenFile): void {
    if (this.#opened === opened) this.#opened = undefined
    try {
      opened.connection.close()
    } catch {
      // It is given up anyway.
    }
  }

  close(): void {
    if (!this.#opened) return
    const { connection } = this.#opened
    this.#opened = undefined
    try {
      // The last one to close a file moves its log into it.
      connection.close()
    } catch (error) {
      throw sqliteError(this.file, this.codeOf(error), error)
    }
  }

  #open(): Promise<OpenFile> {
    this.#opening ??= this.#openPatiently().finally(() => (this.#opening = undefined))
    return this.#opening
  }

  async #openPatiently(): Promise<OpenFile> {
    const { clock, busyTimeout } = this.options
    const started = clock.elapsed()
    for (let tries = 0; ; tries++) {
      try {
        // Not where another store has taken the place of this handle's own.
        if (this.#known && !isSameFile(this.#known, stampOf(this.file))) throw replaced(this.file)
        const opened = await openFile(this.options)
        this.#known ??= opened.stamp
        this.#opened = opened
        return opened
      } catch (error) {
        const isLocked = isBusy(this.codeOf(error))
        if (!isLocked || clock.elapsed() - started >= busyTimeout) throw openingError(error, this.options)
      }
      await this.#pause(tries, undefined)
    }
  }

  #pause(tries: number, signal: Signal | undefined): Promise<void> {
    const { clock, random } = this.options
    const longest = Math.min(SHORTEST_PAUSE * 2 ** Math.min(tries, 10), LONGEST_PAUSE)
    return sleep(clock, longest * (0.5 + randomFraction(random) / 2), signal)
  }

  #assertPresent(opened: OpenFile): void {
    if (!isSameFile(opened.stamp, stampOf(this.file))) throw replaced(this.file)
    if (opened.isImmutable) this.#assertUnwritten(opened)
  }

  /** If somebody writes after all, the next try opens the file as one that is written. */
  #assertUnwritten(opened: OpenFile): void {
    if (isUnwritten(this.file) && isUnchanged(opened.stamp, stampOf(this.file))) return
    this.letGo(opened)
    throw WRITTEN
  }
}

const WRITTEN = Symbol('the file was written while it was read')

/** Waits for something that goes on whoever waits, but not longer than the signal allows. */
function untilAborted<Result>(promise: Promise<Result>, signal: Signal | undefined): Promise<Result> {
  if (!signal) return promise
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason)
    signal.addEventListener('abort', abort, { once: true })
    promise.finally(() => signal.removeEventListener('abort', abort)).then(resolve, reject)
  })
}
