import type { ContractCase } from './case.ts'
import { eventsContract } from './events-cases.ts'
import { invocationsContract } from './invocations-cases.ts'
import { ledgerContract } from './ledger-cases.ts'

/** What the systems beside the session tree promise, as cases that `runCase` runs. */
export const systemsContract: readonly ContractCase[] = Object.freeze([
  ...eventsContract,
  ...ledgerContract,
  ...invocationsContract,
])
