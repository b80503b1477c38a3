import { systemClock, systemRandom, type Clock, type Random } from '@sessiontree/core'
import type { SqliteDriver } from './driver.ts'
import { MIGRATIONS, type Migration } from './layout.ts'
import { nodeSqlite } from './node-sqlite.ts'
import type { FileOptions } from './open-file.ts'
import type { Quarantined } from './quarantine.ts'

/** How a store is opened. */
export interface SqliteOptions {
  /**
   * What a resolved write survives: a crash of the machine (`"disk"`, the default: `synchronous = FULL`) or only of the process
   * (`"process"`, faster: `synchronous = NORMAL`).
   */
  readonly durability?: 'disk' | 'process' | undefined
  /** Whether to make the file, and the folders above it, where there is none. Default true; with false that is `UNAVAILABLE`. */
  readonly create?: boolean | undefined
  /** Whether to only read: nothing is made, changed or migrated, and every write is `READ_ONLY`. Default false. */
  readonly readOnly?: boolean | undefined
  /** How long, in milliseconds, an operation waits while others hold a lock; then it is `BUSY`. Default 5,000. */
  readonly busyTimeout?: number | undefined
  /** Whether to go through the whole file when it is opened (`PRAGMA integrity_check`); damage is `CORRUPT`. Default false. */
  readonly integrityCheck?: boolean | undefined
  /**
   * Called after a file that was found damaged when it was opened was moved aside, with its companions, and an empty one begun. Without
   * it such a file is `CORRUPT` and is not touched.
   */
  readonly quarantine?: ((moved: Quarantined) => void) | undefined
  /** Which SQLite to use. Default: {@link nodeSqlite}. */
  readonly driver?: SqliteDriver | undefined
  /** What pauses between two tries wait on. Default: the system's. */
  readonly clock?: Clock | undefined
  /** Where versions and jitter come from. Default: the system's. */
  readonly random?: Random | undefined
}

/** What a test may set besides. */
export interface InternalOptions extends SqliteOptions {
  readonly migrations?: readonly Migration[] | undefined
}

/** Checks options and fills in their defaults. */
export function resolveOptions(options: InternalOptions): Omit<FileOptions, 'file'> {
  const { durability = 'disk', create = true, readOnly = false, integrityCheck = false, busyTimeout = 5_000 } = options
  const { driver = nodeSqlite, clock = systemClock, random = systemRandom, migrations = MIGRATIONS } = options
  const { quarantine } = options
  if (durability !== 'disk' && durability !== 'process') {
    throw new TypeError(`durability: expected "disk" or "process", got ${String(durability)}`)
  }
  if (!(busyTimeout >= 0 && busyTimeout <= 2 ** 31)) {
    throw new TypeError(`busyTimeout: expected milliseconds from 0, got ${String(busyTimeout)}`)
  }
  if (quarantine !== undefined && typeof quarantine !== 'function') {
    throw new TypeError('quarantine: expected a function that is told what was moved')
  }
  return { driver, durability, create, readOnly, busyTimeout, integrityCheck, quarantine, migrations, clock, random }
}
