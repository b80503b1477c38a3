import type { ContractCase } from './case.ts'
import { onInvocations, type InvocationsCase } from './invocations-case.ts'
import { readingCases } from './invocations-cases/reading.ts'
import { recordingCases } from './invocations-cases/recording.ts'

/** Every case of the group `invocations`. */
export const invocationsCases: readonly InvocationsCase[] = Object.freeze([...recordingCases, ...readingCases])

/** What `@sessiontree/invocations` promises, as cases that `runCase` runs. */
export const invocationsContract: readonly ContractCase[] = Object.freeze(
  invocationsCases.map((one) => onInvocations(one)),
)
