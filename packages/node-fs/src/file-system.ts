import {
  closeSync,
  constants,
  fdatasync,
  fstatSync,
  fsync,
  linkSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  realpathSync,
  renameSync,
  rmdirSync,
  statfsSync,
  statSync,
  unlinkSync,
  writeSync,
  type Dirent,
  type Stats,
} from 'node:fs'
import { dirname } from 'node:path'
import { promisify } from 'node:util'
import { SessionError, type ErrorCode } from '@sessiontree/core'

/**
 * The calls that this adapter makes: the seam where tests count, interleave and fail. What the page cache answers is
 * synchronous, so that nothing of this process comes between looking and writing; a flush, which waits for the disk, is not.
 */
export interface FileSystem {
  open(path: string, flags: number): number
  close(file: number): void
  fstat(file: number): Stats
  stat(path: string): Stats
  /** Reads once; returns how many bytes. */
  read(file: number, into: Buffer, from: number, position: number): number
  /** Writes once; returns how many bytes. */
  write(file: number, bytes: Buffer): number
  /** Makes the content of a file survive the machine. */
  flush(file: number): Promise<void>
  /** Makes the entries of a folder survive the machine. */
  flushFolder(path: string): Promise<void>
  /** Makes a folder and those above it; returns the first that was made. */
  makeFolder(path: string): string | undefined
  readFolder(path: string): readonly Dirent[]
  removeFolder(path: string): void
  link(from: string, to: string): void
  rename(from: string, to: string): void
  unlink(path: string): void
  /** The path without symbolic links. A system without it has none. */
  realPath?(path: string): string
  /** The name of the network or user-space file system that a folder is on; undefined for a local one, or if nobody can tell. */
  remoteKind?(path: string): string | undefined
}

// Undefined on Windows.
const NO_FOLLOW = (constants.O_NOFOLLOW as number | undefined) ?? 0
const fdatasyncAsync = promisify(fdatasync)
const fsyncAsync = promisify(fsync)

/** The file system of this machine. Files are 0600, folders 0700, and a file that is a symbolic link is not opened. */
export const localFileSystem: FileSystem = Object.freeze({
  open: (path: string, flags: number) => openSync(path, flags | NO_FOLLOW, 0o600),
  close: (file: number) => closeSync(file),
  fstat: (file: number) => fstatSync(file),
  stat: (path: string) => statSync(path),
  read: (file: number, into: Buffer, from: number, position: number) =>
    readSync(file, into, from, into.length - from, position),
  write: (file: number, bytes: Buffer) => writeSync(file, bytes),
  flush: (file: number) => fdatasyncAsync(file),
  async flushFolder(path: string) {
    // Windows can neither open a folder nor needs to.
    if (process.platform === 'win32') return
    const folder = openSync(path, constants.O_RDONLY)
    try {
      await fsyncAsync(folder)
    } finally {
      closeSync(folder)
    }
  },
  makeFolder,
  readFolder: (path: string) => readdirSync(path, { withFileTypes: true }),
  removeFolder: (path: string) => rmdirSync(path),
  link: (from: string, to: string) => linkSync(from, to),
  rename: (from: string, to: string) => renameSync(from, to),
  unlink: (path: string) => unlinkSync(path),
  realPath: (path: string) => realpathSync.native(path),
  remoteKind,
})

// From statfs(2): file systems on which another machine, or a process that we know nothing of, answers.
const REMOTE_KINDS: ReadonlyMap<number, string> = new Map([
  [0x6969, 'NFS'],
  [0x517b, 'SMB'],
  [0xff534d42, 'CIFS'],
  [0xfe534d42, 'SMB'],
  [0x01021997, '9p'],
  [0x65735546, 'FUSE'],
  [0x00c36400, 'Ceph'],
  [0x5346414f, 'AFS'],
  [0x6b414653, 'AFS'],
  [0x73757245, 'Coda'],
  [0x0bd00bd0, 'Lustre'],
  [0x786f4256, 'vboxsf'],
  [0x47504653, 'GPFS'],
])

function remoteKind(path: string): string | undefined {
  // Elsewhere the numbers mean other systems, or nothing.
  if (process.platform === 'linux') return REMOTE_KINDS.get(statfsSync(path).type >>> 0)
  return /^\\\\[^?.]/.test(path) ? 'a network share' : undefined
}

/** The code that the system gave an error, such as `"ENOENT"`. */
export function systemCode(error: unknown): string | undefined {
  return error instanceof Error && 'syscall' in error && 'code' in error ? String(error.code) : undefined
}

/** Runs `attempt`; undefined if it fails because there is no such file or folder. */
export function unlessMissing<Result>(attempt: () => Result): Result | undefined {
  try {
    return attempt()
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined
    throw error
  }
}

const CODES: Readonly<Record<string, ErrorCode>> = {
  EACCES: 'DENIED',
  EPERM: 'DENIED',
  ELOOP: 'DENIED',
  EROFS: 'READ_ONLY',
  ENOSPC: 'QUOTA',
  EDQUOT: 'QUOTA',
  EFBIG: 'TOO_LARGE',
  EMFILE: 'BUSY',
  ENFILE: 'BUSY',
  ENOENT: 'UNAVAILABLE',
  ENOTDIR: 'UNAVAILABLE',
  ENODEV: 'UNAVAILABLE',
  ENXIO: 'UNAVAILABLE',
  ESTALE: 'UNAVAILABLE',
}

/** The `SessionError` for an error of the file system; anything else comes back as it is. */
export function toSessionError(error: unknown): unknown {
  const system = systemCode(error)
  if (system === undefined) return error
  const code = CODES[system] ?? 'IO'
  const { syscall, path } = error as NodeJS.ErrnoException
  const hint = system === 'ELOOP' ? '; symbolic links are not followed' : ''
  return new SessionError(code, `${system}: ${syscall} ${path ?? ''} failed${hint}.`, { cause: error })
}

// One level at a time: with `recursive` Node tries for ever where a folder takes no new one, as in /proc.
function makeFolder(path: string): string | undefined {
  let made: string | undefined
  for (const isRetry of [false, true]) {
    try {
      mkdirSync(path, { mode: 0o700 })
      return made ?? path
    } catch (error) {
      if (systemCode(error) === 'EEXIST' && statSync(path).isDirectory()) return made
      if (isRetry || systemCode(error) !== 'ENOENT' || dirname(path) === path) throw error
    }
    made = makeFolder(dirname(path))
  }
  return made
}
