import type { StorageAdapter } from '@sessiontree/core'

/** What the suite needs to know about an adapter: how to get an empty store, and handles on it. */
export interface Harness {
  /** Appears in every title, with the configuration if there are several: `"s3 (ceph rgw)"`. */
  readonly name: string
  /**
   * Makes a store that is empty and shares nothing with any other, and resolves with it.
   *
   * Contract
   * - Isolation comes from a new folder, database, bucket or prefix, never from the adapter's own `drop` or `remove`.
   */
  create(): Promise<TestStore>
  /** Cases that this adapter is known to fail, each with the reason. They run as expected failures; a healed or unknown id fails. */
  readonly knownGaps?: readonly KnownGap[]
  /** Why a hook is missing, by its name: the reason that a skipped case shows. */
  readonly lacks?: Readonly<Partial<Record<Need, string>>>
}

/** A case that an adapter is known to fail. */
export interface KnownGap {
  readonly id: string
  readonly reason: string
}

/** The operations whose answer can get lost. */
export type WriteOperation = 'append' | 'put' | 'remove'

/** What a case cannot do without: a hook of {@link TestStore}, or two handles at a time. A case that lacks it is skipped, visibly. */
export type Need = 'damage' | 'damageDocument' | 'vanish' | 'crash' | 'costs' | 'openFailingNextFlush' | 'sharing'

/** What the backend did below the adapter since the store was made, for all of its handles. Counters only rise. */
export interface Costs {
  /** System calls, transactions or requests: whatever the place charges for. */
  readonly operations: number
  /** How many bytes of content came up, framing and repetition included. */
  readonly bytesRead: number
  readonly bytesWritten: number
}

/** One isolated store. The suite closes every handle that it opened before it calls `destroy`. */
export interface TestStore {
  /** Opens one more handle, as independent of the others as this process allows. */
  open(): Promise<StorageAdapter>
  /**
   * Opens a handle whose next `operation` takes effect but loses its answer, as deep below the adapter as the harness can reach (a cut
   * connection, a failed flush). Without it the suite loses the answer of the operation itself.
   *
   * Contract
   * - Only that one answer is lost. What the adapter itself asks for afterwards, to find out, is answered.
   */
  openLosingNextAnswer?(operation: WriteOperation): Promise<StorageAdapter>
  /**
   * Opens a handle that is told by its next flush that the flush failed. For stores that flush and are told.
   *
   * Contract
   * - Flushes after that one succeed: that is what makes it dangerous. The unflushed bytes may be gone or still show.
   */
  openFailingNextFlush?(): Promise<StorageAdapter>
  /**
   * Makes the stored record `at` unreadable below the adapter, for good: every copy of it.
   *
   * Contract
   * - Resolves with the indexes that nobody can read any more, ascending: `at`, and those that live and die with it here (the rest of its
   *   batch, an object that repeated it). All others of the log stay readable, and so does everything else.
   * - Damages, does not remove: the place where the record was still shows that something was there.
   */
  damage?(log: string, at: number): Promise<readonly number[]>
  /** Makes the stored document unreadable below the adapter without removing it; nothing else is touched. */
  damageDocument?(key: string): Promise<void>
  /**
   * Takes the whole store away under the open handles: the folder, the database, the bucket.
   *
   * Contract
   * - Whoever opens a handle afterwards may get an empty store in its place, or an error; `destroy` still works.
   */
  vanish?(): Promise<void>
  /**
   * Ends every open handle the way that `capabilities.durability` promises to survive (`"process"`: no further step of it happens;
   * `"disk"`: also what was not flushed is lost or torn), and resolves when nothing of them can reach the store any more.
   *
   * Contract
   * - Calls in flight may settle in any way or never; the handles are not used again, nor closed.
   * - Handles opened afterwards are alive.
   */
  crash?(): Promise<void>
  /** What happened below the adapter so far. */
  costs?(): Costs | Promise<Costs>
  /** Removes the store with everything in it. */
  destroy(): Promise<void>
}
