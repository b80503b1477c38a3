import type { Invocation } from './invocation.ts'
import { statusOf, statusWords } from './status.ts'

/** Which invocations. All conditions must hold. */
export interface InvocationFilter {
  readonly skill?: string | undefined
  readonly phase?: string | undefined
  /** Also as an older word: `ok` finds `pass`. */
  readonly status?: string | undefined
  /** From this moment on, inclusive. */
  readonly since?: string | undefined
  /** Before this moment. */
  readonly until?: string | undefined
}

/** A filter, checked. */
export interface Matcher {
  readonly from: number
  readonly to: number
  readonly skill: string | undefined
  readonly matches: (invocation: Invocation) => boolean
}

/** Checks a filter, and makes a test of it. A record without a time matches only where no time is asked for. */
export function matcher({ skill, phase, status, since, until }: InvocationFilter): Matcher {
  const wanted = status === undefined ? undefined : statusOf(status)
  if (status !== undefined && wanted === undefined) {
    throw new TypeError(`status: ${JSON.stringify(status)} is none of ${statusWords().join(', ')}`)
  }
  const from = momentOf(since, 'since') ?? -Infinity
  const to = momentOf(until, 'until') ?? Infinity
  const isTimed = from > -Infinity || to < Infinity
  return {
    from,
    to,
    skill,
    matches(invocation) {
      if (skill !== undefined && invocation.skill !== skill) return false
      if (phase !== undefined && (invocation.phase ?? '') !== phase) return false
      if (wanted !== undefined && statusOf(invocation.final_status) !== wanted) return false
      if (!isTimed) return true
      const at = Date.parse(invocation.timestamp)
      return at >= from && at < to
    },
  }
}

function momentOf(text: string | undefined, what: string): number | undefined {
  if (text === undefined) return undefined
  const moment = Date.parse(text)
  if (Number.isNaN(moment)) throw new TypeError(`${what}: expected RFC 3339, got ${JSON.stringify(text)}`)
  return moment
}
