import { constants } from 'node:fs'
import { setImmediate as nextTurn } from 'node:timers/promises'
import {
  ConflictError,
  SessionError,
  type Capabilities,
  type Document,
  type RecordBatch,
  type ResolvedListing,
  type ResolvedRange,
  type Signal,
  type StorageBackend,
} from '@sessiontree/core'
import { Files, type FilesOptions } from './files.ts'
import type { Body } from './line.ts'
import type { LineFile } from './line-file.ts'
import { readRecords } from './read-records.ts'
import { Store, type FileName } from './store.ts'

/** What a {@link FileBackend} works with. */
export interface FileBackendOptions extends FilesOptions {
  readonly root: string
  readonly create: boolean
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

  constructor(options: FileBackendOptions) {
    this.#options = options
    this.capabilities = { durability: options.durability, sharing: 'process', watch: false }
  }

  async append(log: string, at: number, records: readonly string[], signal: Signal | undefined): Promise<void> {
    const files = await this.#files()
    const name = files.store.file('log', log)
    let create = at === 0
    try {
      await files.attempt(name, signal, async (again) => {
        const file = this.#log(files, name, { at, look: again, create })
        if (file?.length !== at) throw behind(log, at, file?.length ?? 0)
        if (!file.write('record', records)) {
          // Dropped in between: a first append would bring the name back.
          if (file.unlinked) create = false
          return undefined
        }
        await files.settle(file)
        return at
      })
    } catch (error) {
      if (!SessionError.is(error, 'CONFLICT')) this.#letGo(name)
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

  async drop(log: string, forget: boolean): Promise<void> {
    const files = await this.#files()
    const name = files.store.file('log', log)
    this.#letGo(name)
    await files.unlink(name, forget)
  }

  async *logs(prefix: string, { after, limit }: ResolvedListing): AsyncGenerator<readonly string[]> {
    const files = await this.#files()
    yield* pages(files.store.list('log', prefix, after), limit)
  }

  async get(key: string): Promise<Document | undefined> {
    const files = await this.#files()
    return readDocument(files, files.store.file('doc', key))
  }

  async put(key: string, value: string, expect: string, signal: Signal | undefined): Promise<string> {
    const files = await this.#files()
    return replace(files, { name: files.store.file('doc', key), expect, body: 'record', text: value }, signal)
  }

  async remove(key: string, expect: string | undefined, forget: boolean, signal: Signal | undefined): Promise<void> {
    const files = await this.#files()
    const name = files.store.file('doc', key)
    await replace(files, { name, expect, body: 'removed', text: 'true' }, signal)
    // Whoever created it again meanwhile keeps it.
    if (forget && !readDocument(files, name)) await files.unlink(name, forget)
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

interface Replacement {
  readonly name: FileName
  readonly expect: string | undefined
  readonly body: Body
  readonly text: string
}

/** Compare-and-swap of a document: resolves with the new version, or with "" if there was nothing to remove. */
function replace(files: Files, { name, expect, body, text }: Replacement, signal: Signal | undefined): Promise<string> {
  return files.attempt(name, signal, async () => {
    const file = files.openCurrent(name, expect === 'absent' ? WRITE | O_CREAT : WRITE)
    if (!file) {
      if (expect === undefined) return ''
      throw stale(name, expect, 'absent')
    }
    try {
      if (expect === undefined) {
        // What is damaged can be removed, else nobody ever could.
        if (file.last?.body !== 'record' && !file.damaged) return ''
      } else {
        const version = versionOf(file)
        if (version !== expect) throw stale(name, expect, version)
      }
      const version = `${file.length}-${file.by}`
      if (!file.write(body, [text])) return undefined
      await files.settle(file)
      return version
    } finally {
      file.close()
    }
  })
}

function readDocument(files: Files, name: FileName): Document | undefined {
  const file = files.openCurrent(name, O_RDONLY)
  if (!file) return undefined
  try {
    const version = versionOf(file)
    return version === 'absent' ? undefined : { value: file.last?.texts()[0] ?? '', version }
  } finally {
    file.close()
  }
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

function versionOf(file: LineFile): string {
  if (file.damaged) throw file.corrupt('its last line cannot be read')
  return file.last?.body === 'record' ? `${file.last.at}-${file.last.by}` : 'absent'
}

function behind(log: string, at: number, length: number): ConflictError {
  return new ConflictError(`Log ${log} holds ${length} records, so none can be appended at ${at}; read it again.`, {
    atLeast: length,
  })
}

function stale({ name }: FileName, expect: string, version: string): ConflictError {
  return new ConflictError(`Document ${name} is at version ${version}, not ${expect}; read it again, then decide.`)
}
