export {
  baselineLines,
  diffBaselines,
  firstBaseline,
  parseBaselineLine,
  type BaselineChange,
  type BaselineFile,
} from './baseline.ts'
export { byUtf8 } from './by-utf8.ts'
export { WORKSPACE_BASELINE, type LedgerEntry, type NewEntry } from './entry.ts'
export { formatLedger, parseLedger } from './json-file.ts'
export {
  newLedger,
  orderedCriterionIds,
  replay,
  SCHEMA_VERSION,
  withEntry,
  type Ledger,
  type ReplayOptions,
  type StateRecord,
} from './ledger.ts'
export { listLedgers, openLedger, type LedgerOptions, type ListedLedger } from './open.ts'
export { GENESIS, receiptChain, type ReceiptChain } from './receipts.ts'
export { ledgerReport, type LedgerReport, type Share } from './report.ts'
export { ACCEPTED_PROVIDERS, currentReview, type CurrentReview } from './review.ts'
export {
  TaskLedger,
  type Appended,
  type LedgerCallOptions,
  type LedgerInput,
  type LedgerSettings,
} from './task-ledger.ts'
export { truncateOutput } from './truncate-output.ts'
