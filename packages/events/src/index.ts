export type { NewEvent, SessionEvent } from './event.ts'
export { EventReader, type EventPage, type FollowOptions, type PageOptions, type ReadOptions } from './event-reader.ts'
export { eventResponse, eventStream, type EventRequest, type EventStreamOptions } from './event-stream.ts'
export { Events, type StripEvent, type WriteOptions } from './events.ts'
export {
  HOOK_EVENTS,
  HOOK_MODES,
  HOOK_OUTCOMES,
  HOOK_SOURCES,
  type HookEvent,
  type HookMode,
  type HookOutcome,
  type HookRun,
  type HookRunQuery,
  type HookSource,
  type NewHookRun,
} from './hook-run.ts'
export {
  deleteEvents,
  listEvents,
  openEvents,
  openEventsReadOnly,
  type EventsOptions,
  type EventsPlace,
  type ListedEvents,
  type ReadOnlyOptions,
  type ReadOnlyRetry,
} from './open.ts'
export type { EventFilter, EventQuery, TurnHistory } from './query.ts'
export { ReadOnlyEvents } from './read-only-events.ts'
export type { NewTokenUsage, TokenTotals, TokenUsage } from './token-usage.ts'
export type { ByteStream, WebResponse } from './web.ts'
