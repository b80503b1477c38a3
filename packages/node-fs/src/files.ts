import { constants } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import {
  randomFraction,
  SessionError,
  sleep,
  UncertainError,
  type Clock,
  type Random,
  type Signal,
} from '@sessiontree/core'
import { systemCode, unlessMissing, type FileSystem } from './file-system.ts'
import { encodeBatch } from './line.ts'
import { LineFile, uncertain } from './line-file.ts'
import type { FileName, Store } from './store.ts'
import { Successors } from './successors.ts'

/** What {@link Files} works with. */
export interface FilesOptions {
  readonly durability: 'disk' | 'process'
  readonly clock: Clock
  readonly random: Random
  readonly system: FileSystem
  /** From how many bytes on the file of a document is replaced by a new one. */
  readonly documentBound: number
}

const TRIES = 64
const LONGEST_PAUSE = 20
const REMEMBERED_FILES = 4096
// A file of fewer values is not replaced, however large they are: every put would.
const FILL = 8
// How often a log is copied while others append to it.
const RENEWALS = 4

/** The files of one store: opened, changed, made durable and removed by the rules that logs and documents share. */
export class Files {
  readonly store: Store
  readonly #options: FilesOptions
  readonly #system: FileSystem
  /** Files whose folders this handle has flushed: whoever made them may have died before. */
  readonly #settled: Set<string> = new Set()
  /** Files where a write of this handle may not last. */
  readonly #poisoned: Map<string, SessionError> = new Map()
  /** Logs that were copied because of that, or could not be. */
  readonly #renewed: Set<string> = new Set()
  readonly #successors: Successors

  constructor(store: Store, options: FilesOptions) {
    this.store = store
    this.#options = options
    this.#system = options.system
    this.#successors = new Successors(options.system)
  }

