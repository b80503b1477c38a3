import { readdirSync, rmSync, type Dirent } from 'node:fs'
import { join } from 'node:path'
import { isSegment, SessionError } from '@sessiontree/core'
import { Database } from './database.ts'
import { systemError } from './failures.ts'
import type { FileOptions } from './open-file.ts'
import { stampOf } from './place.ts'

/** A log's own database, and how many calls are using it. */
export interface LogFile {
  readonly log: string
  readonly database: Database
  users: number
}

const MOST_OPEN = 32
const ENDING = '.db'
// SQLite's 512 on Unix, less what its own files have at the end.
const LONGEST_PATH = 500
// What a folder must not be called, so that no log's file or companion has its name.
const TAKEN = /\.db(?:-wal|-shm|-journal)?$/

/** The databases of a directory that keeps each log in a file of its own. Those used last stay open. */
export class LogFiles {
  readonly #root: string
  readonly #options: Omit<FileOptions, 'file'>
  /** The one used last is at the end. */
  readonly #open: Map<string, LogFile> = new Map()

  constructor(root: string, options: Omit<FileOptions, 'file'>) {
    this.#root = root
    this.#options = options
  }

  /** The database of a log, to be given back; undefined if there is none and none is to be made. */
  take(log: string, mayMake: boolean): LogFile | undefined {
    const file = this.#path(log)
    // An empty one is what a crash left of making it.
    if (!mayMake && (stampOf(file)?.size ?? 0n) === 0n) return undefined
    if (Buffer.byteLength(file) > LONGEST_PATH) {
      throw new SessionError(
        'TOO_LARGE',
        `${file}: SQLite takes paths of ${LONGEST_PATH} bytes; use a shorter folder, scope or id.`,
      )
    }
    const known = this.#open.get(log) ?? { log, database: new Database({ ...this.#options, file }), users: 0 }
    known.users++
    this.#open.delete(log)
    this.#open.set(log, known)
    return known
  }

  giveBack(taken: LogFile): void {
    taken.users--
    if (taken.users === 0 && this.#open.get(taken.log) !== taken) taken.database.close()
    if (this.#open.size <= MOST_OPEN) return
    for (const [log, { database, users }] of this.#open) {
      if (users > 0) continue
      this.#open.delete(log)
      database.close()
      return
    }
  }

  /** Lets go of a database whose file is not there any more: the next one to take it looks again. */
  discard(taken: LogFile): void {
    if (this.#open.get(taken.log) === taken) this.#open.delete(taken.log)
  }

  /** Removes the files of a log that was dropped, companions first: the database says that it was dropped. */
  remove(taken: LogFile): void {
    this.discard(taken)
    taken.database.close()
    const file = this.#path(taken.log)
    try {
      for (const companion of ['-wal', '-shm', '-journal', '']) rmSync(file + companion, { force: true })
    } catch (error) {
      throw systemError(file, error)
    }
  }

  /** The names of all logs strictly below a prefix and after a name, ascending. */
  *names(prefix: string, after: string): Generator<string> {
    yield* this.#below(prefix === '' ? [] : prefix.split('/'), after)
  }

  close(): void {
    for (const { database } of this.#open.values()) database.close()
    this.#open.clear()
  }

  *#below(segments: readonly string[], after: string): Generator<string> {
    const found: [order: string, segment: string, isFolder: boolean][] = []
    for (const entry of entriesOf(join(this.#root, ...segments.map(folderName)))) {
      const isFolder = entry.isDirectory()
      const segment = isFolder ? entry.name.replace(/\+$/, '') : entry.name.slice(0, -ENDING.length)
      if (!isSegment(segment) || entry.name !== (isFolder ? folderName(segment) : segment + ENDING)) continue
      // What is below `a` comes behind `a-b` and `a.b`.
      found.push([isFolder ? `${segment}/` : segment, segment, isFolder])
    }
    found.sort(([a], [b]) => (a < b ? -1 : 1))
    for (const [, segment, isFolder] of found) {
      const name = [...segments, segment].join('/')
      if (!isFolder && name > after) yield name
      // Nothing below comes after a name that is behind all of them.
      if (isFolder && `${name}0` > after) yield* this.#below([...segments, segment], after)
    }
  }

  #path(log: string): string {
    const segments = log.split('/')
    const last = segments.pop() ?? ''
    return join(this.#root, ...segments.map(folderName), last + ENDING)
  }
}

const folderName = (segment: string) => (TAKEN.test(segment) ? `${segment}+` : segment)

function entriesOf(folder: string): readonly Dirent[] {
  try {
    return readdirSync(folder, { withFileTypes: true })
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return []
    throw systemError(folder, error)
  }
}
