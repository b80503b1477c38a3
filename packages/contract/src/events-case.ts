import * as events from '@sessiontree/events'
import type { CaseContext, ContractCase } from './case.ts'
import type { Need } from './harness.ts'

/** What of `@sessiontree/events` is called: the package itself, unless a test plants a fault. */
export type EventsApi = Pick<
  typeof events,
  'openEvents' | 'openEventsReadOnly' | 'deleteEvents' | 'listEvents' | 'eventStream'
>

/** What a case of the group `events` works on. */
export interface EventsContext extends CaseContext, EventsApi {}

/** One line of what session events promise, to be kept on every adapter. */
export interface EventsCase {
  /** `events:<line>`, with a word behind it where a line has several cases. */
  readonly id: string
  /** What holds when the case passes. */
  readonly title: string
  readonly needs?: readonly Need[]
  run(context: EventsContext): Promise<void>
}

/** The case as one that `runCase` runs. */
export function onEvents(one: EventsCase, api: EventsApi = events): ContractCase {
  return {
    ...one,
    group: 'events',
    rules: [],
    run: (context) => one.run({ ...context, ...pick(api) }),
  }
}

// Not the whole package: a case sees what it may call.
const pick = ({ openEvents, openEventsReadOnly, deleteEvents, listEvents, eventStream }: EventsApi): EventsApi => ({
  openEvents,
  openEventsReadOnly,
  deleteEvents,
  listEvents,
  eventStream,
})
