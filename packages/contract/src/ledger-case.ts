import * as ledger from '@sessiontree/ledger'
import type { CaseContext, ContractCase } from './case.ts'
import type { Need } from './harness.ts'

/** What of `@sessiontree/ledger` is called: the package itself, unless a test plants a fault. */
export type LedgerApi = Pick<
  typeof ledger,
  | 'baselineLines'
  | 'currentReview'
  | 'diffBaselines'
  | 'firstBaseline'
  | 'formatLedger'
  | 'ledgerReport'
  | 'listLedgers'
  | 'newLedger'
  | 'openLedger'
  | 'orderedCriterionIds'
  | 'parseBaselineLine'
  | 'parseLedger'
  | 'replay'
  | 'withEntry'
>

/** What a case of the group `ledger` works on. */
export interface LedgerContext extends CaseContext {
  readonly api: LedgerApi
}

/** One line of what evidence ledgers promise, to be kept on every adapter. */
export interface LedgerCase {
  /** `ledger:<line>`, with a word behind it where a line has several cases. */
  readonly id: string
  /** What holds when the case passes. */
  readonly title: string
  readonly needs?: readonly Need[]
  run(context: LedgerContext): Promise<void>
}

/** The case as one that `runCase` runs. */
export function onLedger(one: LedgerCase, api: LedgerApi = ledger): ContractCase {
  return { ...one, group: 'ledger', rules: [], run: (context) => one.run({ ...context, api }) }
}
