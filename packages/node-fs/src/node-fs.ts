import { resolve } from 'node:path'
import {
  defineAdapter,
  systemClock,
  systemRandom,
  type Clock,
  type Random,
  type StorageAdapter,
} from '@sessiontree/core'
import { FileBackend } from './backend.ts'
import { localFileSystem, type FileSystem } from './file-system.ts'
import { translateErrors } from './translate-errors.ts'

/** Options of {@link nodeFs}. */
export interface NodeFsOptions {
  /** What a resolved write survives: a crash of the machine (`"disk"`, the default) or only of the process (`"process"`, faster). */
  readonly durability?: 'disk' | 'process'
  /** Whether to make the root, and a store in it, where there is none. Default true; with false that is `UNAVAILABLE`. */
  readonly create?: boolean
  /**
   * Whether one handle at a time uses this store: needed on NFS, SMB, 9p, FUSE and the like, which do not keep writers apart. Default
   * false.
   */
  readonly singleWriter?: boolean
  /** What pauses between two tries wait on. Default: the system's. */
  readonly clock?: Clock
  /** Where tokens and jitter come from. Default: the system's. */
  readonly random?: Random
}

/** What a test may set besides. */
export interface InternalOptions extends NodeFsOptions {
  /** From how many bytes on the file of a document is replaced by a new one. */
  readonly documentBound?: number
}

const DOCUMENT_BOUND = 64 * 1024

/**
 * Opens a handle on the sessions below a folder, one JSONL file for each log and document.
 *
 * Contract
 * - Everything of `StorageAdapter`. Any number of handles and processes of one machine may share a root; there are no lock files.
 * - Touches nothing before the first operation; that one makes the root (0700) unless `create` is false.
 * - A root on a file system that cannot keep writers apart is `UNSUPPORTED` without `singleWriter`; with it `sharing` is `"none"`.
 * - Symbolic links are not followed, but the root may be one.
 * - A root of a newer layout is `FORMAT` and is not touched.
 * - The format is that of `docs/decisions/0002-node-fs.md`: a batch counts if and only if it starts at the byte it names.
 *
 * @example
 * await using sessions = openSessions(nodeFs('./sessions'))
 */
export function nodeFs(root: string, options: NodeFsOptions = {}): StorageAdapter {
  return openNodeFs(root, options, localFileSystem)
}

/** {@link nodeFs} on a file system that a test can count, interleave and fail. */
export function openNodeFs(root: string, options: InternalOptions, system: FileSystem): StorageAdapter {
  const { durability = 'disk', create = true, singleWriter = false, documentBound = DOCUMENT_BOUND } = options
  const { clock = systemClock, random = systemRandom } = options
  if (typeof root !== 'string' || root === '') throw new TypeError('root: expected the path of a folder')
  if (durability !== 'disk' && durability !== 'process') {
    throw new TypeError(`durability: expected "disk" or "process", got ${String(durability)}`)
  }
  const backend = new FileBackend({
    root: resolve(root),
    durability,
    create,
    singleWriter,
    documentBound,
    clock,
    random,
    system,
  })
  return defineAdapter(translateErrors(backend))
}
