import { constants } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { SessionError } from '@sessiontree/core'
import { systemCode, unlessMissing, type FileSystem } from './file-system.ts'

/** Files that are made to take the place of another. They lie beside it, and mean nothing until a seal in it names them. */
export class Successors {
  readonly #system: FileSystem

  constructor(system: FileSystem) {
    this.#system = system
  }

  /** Writes a file of its own and makes it and its name survive the machine; leaves nothing if it cannot. */
  async write(path: string, chunks: Iterable<Buffer>): Promise<void> {
    const file = this.#system.open(path, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_APPEND)
    try {
      try {
        for (const chunk of chunks) {
          const written = this.#system.write(file, chunk)
          if (written < chunk.length) throw new SessionError('QUOTA', `${path} takes no more bytes. Make room.`)
          await nextTurn()
        }
        await this.#system.flush(file)
      } finally {
        this.#system.close(file)
      }
      await this.#system.flushFolder(dirname(path))
    } catch (error) {
      this.discard([path])
      throw error
    }
  }

  /** The files made to take the place of one; with `below`, only at indexes that it has passed: no seal can name those any more. */
  of(path: string, below: number = Infinity): readonly string[] {
    const folder = dirname(path)
    const start = `${basename(path)}+`
    const entries = unlessMissing(() => this.#system.readFolder(folder)) ?? []
    return entries.flatMap(({ name }) => {
      const at = name.startsWith(start) ? /^(\d+)\+/.exec(name.slice(start.length))?.[1] : undefined
      return at !== undefined && Number(at) < below ? [join(folder, name)] : []
    })
  }

  /** Removes files as far as they are there; returns how many bytes they had, as far as it can tell. */
  discard(paths: readonly string[]): number {
    let bytes = 0
    for (const path of paths) {
      const size = this.#sizeOf(path)
      unlessMissing(() => this.#system.unlink(path))
      bytes += size
    }
    return bytes
  }

  // What may not be read may be removed all the same, and a link goes without what it leads to.
  #sizeOf(path: string): number {
    try {
      const file = this.#system.open(path, constants.O_RDONLY)
      try {
        return this.#system.fstat(file).size
      } finally {
        this.#system.close(file)
      }
    } catch (error) {
      if (systemCode(error) === undefined) throw error
      return 0
    }
  }
}