  /** Opens a file; undefined only if there is no such file in a store that is there. */
  open(name: FileName, flags: number): LineFile | undefined {
    const creates = (flags & constants.O_CREAT) !== 0
    if (creates) this.store.assertSame(name.tree)
    this.store.assertInside(name)
    for (let tries = 0; ; tries++) {
      const file = unlessMissing(() => this.#system.open(name.path, flags))
      if (file !== undefined) return this.#take(file, name)
      this.store.assertSame(name.tree)
      if (!creates) return undefined
      if (tries === TRIES) throw new SessionError('BUSY', `The folder of ${name.path} is removed again and again.`)
      this.#system.makeFolder(dirname(name.path))
    }
  }

  #take(file: number, name: FileName): LineFile {
    try {
      this.store.assertSame(name.tree)
      const isDurable = this.#options.durability === 'disk'
      return new LineFile(this.#system, file, { ...name, by: this.#token(), isDurable })
    } catch (error) {
      this.#system.close(file)
      throw error
    }
  }

  /** Random, never used again. */
  #token(): string {
    return Buffer.from(this.#options.random.bytes(6)).toString('base64url')
  }

  /** Opens a file and decides it. Whoever meets a seal gives the file that it names this one's name, and opens that. */
  openCurrent(name: FileName, flags: number): LineFile | undefined {
    let met: string | undefined
    for (;;) {
      const file = this.open(name, flags)
      if (!file) return undefined
      try {
        file.decide()
        if (!file.isSealed) return file
        const next = sealedName(file)
        // A rename takes the file away, so one that is named again was never there.
        if (next === met) throw file.corrupt(`it goes on in ${next}, which is missing`)
        met = next
      } catch (error) {
        file.close()
        throw error
      }
      file.close()
      unlessMissing(() => this.#system.rename(join(dirname(name.path), String(met)), name.path))
    }
  }

  /**
   * Repeats a write for as long as it is only in the way of others; `step` returns undefined to go on. One that ends uncertain
   * poisons its file for this handle, reads aside: its bytes may be there now and gone after a crash of the machine, so neither
   * what is built on them nor finding them there may count as success.
   */
  async attempt<Result>(
    { path }: FileName,
    signal: Signal | undefined,
    step: (again: boolean) => Promise<Result | undefined>,
  ): Promise<Result> {
    const { clock, random } = this.#options
    for (let tries = 0; tries < TRIES; tries++) {
      if (tries > 0) await sleep(clock, randomFraction(random) * Math.min(LONGEST_PAUSE, 2 ** tries), signal)
      const cause = this.#poisoned.get(path)
      if (cause) throw new UncertainError(`A write to ${path} may not last; open another handle.`, { cause })
      try {
        const result = await step(tries > 0)
        if (result !== undefined) return result
      } catch (error) {
        if (SessionError.is(error, 'UNCERTAIN')) this.#poisoned.set(path, error)
        throw error
      }
    }
    throw new SessionError('BUSY', `Others were in the way of ${TRIES} writes to ${path}; try again.`)
  }

  /**
   * Whether what a batch would follow may be lost where the batch is not: the machine may keep the later of two writes that nobody
   * has flushed, and then a record is missing before one that counts.
   */
  mustSettleFirst(file: LineFile): boolean {
    return this.#options.durability === 'disk' && file.mayLoseEnd
  }

  /** Makes what was written to a file last as long as this adapter promises. */
  async settle(file: LineFile): Promise<void> {
    if (this.#options.durability === 'process') return
    try {
      await file.flush()
      if (this.#settled.has(file.identity)) return
      for (const folder of this.store.foldersAbove(file.path)) await this.#system.flushFolder(folder)
    } catch (cause) {
      throw uncertain(file.path, cause)
    }
    if (this.#settled.size >= REMEMBERED_FILES) this.#settled.clear()
    this.#settled.add(file.identity)
  }

  /** Whether the file of a document has grown so far beyond its next value that a new one is to take its place. */
  isFull(file: LineFile, text: string): boolean {
    return file.size > Math.max(this.#options.documentBound, FILL * Buffer.byteLength(text))
  }

  /**
   * Puts a document's next value into a file that holds nothing else, and lets it take the place of this one. Returns the new version,
   * or undefined if others were first.
   */
  async rollOver(name: FileName, file: LineFile, text: string): Promise<string | undefined> {
    const at = file.length
    const by = this.#token()
    const won = await this.#replace(name, file, [encodeBatch({ at, pos: 0, by, body: 'record' }, [text])])
    return won ? `${at}-${by}` : undefined
  }

  /**
   * Takes away what was left where a document was rolled over at this index: the file that went by its name, and those that were to
   * take its place and did not. Told where {@link rollOver} leaves that to whoever comes next.
   */
  async forgetBefore(name: FileName, at: number): Promise<void> {
    try {
      // Renames the new file if that was refused to its maker.
      this.openCurrent(name, constants.O_RDONLY)?.close()
      this.#successors.discard(this.#successors.of(name.path, at + 1))
      if (this.#options.durability === 'disk') await this.#system.flushFolder(dirname(name.path))
    } catch (cause) {
      throw uncertain(name.path, cause)
    }
  }

  /**
   * Copies a log in which a flush failed into a fresh file, which takes its place. What the system let go of then stands in this one:
   * nobody else can know that it is missing from the disk. If that fails too, nothing has changed.
   */
  async renew(name: FileName): Promise<void> {
    if (this.#renewed.has(name.path)) return
    this.#renewed.add(name.path)
    for (let tries = 0; tries < RENEWALS; tries++) {
      const file = this.openCurrent(name, constants.O_RDWR | constants.O_APPEND)
      // What is damaged stays as it is, for whoever repairs it.
      if (!file || file.length === 0 || file.tail.damagedAt !== undefined) return file?.close()
      try {
        // Byte for byte: each batch goes on naming the place where it starts.
        if (await this.#replace(name, file, file.counting())) return
      } finally {
        file.close()
      }
    }
  }

  /** Writes a complete file beside one, then a seal that names it. This seal is the commit; false if others were first. */
  async #replace(name: FileName, file: LineFile, content: Iterable<Buffer>): Promise<boolean> {
    const at = file.length
    const next = `${basename(name.path)}+${at}+${this.#token()}`
    const path = join(dirname(name.path), next)
    await this.#successors.write(path, content)
    let isCommitted = false
    try {
      isCommitted = file.write('next', [JSON.stringify(next)])
    } catch (error) {
      // Whoever finds the seal needs the file.
      if (!SessionError.is(error, 'UNCERTAIN')) this.#successors.discard([path])
      throw error
    }
    if (!isCommitted) {
      this.#successors.discard([path])
      return false
    }
    await this.settle(file)
    // Whoever meets the seal does the same: what the system refuses here is nobody's failure.
    unlessRefused(() => this.#system.rename(path, name.path))
    unlessRefused(() => this.#successors.discard(this.#successors.of(name.path, at)))
    return true
  }

  /** Removes a file and what was made to replace it, and with `forget` the folders that only its name needed; returns the bytes. */
  async unlink({ tree, name, path }: FileName, { forget, rolled }: Unlinking): Promise<number> {
    this.store.assertSame(tree)
    this.store.assertInside({ tree, name, path })
    // What could still be renamed to it goes first.
    const bytes = this.#successors.discard([...(rolled ? this.#successors.of(path) : []), path])
    this.#poisoned.delete(path)
    this.#renewed.delete(path)
    const folders = this.store.foldersAbove(path)
    if (forget) this.#removeEmpty(folders.slice(0, -2))
    if (this.#options.durability === 'process') return bytes
    for (const folder of folders) {
      try {
        await this.#system.flushFolder(folder)
        break
      } catch (cause) {
        if (systemCode(cause) !== 'ENOENT') throw uncertain(path, cause)
      }
    }
    return bytes
  }

  #removeEmpty(folders: readonly string[]): void {
    try {
      for (const folder of folders) this.#system.removeFolder(folder)
    } catch (error) {
      if (!['ENOTEMPTY', 'EEXIST', 'ENOENT'].includes(systemCode(error) ?? '')) throw error
    }
  }
}

interface Unlinking {
  readonly forget: boolean
  /** Whether files may lie beside it that were made to replace it. */
  readonly rolled: boolean
}

/** Does what others will do if the system refuses it now. */
function unlessRefused(attempt: () => void): void {
  try {
    attempt()
  } catch (error) {
    if (systemCode(error) === undefined) throw error
  }
}

/** The file that a seal names: one beside it, made for it. */
function sealedName(file: LineFile): string {
  const name = /^"([\w~.+-]+)"$/.exec(file.last?.texts()[0] ?? '')?.[1]
  if (name?.startsWith(`${basename(file.path)}+`)) return name
  throw file.corrupt('it goes on in a file that is not its own')
}
