import {
  RecordHome,
  recordHomes,
  SessionError,
  sleep,
  systemClock,
  throwIfAborted,
  type Clock,
  type Random,
  type RecordHomeOptions,
  type Signal,
  type StorageAdapter,
} from '@sessiontree/core'
import { Events, type StripEvent } from './events.ts'
import { ReadOnlyEvents } from './read-only-events.ts'

/** Where a session's events are. */
export interface EventsPlace {
  /** Whose they are, as in `openSessions`. Default: none. */
  readonly scope?: readonly string[] | undefined
  readonly clock?: Clock | undefined
  readonly random?: Random | undefined
  readonly signal?: Signal | undefined
}

/** Options of {@link openEvents}. */
export interface EventsOptions<Content> extends EventsPlace {
  /** Takes what must not be stored out of an event. Default: nothing. */
  readonly strip?: StripEvent<Content> | undefined
}

/** Options of {@link openEventsReadOnly}. */
export interface ReadOnlyOptions extends EventsPlace {
  /** How often and how long to wait for a store that is busy. */
  readonly retry?: ReadOnlyRetry | undefined
}

/** How {@link openEventsReadOnly} waits: before attempt n + 1 n × `minDelay`, at most `maxDelay`. What is not above 0 is the default. */
export interface ReadOnlyRetry {
  /** Default 15. */
  readonly maxAttempts?: number | undefined
  /** Milliseconds. Default 20. */
  readonly minDelay?: number | undefined
  /** Milliseconds. Default 150; raised to `minDelay` where it is less. */
  readonly maxDelay?: number | undefined
}

const KIND = { kind: 'events', logs: ['event', 'usage', 'hook'] } as const

/**
 * Opens the events of a session, and creates them if there are none. The adapter stays the caller's: many sessions, and core's own, may share it.
 *
 * Contract
 * - Opening again changes nothing. `DELETED` after `deleteEvents`; `FORMAT` if a newer version wrote them, and `CORRUPT` if what says so is damaged: both leave all as it is.
 * - A blank id is a `TypeError`; white space around it is dropped.
 *
 * @example
 * const events = await openEvents(nodeFs('./store'), 'support-42')
 * const { sequence } = await events.recordPersisted({ turnId: 't1', type: 'agent_message', agentName: 'coder', content: 'Done.' })
 */
export async function openEvents<Content = unknown>(
  adapter: StorageAdapter,
  sessionId: string,
  options: EventsOptions<Content> = {},
): Promise<Events<Content>> {
  const home = homeOf(adapter, sessionId, options).createWith()
  await home.look(options.signal)
  return new Events<Content>(home, options.strip)
}

/**
 * Opens the events of a session for reading; writes nothing, creates nothing, repairs nothing.
 *
 * Contract
 * - `NOT_FOUND` if there are none. Its methods that write reject with `READ_ONLY`; those that read are the writer's.
 * - Tries again only while the store is `BUSY`; then rejects with the last error. The signal ends the waiting.
 */
export async function openEventsReadOnly<Content = unknown>(
  adapter: StorageAdapter,
  sessionId: string,
  options: ReadOnlyOptions = {},
): Promise<ReadOnlyEvents<Content>> {
  const home = homeOf(adapter, sessionId, options)
  const { clock = systemClock, signal } = options
  const maxAttempts = positive(options.retry?.maxAttempts, 15)
  const minDelay = positive(options.retry?.minDelay, 20)
  const maxDelay = Math.max(minDelay, positive(options.retry?.maxDelay, 150))
  for (let attempt = 1; ; attempt++) {
    throwIfAborted(signal)
    try {
      await home.look(signal)
      return new ReadOnlyEvents<Content>(home)
    } catch (error) {
      if (!SessionError.is(error, 'BUSY') || attempt >= maxAttempts) throw error
      await sleep(clock, Math.min(maxDelay, attempt * minDelay), signal)
    }
  }
}

/** Deletes the events, usage and hook runs of a session. Its id stays spent for events: opening them is `DELETED`. */
export async function deleteEvents(
  adapter: StorageAdapter,
  sessionId: string,
  options: EventsPlace = {},
): Promise<void> {
  await homeOf(adapter, sessionId, options).delete({ signal: options.signal })
}

/** What {@link listEvents} yields. */
export type ListedEvents =
  | { readonly sessionId: string; readonly createdAt: string }
  /** Events that cannot be opened: the key of their document, and why. */
  | { readonly key: string; readonly error: SessionError }

/** Streams which sessions have events, in the order of their encoded ids. */
export async function* listEvents(
  adapter: StorageAdapter,
  options: EventsPlace = {},
): AsyncGenerator<ListedEvents, void, void> {
  for await (const found of recordHomes(settings(adapter, options), options.signal)) {
    if ('id' in found) yield { sessionId: found.id, createdAt: found.document.createdAt ?? '' }
    else yield found
  }
}

function homeOf(adapter: StorageAdapter, sessionId: string, options: EventsPlace): RecordHome {
  if (typeof sessionId !== 'string' || sessionId.trim() === '') {
    throw new TypeError('sessionId: expected a text that is not blank')
  }
  return new RecordHome(settings(adapter, options), sessionId.trim())
}

const settings = (adapter: StorageAdapter, { scope, clock, random }: EventsPlace): RecordHomeOptions => ({
  adapter,
  ...KIND,
  scope,
  clock,
  random,
})

const positive = (value: number | undefined, otherwise: number) =>
  value !== undefined && value > 0 ? value : otherwise
