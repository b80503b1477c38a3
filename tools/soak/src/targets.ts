import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { faulty, type Faulty } from '@sessiontree/contract'
import { memory, MemoryStore } from '@sessiontree/memory'
import type { StorageAdapter } from '@sessiontree/core'
import { openNodeFs } from '../../../packages/node-fs/src/node-fs.ts'
import { s3 } from '@sessiontree/s3'
import { LocalProcess } from './local-process.ts'
import { mortal, type Mortal } from './mortal.ts'
import type { Profile } from './profiles.ts'
import type { SeededRandom } from './seeded-random.ts'
import { RELIABLE, SimulatedBucket, type RequestFaults } from './simulated-bucket.ts'
import { SimulatedDisk, SOUND, type DiskFaults } from './simulated-disk.ts'
import type { SimulatedProcess } from './simulated-process.ts'
import type { VirtualTime } from './virtual-time.ts'

/** What a target is made of. */
export interface TargetOptions {
  readonly time: VirtualTime
  readonly random: SeededRandom
  readonly profile: Profile
  readonly durability: 'disk' | 'process'
  readonly onFault: (kind: string, where: string) => void
}

/** A handle in a process of its own. */
export interface Handle extends Mortal {
  /** Kills the process after a few more calls to the system, perhaps in the middle of one. */
  killSoon(): void
}

/** A store that schedules run against. */
export interface Target {
  open(): Handle
  /** Opens a handle that meets no faults. */
  openSound(): StorageAdapter
  /** Ends all processes; what was not flushed may be gone. Only if the target has a machine that can crash. */
  losePower?(): void
  /** Lets everything that is still on its way arrive. */
  settle(): Promise<void>
  destroy(): void
}

export const TARGETS = {
  memory: memoryTarget,
  'node-fs-simulated': simulatedTarget,
  'node-fs': localTarget,
  's3-stub': bucketTarget,
} as const

export type TargetName = keyof typeof TARGETS

const LATENCY = 20
const FEW_CALLS = 12
// Small, so that documents roll over within a run.
const DOCUMENT_BOUND = 1024

function memoryTarget({ time, random, profile, onFault }: TargetOptions): Target {
  const store = new MemoryStore()
  const all: Faulty[] = []
  return {
    open() {
      const seed = random.between(0, 2 ** 32 - 1)
      const latency = { clock: time, atMost: LATENCY }
      const faults = faulty(memory({ store }), { seed, rates: profile.network, latency })
      all.push(faults)
      const handle = mortal(faults.adapter)
      return { ...handle, killSoon: () => time.timer(random.fraction() * LATENCY, () => handle.kill()) }
    },
    openSound: () => memory({ store }),
    async settle() {
      await Promise.all(all.map((each) => each.land()))
      for (const { faults } of all) for (const { kind, operation } of faults) onFault(kind, operation)
    },
    destroy() {},
  }
}

function simulatedTarget({ time, random, profile, durability, onFault }: TargetOptions): Target {
  const disk = new SimulatedDisk({ clock: time, random: random.fork(), onFault })
  const open = (process: SimulatedProcess) => {
    const options = { durability, documentBound: DOCUMENT_BOUND, clock: time, random: random.fork() }
    return openNodeFs('/store', options, process.system)
  }
  return {
    open() {
      disk.faults = profile.disk
      const process = disk.start()
      return ofProcess(process, mortal(open(process)), random)
    },
    openSound() {
      disk.faults = SOUND
      return open(disk.start())
    },
    losePower: () => disk.losePower(),
    async settle() {},
    destroy() {},
  }
}

function localTarget({ time, random, profile, durability, onFault }: TargetOptions): Target {
  const root = mkdtempSync(join(tmpdir(), 'sessiontree-soak-'))
  const processes: LocalProcess[] = []
  const start = (faults: DiskFaults) => {
    const process = new LocalProcess({ clock: time, random: random.fork(), faults, onFault })
    processes.push(process)
    return process
  }
  const open = (process: LocalProcess) => {
    const options = { durability, documentBound: DOCUMENT_BOUND, clock: time, random: random.fork() }
    return openNodeFs(root, options, process.system)
  }
  return {
    open() {
      const process = start(profile.disk)
      return ofProcess(process, mortal(open(process)), random)
    },
    openSound: () => open(start(SOUND)),
    async settle() {},
    destroy() {
      for (const process of processes) process.crash()
      rmSync(root, { recursive: true, force: true })
    },
  }
}

/** A handle dies with its process. */
function ofProcess(process: SimulatedProcess | LocalProcess, handle: Mortal, random: SeededRandom): Handle {
  process.onCrash = () => handle.kill()
  return { ...handle, kill: () => process.crash(), killSoon: () => process.crashAfter(random.between(1, FEW_CALLS)) }
}

/** The S3 adapter, against the stub's bucket behind a simulated network. */
function bucketTarget({ time, random, profile, onFault }: TargetOptions): Target {
  const bucket = new SimulatedBucket({ clock: time, random: random.fork(), onFault })
  const open = (faults: RequestFaults) =>
    s3({ client: bucket.client(faults), bucket: 'bucket', clock: time, random: random.fork() })
  return {
    open() {
      const handle = mortal(open(profile.requests))
      return { ...handle, killSoon: () => time.timer(random.fraction() * LATENCY, () => handle.kill()) }
    },
    openSound: () => open(RELIABLE),
    settle: () => bucket.settle(),
    destroy() {},
  }
}
