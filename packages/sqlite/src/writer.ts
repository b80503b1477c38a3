import { setImmediate as nextTurn } from 'node:timers/promises'
import { SessionError, throwIfAborted, type Signal } from '@sessiontree/core'
import type { Database, Transaction } from './database.ts'
import { commitError, fileError, sqliteError } from './failures.ts'
import { rollBack } from './layout.ts'
import type { OpenFile } from './open-file.ts'
import { isFailedFlush } from './result-codes.ts'

/** A write that waits for its turn, or has had it. */
interface Write {
  readonly body: (transaction: Transaction) => unknown
  readonly signal: Signal | undefined
  readonly bytes: number
  /** Whether its caller was told the outcome. */
  isSettled: boolean
  resolve(value: unknown): void
  reject(error: unknown): void
}

// What one transaction takes along at most: it holds the lock of all processes, and the event loop.
const MOST_WRITES = 256
const MOST_BYTES = 8 * 1024 * 1024

/**
 * The queue of one handle's writes. Those that wait together are committed together, in the order in which they were asked for, so that
 * they share one flush; each learns its own outcome once the commit is done.
 */
export class Writer {
  readonly #database: Database
  readonly #waiting: Write[] = []
  #isRunning = false
  /** The flush that failed. Nobody can tell what is on the disk until another handle looks. */
  #failedFlush: unknown

  constructor(database: Database) {
    this.#database = database
  }

  /** Queues a write. Until its transaction begins, its signal takes it back. */
  write<Result>(
    signal: Signal | undefined,
    body: (transaction: Transaction) => Result,
    bytes: number,
  ): Promise<Result> {
    throwIfAborted(signal)
    return new Promise<Result>((resolve, reject) => {
      const abort = () => write.reject(signal?.reason)
      const settle = (tell: () => void) => {
        if (write.isSettled) return
        write.isSettled = true
        signal?.removeEventListener('abort', abort)
        tell()
      }
      const write: Write = {
        body,
        signal,
        bytes,
        isSettled: false,
        resolve: (value) => settle(() => resolve(value as Result)),
        reject: (error) => settle(() => reject(error)),
      }
      signal?.addEventListener('abort', abort, { once: true })
      this.#waiting.push(write)
      if (!this.#isRunning) void this.#run()
    })
  }

  async #run(): Promise<void> {
    this.#isRunning = true
    // What is asked for in one go shares a transaction.
    await Promise.resolve()
    while (this.#waiting.length > 0) {
      const group = this.#take()
      if (group.length > 0 && !(await this.#commit(group))) {
        // Each gets an error, or a success, of its own.
        for (const write of group) await this.#commit([write])
      }
      if (this.#waiting.length > 0) await nextTurn()
    }
    this.#isRunning = false
  }

  #take(): readonly Write[] {
    const group: Write[] = []
    let bytes = 0
    while (this.#waiting.length > 0 && group.length < MOST_WRITES && (group.length === 0 || bytes < MOST_BYTES)) {
      const write = this.#waiting.shift()
      if (!write || write.isSettled) continue
      bytes += write.bytes
      group.push(write)
    }
    return group
  }

  /** Commits a group; false if nothing was written and each of several writes is to be tried alone. */
  async #commit(group: readonly Write[]): Promise<boolean> {
    try {
      await this.#database.patiently(undefined, (opened) => {
        const left = group.filter((write) => !write.isSettled)
        if (left.length > 0) this.#transact(opened, left)
      })
      return true
    } catch (error) {
      if (group.length > 1) return false
      for (const write of group) write.reject(error)
      return true
    }
  }

  /** One transaction. Throws if nothing was written; else everybody was told the outcome. */
  #transact(opened: OpenFile, group: readonly Write[]): void {
    const database = this.#database
    if (this.#failedFlush !== undefined) {
      const advice = 'an earlier flush failed, so nobody can tell what is on the disk; open another handle.'
      for (const write of group) write.reject(fileError(database.file, 'UNCERTAIN', this.#failedFlush, advice))
      return
    }
    opened.sql('BEGIN IMMEDIATE').run()
    let outcomes: readonly Outcome[]
    try {
      const transaction = database.transaction(opened)
      outcomes = group.map((write) => perform(write, transaction))
    } catch (error) {
      rollBack(opened.connection)
      throw error
    }
    if (outcomes.every(({ error }) => error !== undefined)) rollBack(opened.connection)
    else if (!this.#end(opened, outcomes)) return
    for (const { write, value, error } of outcomes) {
      if (error === undefined) write.resolve(value)
      else write.reject(error)
    }
  }

  /** Commits; false if everybody was told that it is not known whether that took effect. Throws if it certainly did not. */
  #end(opened: OpenFile, outcomes: readonly Outcome[]): boolean {
    const database = this.#database
    try {
      opened.sql('COMMIT').run()
      return true
    } catch (cause) {
      rollBack(opened.connection)
      const code = database.codeOf(cause)
      const failure = commitError(database.file, code, cause)
      // As it came: whoever waits for locks knows it.
      if (failure.code !== 'UNCERTAIN') throw cause
      if (isFailedFlush(code)) this.#failedFlush = cause
      else database.letGo(opened)
      for (const { write, error } of outcomes) {
        // A conflict with a write whose own fate is open: nothing of this one was written.
        write.reject(error === undefined ? failure : sqliteError(database.file, undefined, cause))
      }
      return false
    }
  }
}

interface Outcome {
  readonly write: Write
  readonly value?: unknown
  readonly error?: SessionError
}

function perform(write: Write, transaction: Transaction): Outcome {
  try {
    return { write, value: write.body(transaction) }
  } catch (error) {
    // Thrown before anything was written: the others of the group go on.
    if (SessionError.is(error)) return { write, error }
    throw error
  }
}
