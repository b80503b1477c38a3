import { constants } from 'node:fs'
import { setImmediate as nextTurn } from 'node:timers/promises'
import {
  ConflictError,
  SessionError,
  type Capabilities,
  type Document,
  type RecordBatch,
  type Removal,
  type ResolvedListing,
  type ResolvedRange,
  type Signal,
  type StorageBackend,
} from '@sessiontree/core'
import { AppendGroup } from './append-group.ts'
import { readDocument, replaceDocument } from './documents.ts'
import { Files, type FilesOptions } from './files.ts'
import type { LineFile } from './line-file.ts'
import { readRecords } from './read-records.ts'
import { Store, type FileName } from './store.ts'

/** What a {@link FileBackend} works with. */
export interface FileBackendOptions extends FilesOptions {
  readonly root: string
  readonly create: boolean
  readonly singleWriter: boolean
}

const { O_APPEND, O_CREAT, O_RDONLY, O_RDWR } = constants
const WRITE = O_RDWR | O_APPEND
const OPEN_LOGS = 64
const PAGE = 1000

/**
 * Logs and documents as files of lines. Looking at a file and writing to it happens in one turn of the event loop: only other
 * processes can come in between.
 */
export class FileBackend implements StorageBackend {
  readonly name = 'node-fs'
  readonly capabilities: Capabilities
  readonly #options: FileBackendOptions
  #opening: Promise<Files> | undefined
  /** The logs that were appended to last, by path, the latest at the end. */
  readonly #logs: Map<string, LineFile> = new Map()
  /** Appends that wait for a flush of what they follow, by path. */
  readonly #waiting: Map<string, AppendGroup> = new Map()

  constructor(options: FileBackendOptions) {
    this.#options = options
    const { durability, singleWriter } = options
    this.capabilities = { durability, sharing: singleWriter ? 'none' : 'process', watch: false }
  }

