import {
  openSessions,
  type RoleMessage,
  type Sessions,
  type SessionsOptions,
  type StorageAdapter,
} from '@sessiontree/core'
import type { CaseContext, ContractCase } from './case.ts'
import type { Need } from './harness.ts'

/** Options of sessions that hold role/content messages. */
export type SessionCaseOptions = Omit<SessionsOptions<RoleMessage>, 'format'>

/** How sessions are opened on a handle: core's own `openSessions`, unless a test plants a fault. */
export type OpenSessions = (adapter: StorageAdapter, options?: SessionCaseOptions) => Sessions<RoleMessage>

/** What a case of the session contract works on. */
export interface SessionContext extends CaseContext {
  /** Opens sessions on a handle, by default on one more handle on the case's store. */
  readonly sessions: (options?: SessionCaseOptions, adapter?: StorageAdapter) => Promise<Sessions<RoleMessage>>
}

/** One promise of core's sessions, to be kept on every adapter. */
export interface SessionCase {
  /**
   * `tree:<line>`, with `/<name>` where a line of the session tree has several cases, or `<group>/<name>`; never reused for another
   * promise.
   */
  readonly id: string
  readonly group: string
  /** What holds when the case passes. */
  readonly title: string
  readonly needs?: readonly Need[]
  run(context: SessionContext): Promise<void>
}

/** The case as one that `runCase` runs; `open` is the core that it runs on. */
export function onCore(sessionCase: SessionCase, open: OpenSessions = openSessions): ContractCase {
  return {
    ...sessionCase,
    rules: [],
    run: (context) =>
      sessionCase.run({
        ...context,
        sessions: async (options, adapter) => open(adapter ?? (await context.open()), options),
      }),
  }
}
