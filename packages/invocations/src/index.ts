export type { InvocationFilter } from './filter.ts'
export { formatHistory, type HistoryOptions } from './format-history.ts'
export {
  InvocationLog,
  openInvocations,
  type ImportReport,
  type InvocationCallOptions,
  type InvocationReadOptions,
  type InvocationsOptions,
  type ReadInvocations,
} from './invocation-log.ts'
export type { Attempt, Invocation, NewAttempt, NewInvocation } from './invocation.ts'
export { formatJsonl, parseJsonl, type Damage, type ParsedLine, type TextSource } from './jsonl.ts'
export { passRateOf, type PassRate } from './pass-rate.ts'
export { STATUSES, statusOf, type Status } from './status.ts'
