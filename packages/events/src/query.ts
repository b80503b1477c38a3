import { checkCount } from './check-input.ts'
import type { SessionEvent, StoredEvent } from './event.ts'
import { comparable } from './instant.ts'

/** Which events. All conditions must hold; a blank text is no condition. */
export interface EventFilter {
  readonly type?: string | undefined
  readonly agentName?: string | undefined
  readonly turnId?: string | undefined
  /** From this moment on, inclusive, by the events' own timestamps. */
  readonly since?: string | undefined
}

/** What `query` and `history` look for. */
export interface EventQuery extends EventFilter {
  /** Only events with a greater sequence. */
  readonly afterSequence?: number | undefined
  /** The latest so many of those that match. 0, the default: all. */
  readonly limit?: number | undefined
}

/** All events of one turn that a query found. */
export interface TurnHistory<Content = unknown> {
  readonly turnId: string
  readonly events: readonly SessionEvent<Content>[]
}

/** Checks a query's numbers. */
export function checkQuery({ afterSequence, limit }: EventQuery): { readonly after: number; readonly limit: number } {
  return { after: checkCount(afterSequence, 'afterSequence') ?? 0, limit: checkCount(limit, 'limit') || Infinity }
}

/** Checks a filter, and makes a test of it. */
export function matcher({ type, agentName, turnId, since }: EventFilter): (event: StoredEvent<unknown>) => boolean {
  const exact = { type, agentName, turnId }
  for (const [name, value] of Object.entries(exact)) {
    if (value !== undefined && typeof value !== 'string') throw new TypeError(`${name}: expected a text`)
  }
  const from = since === undefined || since === '' ? '' : comparable(since, 'since')
  const is = (wanted: string | undefined, value: string) =>
    wanted === undefined || wanted.trim() === '' || wanted === value
  return (event) =>
    is(type, event.type) &&
    is(agentName, event.agentName) &&
    is(turnId, event.turnId) &&
    (from === '' || comparable(event.timestamp, 'timestamp') >= from)
}

/** Whether a filter lets everything pass. */
export const passesAll = ({ type, agentName, turnId, since }: EventFilter): boolean =>
  [type, agentName, turnId, since].every((value) => value === undefined || value.trim() === '')

/** Groups events by turn: turns in the order in which they first appear, events in theirs. */
export function groupByTurn<Content>(events: readonly SessionEvent<Content>[]): readonly TurnHistory<Content>[] {
  const turns = new Map<string, SessionEvent<Content>[]>()
  for (const event of events) {
    const turn = turns.get(event.turnId)
    if (turn) turn.push(event)
    else turns.set(event.turnId, [event])
  }
  return [...turns].map(([turnId, list]) => ({ turnId, events: list }))
}
