import { join, resolve } from 'node:path'
import { setImmediate as nextTurn } from 'node:timers/promises'
import {
  ConflictError,
  defineAdapter,
  SessionError,
  type RecordBatch,
  type Removal,
  type ResolvedListing,
  type ResolvedRange,
  type Signal,
  type StorageAdapter,
} from '@sessiontree/core'
import { appendRecords } from './append.ts'
import { Database } from './database.ts'
import { documentsIn } from './documents.ts'
import { dropRecords } from './drop-log.ts'
import { fileError } from './failures.ts'
import { LogFiles, type LogFile } from './log-files.ts'
import { resolveOptions, type SqliteOptions } from './options.ts'
import { readRecords } from './read-log.ts'

const PAGE = 1000

/**
 * Opens a handle on the sessions kept in a directory, each log in an SQLite file of its own, the documents together in one.
 *
 * Contract
 * - As {@link sqlite}, for each file. Writers of different sessions do not wait for one another, damage stays in one session, and what a
 *   dropped log took is given back at once.
 * - `documents.db` is the store: without it there is none. Up to 32 files of logs stay open.
 * - An append to a log whose file's absolute path is longer than 500 bytes is `TOO_LARGE`, and names the path: SQLite opens no longer ones.
 *
 * @example
 * await using sessions = openSessions(sqliteDirectory('./sessions'))
 */
export function sqliteDirectory(folder: string, options: SqliteOptions = {}): StorageAdapter {
  if (typeof folder !== 'string' || folder === '') throw new TypeError('folder: expected the path of a directory')
  const resolved = resolveOptions(options)
  const root = resolve(folder)
  const documents = new Database({ ...resolved, file: join(root, 'documents.db') })
  // Whoever may write to the store may make a log.
  const directory = new Directory(documents, new LogFiles(join(root, 'log'), { ...resolved, create: true }))
  return defineAdapter({
    name: 'sqlite',
    capabilities: { durability: resolved.durability, sharing: 'process', watch: false },
    append: (log, at, records, signal) => directory.append(log, at, records, signal),
    read: (log, range) => directory.read(log, range),
    drop: (log, _forget, signal) => directory.drop(log, signal),
    logs: (prefix, listing) => directory.logs(prefix, listing),
    ...documentsIn(documents),
    close: async () => directory.close(),
  })
}

class Directory {
  readonly #documents: Database
  readonly #files: LogFiles

  constructor(documents: Database, files: LogFiles) {
    this.#documents = documents
    this.#files = files
  }

  async append(log: string, at: number, records: readonly string[], signal: Signal | undefined): Promise<void> {
    this.#assertWritable()
    const appended = await this.#using(log, at === 0, signal, async ({ database }) => {
      await appendRecords(database, log, at, records, signal)
      return true
    })
    if (appended === undefined) throw new ConflictError(`Log ${log} holds no records, not ${at}.`, { atLeast: 0 })
  }

  async *read(log: string, range: ResolvedRange): AsyncGenerator<RecordBatch> {
    await this.#assertPresent(range.signal)
    const taken = this.#files.take(log, false)
    if (!taken) return
    let isBegun = false
    try {
      for await (const batch of readRecords(taken.database, log, range)) {
        isBegun = true
        yield batch
      }
    } catch (error) {
      if (!SessionError.is(error, 'UNAVAILABLE')) throw error
      // The store is there, so only this file went: its log was dropped.
      await this.#assertPresent(range.signal)
      this.#files.discard(taken)
      if (isBegun) throw new SessionError('DELETED', `Log ${log} was dropped while it was read.`, { cause: error })
    } finally {
      this.#files.giveBack(taken)
    }
  }

  async drop(log: string, signal: Signal | undefined): Promise<Removal> {
    this.#assertWritable()
    const dropped = await this.#using(log, false, signal, async (taken) => {
      const { bytes = 0 } = await dropRecords(taken.database, log, false, signal)
      this.#files.remove(taken)
      return { bytes }
    })
    return dropped ?? { bytes: 0 }
  }

  async *logs(prefix: string, { after, limit, signal }: ResolvedListing): AsyncGenerator<readonly string[]> {
    await this.#assertPresent(signal)
    let page: string[] = []
    for (const name of this.#files.names(prefix, after).take(limit)) {
      page.push(name)
      if (page.length < PAGE) continue
      yield page
      page = []
      await nextTurn()
    }
    if (page.length > 0) yield page
  }

  close(): void {
    this.#files.close()
    this.#documents.close()
  }

  /** Works on a log's file; undefined if there is none. */
  async #using<Result>(
    log: string,
    mayMake: boolean,
    signal: Signal | undefined,
    work: (taken: LogFile) => Promise<Result>,
  ): Promise<Result | undefined> {
    for (let tries = 0; ; tries++) {
      await this.#assertPresent(signal)
      const taken = this.#files.take(log, mayMake)
      if (!taken) return undefined
      try {
        return await work(taken)
      } catch (error) {
        if (tries > 0 || !SessionError.is(error, 'UNAVAILABLE')) throw error
        // Dropped by somebody else: look again.
        this.#files.discard(taken)
      } finally {
        this.#files.giveBack(taken)
      }
    }
  }

  /** Throws unless the store is there, and is the one that this handle knows. */
  async #assertPresent(signal: Signal | undefined): Promise<void> {
    await this.#documents.read(signal, () => undefined)
  }

  #assertWritable(): void {
    const { file, options } = this.#documents
    if (options.readOnly) {
      throw fileError(file, 'READ_ONLY', undefined, 'this handle was opened with readOnly; open another to write.')
    }
  }
}
