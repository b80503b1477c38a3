import type { Answer, HistoryEvent, Request } from '../../src/history.ts'

/** A call of a hand-made history: who, from when to when (no end: it never answered), what, and the answer. */
export interface TimelineCall {
  readonly actor: string
  readonly from: number
  readonly to?: number
  readonly request: Request
  readonly answer?: Answer
}

/** The events of hand-made calls. */
export function historyOf(calls: readonly TimelineCall[]): HistoryEvent[] {
  return calls.flatMap(({ actor, from, to, request, answer = { outcome: 'ok' } }, call): HistoryEvent[] => [
    { actor, call, time: from, started: request },
    ...(to === undefined ? [] : [{ actor, call, time: to, ended: answer }]),
  ])
}

type Span = readonly [from: number, to?: number]

const span = (actor: string, [from, to]: Span) => ({ actor, from, ...(to === undefined ? {} : { to }) })

export const refused: Answer = { outcome: 'failed', code: 'CONFLICT' }
export const denied: Answer = { outcome: 'failed', code: 'DENIED' }
export const uncertain: Answer = { outcome: 'uncertain', code: 'UNCERTAIN' }

export function append(
  actor: string,
  when: Span,
  at: number,
  records: readonly string[],
  answer?: Answer,
): TimelineCall {
  return { ...span(actor, when), request: { operation: 'append', log: 'log', at, records }, ...(answer && { answer }) }
}

/** A read of `log` that delivered these batches. */
export function read(
  actor: string,
  when: Span,
  batches: readonly (readonly [at: number, ...records: string[]])[],
  range: {
    from?: number
    to?: number
    limit?: number
    reverse?: boolean
    salvage?: boolean
    outcome?: Answer['outcome']
  } = {},
): TimelineCall {
  const { from = 0, to = null, limit = null, reverse = false, salvage = false, outcome = 'ok' } = range
  return {
    ...span(actor, when),
    request: { operation: 'read', log: 'log', from, to, limit, reverse, salvage },
    answer: { outcome, batches: batches.map(([at, ...records]) => ({ at, records })) },
  }
}

export function drop(actor: string, when: Span, answer?: Answer): TimelineCall {
  return { ...span(actor, when), request: { operation: 'drop', log: 'log' }, ...(answer && { answer }) }
}

/** A put that got this version, or this answer. */
export function put(actor: string, when: Span, value: string, expect: string, answer: Answer | string): TimelineCall {
  return {
    ...span(actor, when),
    request: { operation: 'put', key: 'key', value, expect },
    answer: typeof answer === 'string' ? { outcome: 'ok', version: answer } : answer,
  }
}

export function get(actor: string, when: Span, shown: readonly [value: string, version: string] | null): TimelineCall {
  return {
    ...span(actor, when),
    request: { operation: 'get', key: 'key' },
    answer: { outcome: 'ok', document: shown && { value: shown[0], version: shown[1] } },
  }
}

export function remove(actor: string, when: Span, expect: string | null = null, answer?: Answer): TimelineCall {
  return { ...span(actor, when), request: { operation: 'remove', key: 'key', expect }, ...(answer && { answer }) }
}
