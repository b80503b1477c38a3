import type { Clock } from '@sessiontree/core'
import type { FileSystem } from '../../../packages/node-fs/src/file-system.ts'
import { SimulatedFolder } from './disk-nodes.ts'
import type { SeededRandom } from './seeded-random.ts'
import { SimulatedProcess } from './simulated-process.ts'

/** What goes wrong on a disk, each a probability per call. */
export interface DiskFaults {
  /** A write takes only a part. */
  readonly shortWrite: number
  /** A write takes nothing: ENOSPC. */
  readonly noSpace: number
  /** A flush of a file or folder fails with EIO, and what it was to save is lost on the next power loss. */
  readonly failedFlush: number
  /** A failed flush also throws the pages away at once: whoever reads them sees what is on the disk. */
  readonly droppedPages: number
}

/** A disk without faults. */
export const SOUND: DiskFaults = Object.freeze({ shortWrite: 0, noSpace: 0, failedFlush: 0, droppedPages: 0 })

/** Options of {@link SimulatedDisk}. */
export interface SimulatedDiskOptions {
  readonly clock: Clock
  readonly random: SeededRandom
  readonly faults?: DiskFaults
  /** Told of every fault and crash. */
  readonly onFault?: (kind: string, where: string) => void
  /** Called before every call of a process that is alive; may run another process in between. */
  readonly beforeCall?: (process: SimulatedProcess, call: keyof FileSystem, path: string) => void
}

/**
 * A disk in memory with the page cache in front of it. What is written is seen by all processes at once, and outlives them; only what
 * was flushed is sure to outlive a power loss.
 *
 * Contract
 * - A loss of power keeps of the unflushed bytes of each file nothing, a start, some blocks with NULs between them, or all; of the
 *   unflushed changes of each folder the first few, in their order. Files and folders are independent of one another.
 * - A failed flush is reported once to every file that was open then; the next flush succeeds and saves only what was written after it.
 * - The same seed and the same calls give the same answers.
 */
export class SimulatedDisk {
  readonly root: SimulatedFolder
  readonly clock: Clock
  readonly random: SeededRandom
  faults: DiskFaults
  readonly report: (kind: string, where: string) => void
  readonly beforeCall: NonNullable<SimulatedDiskOptions['beforeCall']>
  readonly #processes: Set<SimulatedProcess> = new Set()
  #inodes = 1
  #files = 10

  constructor({ clock, random, faults = SOUND, onFault = () => {}, beforeCall = () => {} }: SimulatedDiskOptions) {
    this.clock = clock
    this.random = random
    this.faults = faults
    this.report = onFault
    this.beforeCall = beforeCall
    this.root = new SimulatedFolder(this.nextInode(), clock.now())
  }

  /** Starts a process, with open files of its own. */
  start(): SimulatedProcess {
    const process = new SimulatedProcess(this)
    this.#processes.add(process)
    return process
  }

  /** Ends all processes and everything that was not flushed. */
  losePower(): void {
    for (const process of this.#processes) process.crash()
    this.#processes.clear()
    this.root.losePower(this.random)
  }

  /** @internal */
  nextInode(): number {
    return this.#inodes++
  }

  /** @internal */
  nextFile(): number {
    return this.#files++
  }
}
