import { fdatasyncSync } from 'node:fs'
import type { Clock } from '@sessiontree/core'
import { localFileSystem, type FileSystem } from '../../../packages/node-fs/src/file-system.ts'
import type { SeededRandom } from './seeded-random.ts'
import type { DiskFaults } from './simulated-disk.ts'
import { Crash, systemError } from './simulated-process.ts'

/** Options of {@link LocalProcess}. */
export interface LocalProcessOptions {
  readonly clock: Clock
  readonly random: SeededRandom
  readonly faults: DiskFaults
  readonly onFault: (kind: string, where: string) => void
}

const LONGEST_FLUSH = 5

/**
 * A process on the file system of this machine, as far as one can be played inside another: its files close when it dies, its
 * writes are cut, its flushes fail. A flush blocks, and ends when the clock says so: a schedule depends on nothing but its seed.
 */
export class LocalProcess {
  readonly system: FileSystem
  isAlive = true
  /** Called when it crashes. */
  onCrash: () => void = () => {}
  readonly #options: LocalProcessOptions
  readonly #files: Set<number> = new Set()
  #callsLeft = Infinity

  constructor(options: LocalProcessOptions) {
    this.#options = options
    const system = { ...localFileSystem } as Record<string, (...args: never[]) => unknown>
    for (const [name, call] of Object.entries(system)) {
      if (typeof call === 'function') system[name] = (...args: never[]) => this.#call(name, () => call(...args))
    }
    this.system = {
      ...(system as unknown as FileSystem),
      open: (path, flags) =>
        this.#call('open', () => {
          const file = localFileSystem.open(path, flags)
          this.#files.add(file)
          return file
        }),
      close: (file) =>
        this.#call('close', () => {
          this.#files.delete(file)
          localFileSystem.close(file)
        }),
      write: (file, bytes) =>
        this.#call(
          'write',
          () => this.#write(file, bytes),
          () => this.#writePart(file, bytes, 0),
        ),
      flush: (file) => this.#call('flush', () => this.#flush(file)),
      flushFolder: () => this.#call('flushFolder', () => this.#pause()),
    }
  }

  /** Kills it: its files are closed, and no call of it has any effect from now on. */
  crash(): void {
    if (!this.isAlive) return
    this.isAlive = false
    for (const file of this.#files) localFileSystem.close(file)
    this.#files.clear()
    this.onCrash()
  }

  /** Kills it in the n-th call from now. */
  crashAfter(calls: number): void {
    this.#callsLeft = calls
  }

  #call<Result>(call: string, act: () => Result, half?: () => void): Result {
    if (!this.isAlive) throw new Crash(`${call} of a process that is dead`)
    if (--this.#callsLeft > 0) return act()
    half?.()
    this.#options.onFault('process killed', call)
    this.crash()
    throw new Crash(`died in ${call}`)
  }

  #write(file: number, bytes: Buffer): number {
    const { random, faults, onFault } = this.#options
    if (random.chance(faults.noSpace)) {
      onFault('ENOSPC', 'write')
      throw systemError('ENOSPC', 'write', String(file))
    }
    if (!random.chance(faults.shortWrite)) return localFileSystem.write(file, bytes)
    onFault('short write', 'write')
    return this.#writePart(file, bytes, 1)
  }

  #writePart(file: number, bytes: Buffer, atLeast: number): number {
    const length = this.#options.random.between(atLeast, Math.max(atLeast, bytes.length - 1))
    return length === 0 ? 0 : localFileSystem.write(file, bytes.subarray(0, length))
  }

  async #flush(file: number): Promise<void> {
    const { random, faults, onFault } = this.#options
    await this.#pause()
    if (random.chance(faults.failedFlush)) {
      onFault('failed flush', 'fdatasync')
      throw systemError('EIO', 'fdatasync', String(file))
    }
    fdatasyncSync(file)
  }

  #pause(): Promise<void> {
    const { clock, random } = this.#options
    return new Promise((resolve) => {
      clock.timer(random.fraction() * LONGEST_FLUSH, () => {
        if (this.isAlive) resolve()
      })
    })
  }
}
