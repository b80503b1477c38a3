import { SessionError, systemClock, type Clock, type Signal } from '@sessiontree/core'
import { cursorOf, parseCursor } from './cursor.ts'
import type { SessionEvent } from './event.ts'
import type { EventReader, FollowOptions } from './event-reader.ts'
import { web, type ByteStream, type WebResponse } from './web.ts'

/** Options of {@link eventStream} and {@link eventResponse}. */
export interface EventStreamOptions extends FollowOptions {
  /** Milliseconds between comments that keep the connection open. Default 15,000. */
  readonly heartbeat?: number | undefined
  readonly clock?: Clock | undefined
}

/** What is needed of a request: any `Request` fits. */
export interface EventRequest {
  readonly headers: { get(name: string): string | null }
  readonly signal?: Signal | undefined
}

const HEARTBEAT = 15_000

/**
 * Makes server-sent events of a session's events: `id` is the cursor, `event` the type, `data` the event as JSON.
 *
 * Contract
 * - Each event exactly once and in order, from `after` on. Nothing is read before it is pulled; cancelling it ends all work.
 * - When the events are cleared, or were since `after`: an event `sessiontree.cleared`, then the new ones from the beginning.
 * - It ends, behind an event `sessiontree.end`, when the signal aborts or the handle is closed. Any other failure is its error.
 *
 * @example
 * for await (const chunk of eventStream(events, { after: lastCursor })) response.write(chunk)
 */
export function eventStream(events: EventReader, options: EventStreamOptions = {}): ByteStream {
  // Bad input is told at once, not in the middle of a stream.
  parseCursor(options.after)
  const encoder = new web.TextEncoder()
  const stopping = new Stopping(options.signal)
  const frames = framesOf(events, { ...options, signal: stopping })
  return new web.ReadableStream(
    {
      async pull(controller) {
        const { done, value } = await frames.next()
        if (done) controller.close()
        else controller.enqueue(encoder.encode(value))
      },
      async cancel(reason) {
        stopping.abort(reason)
        await frames.return()
      },
    },
    { highWaterMark: 0 },
  ) as ByteStream
}

/**
 * Answers a request with {@link eventStream}. A `Last-Event-ID` in it goes before `after`; one that is no cursor is answered with 400.
 *
 * @example
 * export const GET = (request: Request) => eventResponse(events, request)
 */
export function eventResponse(
  events: EventReader,
  request?: EventRequest,
  options: EventStreamOptions = {},
): WebResponse {
  const after = request?.headers.get('last-event-id') || options.after
  try {
    const body = eventStream(events, { ...options, after, signal: options.signal ?? request?.signal })
    const headers = { 'content-type': 'text/event-stream; charset=utf-8', 'cache-control': 'no-cache, no-transform' }
    return new web.Response(body, { status: 200, headers }) as WebResponse
  } catch (error) {
    if (!(error instanceof TypeError)) throw error
    const headers = { 'content-type': 'text/plain; charset=utf-8' }
    return new web.Response(error.message, { status: 400, headers }) as WebResponse
  }
}

async function* framesOf(
  events: EventReader,
  options: EventStreamOptions & { readonly signal: Stopping },
): AsyncGenerator<string, void, void> {
  let { after } = options
  for (;;) {
    try {
      yield* liveFrames(events.follow({ ...options, after }), options)
    } catch (error) {
      if (options.signal.aborted || SessionError.is(error, 'CLOSED')) {
        yield frame('sessiontree.end', {})
        return
      }
      if (!SessionError.is(error, 'CONFLICT')) throw error
      const { cursor } = await events.page({ limit: 1, signal: options.signal })
      const incarnation = parseCursor(cursor).incarnation as number
      after = cursorOf(incarnation, 0)
      yield frame('sessiontree.cleared', { incarnation }, after)
    }
  }
}

/** The events as they come, and a comment whenever none came for long. */
async function* liveFrames(
  following: AsyncGenerator<SessionEvent, never, void>,
  { heartbeat = HEARTBEAT, clock = systemClock }: EventStreamOptions,
): AsyncGenerator<string, void, void> {
  try {
    for (let next = following.next(); ; next = following.next()) {
      let came: IteratorResult<SessionEvent, never> | undefined
      while (!came) {
        let cancel = () => {}
        const silence = new Promise<undefined>((resolve) => (cancel = clock.timer(heartbeat, () => resolve(undefined))))
        came = await Promise.race([next, silence]).finally(() => cancel())
        if (!came) yield ': still here\n\n'
      }
      const event = came.value
      yield frame(event.type, event, event.cursor)
    }
  } finally {
    await following.return(undefined as never).catch(() => {})
  }
}

const frame = (type: string, data: unknown, id?: string) =>
  `${id === undefined ? '' : `id: ${id}\n`}event: ${type.replace(/[\r\n\0]+/g, ' ')}\ndata: ${JSON.stringify(data)}\n\n`

/** Aborts with the caller's signal, and when nobody reads any more. */
class Stopping implements Signal {
  readonly #outer: Signal | undefined
  readonly #listeners: Set<() => void> = new Set()
  #cancelled: { readonly reason: unknown } | undefined

  constructor(outer: Signal | undefined) {
    this.#outer = outer
  }

  get aborted(): boolean {
    return this.#cancelled !== undefined || this.#outer?.aborted === true
  }

  get reason(): unknown {
    return this.#cancelled?.reason ?? this.#outer?.reason
  }

  abort(reason: unknown): void {
    this.#cancelled ??= { reason }
    for (const listener of this.#listeners) listener()
  }

  addEventListener(type: 'abort', listener: () => void, options?: { once?: boolean }): void {
    this.#listeners.add(listener)
    this.#outer?.addEventListener(type, listener, options ?? {})
  }

  removeEventListener(type: 'abort', listener: () => void): void {
    this.#listeners.delete(listener)
    this.#outer?.removeEventListener(type, listener)
  }
}
