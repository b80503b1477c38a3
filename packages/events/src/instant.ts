import type { Clock } from '@sessiontree/core'

const INSTANT = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?Z$/

/** Now, as RFC 3339 in UTC with milliseconds. */
export const nowOf = (clock: Clock): string => new Date(clock.now()).toISOString()

/** Checks a moment: RFC 3339 in UTC with up to nine decimals; undefined and blank are now. */
export function checkInstant(value: unknown, clock: Clock, what: string): string {
  if (value === undefined || value === '') return nowOf(clock)
  comparable(value, what)
  return value as string
}

/** A moment in a form whose order as text is its order in time. */
export function comparable(value: unknown, what: string): string {
  const [, seconds, fraction = ''] = INSTANT.exec(typeof value === 'string' ? value : '') ?? []
  // Date.parse knows that there is no February 30.
  const isThere = seconds !== undefined && !Number.isNaN(Date.parse(`${seconds}Z`)) && isRoundTrip(seconds)
  if (!isThere) {
    throw new TypeError(`${what}: expected a moment as 2026-11-28T03:00:00.000Z, got ${JSON.stringify(value)}`)
  }
  return `${seconds}.${fraction.padEnd(9, '0')}Z`
}

const isRoundTrip = (seconds: string) => new Date(`${seconds}Z`).toISOString().startsWith(seconds)
