import type { Invocation } from './invocation.ts'
import type { Verdict } from './verify-sessions.ts'

/** One invocation in one line. */
export function invocationLine({ message, outcome, reply, usage, dollars }: Invocation): string {
  const { roundTrips, bytesSent, bytesReceived } = usage
  const notes = [
    message.isRetry ? 'retry' : '',
    reply?.isRepeated ? 'answered before' : '',
    reply?.recovered.length ? `closed ${reply.recovered.length} killed turn` : '',
    outcome === 'held' ? 'ACTIVE_TURN, tries later' : '',
  ].filter((note) => note !== '')
  return (
    `${message.session.padEnd(11)} ${message.id.padEnd(12)} ${outcome.padEnd(9)} ${column(requestsOf({ usage }), 3)} requests ` +
    `${column(roundTrips, 3)} round trips ${column(bytesSent, 7)} B out ${column(bytesReceived, 8)} B in  $${(dollars * 1e6).toFixed(1)}/M  ${notes.join(', ')}`
  )
}

/** What all of them cost, and what was found in the bucket. */
export function* summaryLines(invocations: readonly Invocation[], verdict: Verdict): Generator<string> {
  yield 'per invocation (mean)     count  requests  (PUT  GET LIST)  round trips    B out      B in   $ per million'
  for (const outcome of ['answered', 'killed', 'held', 'lost'] as const) {
    const of = invocations.filter((one) => one.outcome === outcome)
    if (of.length > 0) yield meanLine(outcome, of)
  }
  const turns = invocations.filter(({ outcome }) => outcome === 'answered').length
  const dollars = invocations.reduce((sum, one) => sum + one.dollars, 0)
  yield (
    `${turns} turns answered by ${invocations.length} invocations: $${((dollars / turns) * 1e6).toFixed(2)} per million turns, ` +
      'with all that was killed or turned away'
  )
  yield (
    `verified ${verdict.sessions} sessions: ${verdict.entries} entries, ${verdict.turns} turns, ${verdict.interrupted} of them closed for a killed ` +
      `invocation: ${verdict.problems.length === 0 ? 'every answered message once, one chain, one end for each turn' : `${verdict.problems.length} PROBLEMS`}`
  )
  yield* verdict.problems
}

function meanLine(title: string, of: readonly Invocation[]): string {
  const mean = (value: (one: Invocation) => number) => of.reduce((sum, one) => sum + value(one), 0) / of.length
  const parts = (['PutObject', 'GetObject', 'ListObjectsV2'] as const).map((operation) =>
    column(mean(({ usage }) => usage.requests[operation]).toFixed(1), 4),
  )
  return (
    `${title.padEnd(25)} ${column(of.length, 5)} ${column(mean(requestsOf).toFixed(1), 9)}  (${parts.join(' ')})` +
    `${column(mean(({ usage }) => usage.roundTrips).toFixed(1), 13)} ${column(mean(({ usage }) => usage.bytesSent).toFixed(0), 9)}` +
    ` ${column(mean(({ usage }) => usage.bytesReceived).toFixed(0), 9)} ${column((mean(({ dollars }) => dollars) * 1e6).toFixed(2), 15)}`
  )
}

function requestsOf({ usage }: Pick<Invocation, 'usage'>): number {
  return Object.values(usage.requests).reduce((sum, count) => sum + count, 0)
}

function column(value: number | string, width: number): string {
  return String(value).padStart(width)
}
