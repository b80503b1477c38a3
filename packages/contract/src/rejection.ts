import { SessionError, type ErrorCode, type ErrorOfCode } from '@sessiontree/core'
import { assert, AssertionError } from './assert.ts'

/** How an operation ended. */
export type Outcome<Value> =
  | { readonly ok: true; readonly value: Value }
  | { readonly ok: false; readonly error: unknown }

/** Waits for an operation and resolves with how it ended; never rejects. */
export async function outcomeOf<Value>(operation: Promise<Value>): Promise<Outcome<Value>> {
  try {
    return { ok: true, value: await operation }
  } catch (error) {
    return { ok: false, error }
  }
}

/** Asserts that an operation rejects with a `SessionError` of this code, and resolves with the error. */
export async function assertCode<Code extends ErrorCode>(
  operation: Promise<unknown>,
  code: Code,
  what: string,
): Promise<ErrorOfCode<Code>> {
  const outcome = await outcomeOf(operation)
  if (outcome.ok) throw new AssertionError(`${what}: expected ${code}, but it resolved`, 'resolved', code)
  assertErrorCode(outcome.error, code, what)
  return outcome.error
}

/** Asserts that an error is a `SessionError` of this code. */
export function assertErrorCode<Code extends ErrorCode>(
  error: unknown,
  code: Code,
  what: string,
): asserts error is ErrorOfCode<Code> {
  if (!SessionError.is(error, code)) {
    throw new AssertionError(`${what}: expected ${code}, got ${nameOf(error)}`, nameOf(error), code)
  }
}

/** Asserts that an append rejects with `CONFLICT`, says that nothing was written, and does not overstate the length. */
export async function assertConflict(append: Promise<void>, length: number, what: string): Promise<void> {
  const { atLeast, written } = await assertCode(append, 'CONFLICT', what)
  assert(written === 'no', `${what}: a CONFLICT says written "no", not "${written}"`)
  assert(
    Number.isInteger(atLeast) && Number(atLeast) >= 0 && Number(atLeast) <= length,
    `${what}: atLeast is a lower bound of the length ${length}, not ${String(atLeast)}`,
  )
}

/** Asserts that a call throws a `TypeError` or rejects with one. */
export async function assertTypeError(call: () => unknown, what: string): Promise<void> {
  const outcome = await outcomeOf((async () => call())())
  if (outcome.ok) throw new AssertionError(`${what}: expected a TypeError, but it resolved`, 'resolved', 'TypeError')
  if (!(outcome.error instanceof TypeError)) {
    throw new AssertionError(
      `${what}: expected a TypeError, got ${nameOf(outcome.error)}`,
      nameOf(outcome.error),
      'TypeError',
    )
  }
}

/** What an error calls itself, for messages. */
export function nameOf(error: unknown): string {
  if (SessionError.is(error)) return `${error.code} (${error.message})`
  return error instanceof Error ? `${error.name} (${error.message})` : String(error)
}
