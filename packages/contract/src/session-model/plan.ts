import {
  SessionError,
  type ErrorCode,
  type RoleMessage,
  type Session,
  type Sessions,
  type StorageAdapter,
  type Turn,
} from '@sessiontree/core'
import { assert } from '../assert.ts'
import { nameOf, type Outcome } from '../rejection.ts'
import type { Mortal } from './mortal.ts'
import type { ModelEntry, ModelTurn, View } from './model-state.ts'
import type { ModelSession } from './session-model.ts'

/** One session as a handle has it. */
export interface Opened {
  readonly session: Session<RoleMessage>
  readonly view: View
}

/** One process with its handle on the store. */
export interface Handle {
  readonly sessions: Sessions<RoleMessage>
  readonly process: Mortal
  readonly adapter: StorageAdapter
  readonly opened: Map<string, Opened>
}

/** A turn that somebody holds, or held. */
export interface Slot {
  readonly handle: Handle
  readonly session: string
  readonly turn: Turn<RoleMessage>
  readonly model: ModelTurn
}

/** What a call does: to the session, and to the model of it. The model's states are those that a death on the way may leave, the last one is that of a whole call. */
export interface Plan {
  readonly real: () => Promise<unknown>
  /** What the model says: what was appended, a code, or another value that the call resolves with. */
  readonly expected: readonly ModelEntry[] | ErrorCode | { readonly value: unknown }
  readonly states: readonly (readonly ModelSession[])[]
  readonly done?: (value: unknown) => void
  readonly isAppend?: boolean
  /** Whether the handle may have missed records, so that what it appends to a deleted session may be garbage (`[drop.late]`). */
  readonly isLate?: boolean
  /** Another code that is as right, if the handle does not know of the turn yet. */
  readonly or?: ErrorCode | undefined
  /** Brings what the handle knows up to date, after a rejection that may have come from what it knew before. */
  readonly look?: () => Promise<void>
}

/** Asserts that a call ended as the model says: with this code, or well. */
export function expectCode(outcome: Outcome<unknown>, code: ErrorCode | undefined, what: string, or?: ErrorCode): void {
  if (outcome.ok) return assert(code === undefined, `${what}: expected ${String(code)}, but it resolved`)
  // A handle that does not know yet that the session is deleted may know another reason.
  const codes = code === 'DELETED' ? [code, 'CONFLICT', 'LEASE_LOST'] : [code, or]
  const matches = SessionError.is(outcome.error) && codes.includes(outcome.error.code)
  assert(matches, `${what}: expected ${code ?? 'that it resolves'}, got ${nameOf(outcome.error)}`)
}
