export { AssertionError } from './assert.ts'
export type { CaseContext, ContractCase } from './case.ts'
export { caseById, cases } from './cases.ts'
export { counting, type Counting, type Counts } from './counting.ts'
export { crashing, type Crashing, type CrashingOptions } from './crashing.ts'
export { onEvents, type EventsApi, type EventsCase, type EventsContext } from './events-case.ts'
export { eventsCases, eventsContract } from './events-cases.ts'
export { faulty, type Fault, type FaultKind, type Faulty, type FaultyOptions } from './faulty.ts'
export { gating, type Gate, type ParkedCall, type ParkOptions } from './gating.ts'
export type { Costs, Harness, KnownGap, Need, TestStore, WriteOperation } from './harness.ts'
export type { Operation, StoreCall } from './intercept.ts'
export {
  onInvocations,
  type InvocationsApi,
  type InvocationsCase,
  type InvocationsContext,
} from './invocations-case.ts'
export { invocationsCases, invocationsContract } from './invocations-cases.ts'
export { onLedger, type LedgerApi, type LedgerCase, type LedgerContext } from './ledger-case.ts'
export { ledgerCases, ledgerContract } from './ledger-cases.ts'
export { runCase, type CaseResult } from './run-case.ts'
export { seededRandom } from './seeded-random.ts'
export {
  onCore,
  type OpenSessions,
  type SessionCase,
  type SessionCaseOptions,
  type SessionContext,
} from './session-case.ts'
export { sessionCases, sessionContract } from './session-cases.ts'
export { systemsContract } from './systems-cases.ts'
