import { closeSync, fsyncSync, mkdirSync, openSync, statfsSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { fileError, systemError } from './failures.ts'

/** What tells a file from another one that took its name, and whether it was changed. */
export interface Stamp {
  readonly dev: bigint
  readonly ino: bigint
  readonly size: bigint
  readonly mtimeNs: bigint
}

/** Looks at a file by its name; undefined if there is none. Never opens it: closing it again would let go of SQLite's locks. */
export function stampOf(file: string): Stamp | undefined {
  try {
    const { dev, ino, size, mtimeNs } = statSync(file, { bigint: true, throwIfNoEntry: false }) ?? {}
    if (dev === undefined || ino === undefined || size === undefined || mtimeNs === undefined) return undefined
    return { dev, ino, size, mtimeNs }
  } catch (error) {
    throw systemError(file, error)
  }
}

/** Whether two looks saw one file. */
export function isSameFile(one: Stamp, other: Stamp | undefined): boolean {
  return one.ino === other?.ino && one.dev === other.dev
}

/** Whether two looks saw one file that was not written in between. */
export function isUnchanged(one: Stamp, other: Stamp | undefined): boolean {
  return isSameFile(one, other) && one.size === other?.size && one.mtimeNs === other.mtimeNs
}

/** Makes an empty file that only its owner may read, and the folders above it; leaves alone what is there. */
export function makeFile(file: string, durability: 'disk' | 'process'): void {
  const folder = dirname(file)
  try {
    const made = mkdirSync(folder, { recursive: true, mode: 0o700 })
    try {
      closeSync(openSync(file, 'ax', 0o600))
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    }
    if (durability === 'disk') flushFolders(folder, made)
  } catch (error) {
    throw systemError(file, error)
  }
}

/** Makes the names of a new file and of the folders that were made for it survive the machine. */
function flushFolders(folder: string, made: string | undefined): void {
  // Windows can neither open a folder nor needs to.
  if (process.platform === 'win32') return
  const last = made === undefined ? folder : dirname(made)
  for (let at = folder; ; at = dirname(at)) {
    const opened = openSync(at, 'r')
    try {
      fsyncSync(opened)
    } finally {
      closeSync(opened)
    }
    if (at === last) return
  }
}

// From statfs(2). A WAL needs memory that all its readers share: there is none between machines.
const REMOTE_KINDS: ReadonlyMap<number, string> = new Map([
  [0x6969, 'NFS'],
  [0x517b, 'SMB'],
  [0xff534d42, 'CIFS'],
  [0xfe534d42, 'SMB'],
  [0x01021997, '9p'],
  [0x00c36400, 'Ceph'],
  [0x5346414f, 'AFS'],
  [0x0bd00bd0, 'Lustre'],
  [0x47504653, 'GPFS'],
])

/** Refuses a file on a file system that several machines may share. */
export function assertLocal(file: string): void {
  // Elsewhere the numbers mean other systems, or nothing.
  if (process.platform !== 'linux') return
  const kind = REMOTE_KINDS.get(statfsSync(file).type >>> 0)
  if (kind === undefined) return
  const advice = `it is on ${kind}, where a write-ahead log cannot be shared; put it on a local disk.`
  throw fileError(file, 'UNSUPPORTED', undefined, advice)
}