  async append(log: string, at: number, records: readonly string[], signal: Signal | undefined): Promise<void> {
    const files = await this.#files()
    const name = files.store.file('log', log)
    for (let open = this.#waiting.get(name.path); open?.next === at; open = this.#waiting.get(name.path)) {
      const joined = open.join(records)
      try {
        await open.done
      } catch (error) {
        if (joined && !open.wasGivenUp(error)) throw error
        continue
      }
      if (joined) return
    }
    await new AppendGroup({ at, records, signal }, (group) => this.#append(files, name, group, signal)).done
  }

  async #append(files: Files, name: FileName, group: AppendGroup, signal: Signal | undefined): Promise<void> {
    const { at } = group
    let create = at === 0
    try {
      await files.attempt(name, signal, async (again) => {
        let file = this.#log(files, name, { at, look: again, create })
        while (file?.length === at && files.mustSettleFirst(file)) {
          this.#waiting.set(name.path, group)
          try {
            await files.settle(file)
          } finally {
            if (this.#waiting.get(name.path) === group) this.#waiting.delete(name.path)
          }
          file = this.#log(files, name, { at, look: true, create })
        }
        if (file?.tail.isUnclear) throw file.missing(file.length, file.tail.damagedAt ?? file.size)
        if (file?.length !== at) throw behind(name, at, file?.length ?? 0)
        if (!file.write('record', group.records)) {
          // Dropped in between: a first append would bring the name back.
          if (file.unlinked) create = false
          return undefined
        }
        await files.settle(file)
        return at
      })
    } catch (error) {
      if (!SessionError.is(error, 'CONFLICT')) this.#letGo(name)
      // The next handle, of whatever process, would build on bytes that may be nowhere but in memory.
      if (SessionError.is(error, 'UNCERTAIN') && this.capabilities.durability === 'disk') {
        await files.renew(name).catch(() => {})
      }
      throw error
    }
  }

  async *read(log: string, range: ResolvedRange): AsyncGenerator<RecordBatch> {
    const files = await this.#files()
    const file = files.open(files.store.file('log', log), O_RDONLY)
    if (!file) return
    try {
      for (const batch of readRecords(file, range)) {
        yield batch
        await nextTurn()
      }
    } finally {
      file.close()
    }
  }

  async drop(log: string, forget: boolean): Promise<Removal> {
    const files = await this.#files()
    const name = files.store.file('log', log)
    this.#letGo(name)
    return { bytes: await files.unlink(name, { forget, rolled: true }) }
  }

  async *logs(prefix: string, { after, limit }: ResolvedListing): AsyncGenerator<readonly string[]> {
    const files = await this.#files()
    yield* pages(files.store.list('log', prefix, after), limit)
  }

  async get(key: string): Promise<Document | undefined> {
    const files = await this.#files()
    return readDocument(files, files.store.file('doc', key))
  }

  async put(key: string, value: string, expect: string, signal: Signal | undefined, forget: boolean): Promise<string> {
    const files = await this.#files()
    const name = files.store.file('doc', key)
    return replaceDocument(files, { name, expect, body: 'record', text: value, signal, forget })
  }

  async remove(
    key: string,
    expect: string | undefined,
    forget: boolean,
    signal: Signal | undefined,
  ): Promise<Removal | undefined> {
    const files = await this.#files()
    const name = files.store.file('doc', key)
    await replaceDocument(files, { name, expect, body: 'removed', text: 'true', signal })
    if (!forget) return undefined
    const file = files.openCurrent(name, O_RDONLY)
    const rolled = file !== undefined && (files.isFull(file, '') || file.first?.at !== 0)
    file?.close()
    // Whoever created it again meanwhile keeps it.
    if (file?.last?.body === 'record' && file.tail.damagedAt === undefined) return undefined
    return { bytes: await files.unlink(name, { forget, rolled }) }
  }

  async *keys(prefix: string, { after, limit }: ResolvedListing): AsyncGenerator<readonly string[]> {
    const files = await this.#files()
    yield* pages(files.store.list('doc', prefix, after), limit)
  }

  async close(): Promise<void> {
    for (const file of this.#logs.values()) file.close()
  }

  #files(): Promise<Files> {
    this.#opening ??= Store.open(this.#options).then(
      (store) => new Files(store, this.#options),
      (error: unknown) => {
        this.#opening = undefined
        throw error
      },
    )
    return this.#opening
  }

  /** The open file of a log, if it has one; looked at again where that could decide otherwise. */
  #log(files: Files, name: FileName, { at, look, create }: LogRequest): LineFile | undefined {
    const known = this.#logs.get(name.path)
    if (known && (look || known.length !== at)) known.look()
    if (known && !known.unlinked && !known.isSealed) {
      this.#logs.delete(name.path)
      this.#logs.set(name.path, known)
      return known
    }
    this.#letGo(name)
    const file = files.openCurrent(name, create ? WRITE | O_CREAT : WRITE)
    if (!file) return undefined
    if (this.#logs.size >= OPEN_LOGS) {
      const idle = [...this.#logs.values()].find((log) => !log.isFlushing)
      if (idle) this.#letGo(idle)
    }
    this.#logs.set(name.path, file)
    return file
  }

  #letGo({ path }: { readonly path: string }): void {
    this.#logs.get(path)?.close()
    this.#logs.delete(path)
  }
}

interface LogRequest {
  readonly at: number
  readonly look: boolean
  readonly create: boolean
}

/** The names of files in pages, with a pause for the rest of the process between two of them. */
async function* pages(files: IteratorObject<FileName>, limit: number): AsyncGenerator<readonly string[]> {
  let page: string[] = []
  for (const { name } of files.take(limit)) {
    page.push(name)
    if (page.length < PAGE) continue
    yield page
    page = []
    await nextTurn()
  }
  if (page.length > 0) yield page
}

function behind({ name }: FileName, at: number, length: number): ConflictError {
  return new ConflictError(`Log ${name} holds ${length} records, so none can be appended at ${at}; read it again.`, {
    atLeast: length,
  })
}
