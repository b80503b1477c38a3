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
import { LineFile, uncertain } from './line-file.ts'
import type { FileName, Store } from './store.ts'

/** What {@link Files} works with. */
export interface FilesOptions {
  readonly durability: 'disk' | 'process'
  readonly clock: Clock
  readonly random: Random
  readonly system: FileSystem
}

const TRIES = 64
const LONGEST_PAUSE = 20
const REMEMBERED_FILES = 4096

/** The files of one store: opened, changed, made durable and removed by the rules that logs and documents share. */
export class Files {
  readonly store: Store
  readonly #options: FilesOptions
  readonly #system: FileSystem
  /** Files whose folders this handle has flushed: whoever made them may have died before. */
  readonly #settled: Set<string> = new Set()
  /** Files where a write of this handle may not last. */
  readonly #poisoned: Map<string, SessionError> = new Map()

  constructor(store: Store, options: FilesOptions) {
    this.store = store
    this.#options = options
    this.#system = options.system
  }

  /** Opens a file; undefined only if there is no such file in a store that is there. */
  open(name: FileName, flags: number): LineFile | undefined {
    const creates = (flags & constants.O_CREAT) !== 0
    if (creates) this.store.assertSame(name.tree)
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
      const by = Buffer.from(this.#options.random.bytes(6)).toString('base64url')
      return new LineFile(this.#system, file, { ...name, by })
    } catch (error) {
      this.#system.close(file)
      throw error
    }
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

  /** Removes a file, and with `forget` the folders that only its name needed. */
  async unlink({ tree, path }: FileName, forget: boolean): Promise<void> {
    this.store.assertSame(tree)
    unlessMissing(() => this.#system.unlink(path))
    this.#poisoned.delete(path)
    const folders = this.store.foldersAbove(path)
    if (forget) this.#removeEmpty(folders.slice(0, -2))
    if (this.#options.durability === 'process') return
    for (const folder of folders) {
      try {
        await this.#system.flushFolder(folder)
        return
      } catch (cause) {
        if (systemCode(cause) !== 'ENOENT') throw uncertain(path, cause)
      }
    }
  }

  #removeEmpty(folders: readonly string[]): void {
    try {
      for (const folder of folders) this.#system.removeFolder(folder)
    } catch (error) {
      if (!['ENOTEMPTY', 'EEXIST', 'ENOENT'].includes(systemCode(error) ?? '')) throw error
    }
  }
}

/** The file that a seal names: one beside it, made for it. */
function sealedName(file: LineFile): string {
  const name = /^"([\w~.+-]+)"$/.exec(file.last?.texts()[0] ?? '')?.[1]
  if (name?.startsWith(`${basename(file.path)}+`)) return name
  throw file.corrupt('it goes on in a file that is not its own')
}
