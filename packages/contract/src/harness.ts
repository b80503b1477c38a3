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
}

/** A case that an adapter is known to fail. */
export interface KnownGap {
  readonly id: string
  readonly reason: string
}

/** One isolated store. The suite closes every handle that it opened before it calls `destroy`. */
export interface TestStore {
  /** Opens one more handle, as independent of the others as this process allows. */
  open(): Promise<StorageAdapter>
  /**
   * Opens a handle whose next append commits but loses its answer, as deep below the adapter as the harness can reach (a cut
   * connection, a failed flush). Without it the suite loses the answer of `append` itself.
   */
  openLosingNextAnswer?(): Promise<StorageAdapter>
  /** Removes the store with everything in it. */
  destroy(): Promise<void>
}
