import type { StorageAdapter } from '@sessiontree/core'
import type { Costs, Need, WriteOperation } from './harness.ts'

/** One promise of the adapter contract, as a program that throws when the promise is broken. Needs no test runner. */
export interface ContractCase {
  /** `<group>/<name>`; never reused for another promise: known gaps and reports refer to it. */
  readonly id: string
  readonly group: string
  /** What holds when the case passes. */
  readonly title: string
  /** The rules of `docs/adapter-contract.md` that it checks. */
  readonly rules: readonly string[]
  /** What the harness must be able to do; without it the case is skipped, and says why. */
  readonly needs?: readonly Need[]
  /** Resolves if the promise is kept. Rejects with an `AssertionError` that says what was seen instead. */
  run(context: CaseContext): Promise<void>
}

/** What a case works on: handles on a store that is empty and its own. All of them are closed when it ends. */
export interface CaseContext {
  /**
   * Opens one more handle on the case's store. Where `sharing` is `"none"` there is one handle at a time: the one that is open already,
   * or, if the case has closed it, another one.
   */
  readonly open: () => Promise<StorageAdapter>
  /** Opens a handle whose next `operation` takes effect but loses its answer. Default `"append"`. */
  readonly openLosingNextAnswer: (operation?: WriteOperation) => Promise<StorageAdapter>
  /** The hooks of `TestStore`; each only for a case that names it in `needs`. */
  readonly openFailingNextFlush: () => Promise<StorageAdapter>
  readonly damage: (log: string, at: number) => Promise<readonly number[]>
  readonly damageDocument: (key: string) => Promise<void>
  readonly vanish: () => Promise<void>
  readonly crash: () => Promise<void>
  readonly costs: () => Promise<Costs>
}
