import type { StorageAdapter } from '@sessiontree/core'

/** One promise of the adapter contract, as a program that throws when the promise is broken. Needs no test runner. */
export interface ContractCase {
  /** `<group>/<name>`; never reused for another promise: known gaps and reports refer to it. */
  readonly id: string
  readonly group: string
  /** What holds when the case passes. */
  readonly title: string
  /** The rules of `docs/adapter-contract.md` that it checks. */
  readonly rules: readonly string[]
  /** Resolves if the promise is kept. Rejects with an `AssertionError` that says what was seen instead. */
  run(context: CaseContext): Promise<void>
}

/** What a case works on: handles on a store that is empty and its own. All of them are closed when it ends. */
export interface CaseContext {
  /** Opens one more handle on the case's store. */
  readonly open: () => Promise<StorageAdapter>
  /** Opens a handle whose next append commits but loses its answer. */
  readonly openLosingNextAnswer: () => Promise<StorageAdapter>
}
