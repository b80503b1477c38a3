import * as invocations from '@sessiontree/invocations'
import type { CaseContext, ContractCase } from './case.ts'
import type { Need } from './harness.ts'

/** What of `@sessiontree/invocations` is called: the package itself, unless a test plants a fault. */
export type InvocationsApi = Pick<typeof invocations, 'formatHistory' | 'openInvocations' | 'parseJsonl' | 'passRateOf'>

/** What a case of the group `invocations` works on. */
export interface InvocationsContext extends CaseContext {
  readonly api: InvocationsApi
}

/** One line of what invocation logs promise, to be kept on every adapter. */
export interface InvocationsCase {
  /** `invocations:<line>`, with a word behind it where a line has several cases. */
  readonly id: string
  /** What holds when the case passes. */
  readonly title: string
  readonly needs?: readonly Need[]
  run(context: InvocationsContext): Promise<void>
}

/** The case as one that `runCase` runs. */
export function onInvocations(one: InvocationsCase, api: InvocationsApi = invocations): ContractCase {
  return { ...one, group: 'invocations', rules: [], run: (context) => one.run({ ...context, api }) }
}
