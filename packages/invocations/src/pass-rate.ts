import type { Invocation } from './invocation.ts'
import { statusOf } from './status.ts'

/** How often something passed. */
export interface PassRate {
  readonly pass: number
  readonly fail: number
  /** Not part of the rate. */
  readonly skip: number
  /** pass of pass + fail; null where there is neither. */
  readonly pass_rate: number | null
}

/** Counts invocations; words that nobody knows count for nothing. */
export function passRateOf(invocations: Iterable<Pick<Invocation, 'final_status'>>): PassRate {
  const counts = { pass: 0, fail: 0, skip: 0 }
  for (const { final_status } of invocations) {
    const status = statusOf(final_status)
    if (status) counts[status]++
  }
  const counted = counts.pass + counts.fail
  return { ...counts, pass_rate: counted === 0 ? null : counts.pass / counted }
}

/** A span of time as milliseconds: a number of them, or `12h`, `7d`. */
export function windowOf(window: string | number): number {
  if (typeof window === 'number' && window > 0) return window
  const [, count, unit] = /^(\d{1,6})([hd])$/.exec(String(window)) ?? []
  if (!Number(count)) throw new TypeError(`window: expected hours or days as 12h or 7d, got ${JSON.stringify(window)}`)
  return Number(count) * (unit === 'h' ? 1 : 24) * 60 * 60 * 1000
}
