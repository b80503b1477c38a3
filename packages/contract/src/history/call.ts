import type {
  Answer,
  AppendRequest,
  DropRequest,
  GetRequest,
  HistoryEvent,
  PutRequest,
  ReadRequest,
  RemoveRequest,
  Request,
} from './event.ts'

/** A call with both of its ends. */
export interface Call<Asked extends Request = Request> {
  readonly actor: string
  readonly call: number
  readonly request: Asked
  readonly start: number
  /** When it ended; `Infinity` if it never did. */
  readonly end: number
  readonly answer: Answer | undefined
}

export type LogCall = Call<AppendRequest | ReadRequest | DropRequest>
export type DocumentCall = Call<GetRequest | PutRequest | RemoveRequest>

/** Whether the call is of this operation. */
export function isOf<Operation extends Request['operation']>(
  call: Call,
  operation: Operation,
): call is Call<Extract<Request, { readonly operation: Operation }>> {
  return call.request.operation === operation
}

/** Whether the caller was told that it took effect. */
export const isAcknowledged = (call: Call): boolean => call.answer?.outcome === 'ok'

/** Whether the caller was told that it had no effect. */
export const isRefused = (call: Call): boolean => call.answer?.outcome === 'failed'

/** The moment until which it may take effect: its end, or never if nobody knows. */
export const effectiveUntil = (call: Call): number => (isAcknowledged(call) ? call.end : Infinity)

/** Names a call in a message. */
export const describe = ({ actor, call, request }: Call): string => `${actor}'s ${request.operation} (call ${call})`

/**
 * Pairs the events of a history, whatever their order, and returns the calls, ordered by their start.
 *
 * @throws {TypeError} if two calls have one actor and number, or an end has no start.
 */
export function pairEvents(events: Iterable<HistoryEvent>): Call[] {
  const started = new Map<string, HistoryEvent & { readonly started: Request }>()
  const ended = new Map<string, HistoryEvent & { readonly ended: Answer }>()
  for (const event of events) {
    const id = JSON.stringify([event.actor, event.call])
    const taken = 'started' in event ? started.has(id) : ended.has(id)
    if (taken) {
      throw new TypeError(
        `call ${event.call} of ${event.actor} is there twice; give every recorder an actor of its own`,
      )
    }
    if ('started' in event) started.set(id, event)
    else ended.set(id, event)
  }
  for (const [id, { actor, call }] of ended) {
    if (!started.has(id)) throw new TypeError(`call ${call} of ${actor} ended and never started`)
  }
  return Array.from(started, ([id, { actor, call, time, started: request }]) => {
    const end = ended.get(id)
    return { actor, call, request, start: time, end: end?.time ?? Infinity, answer: end?.ended }
  }).toSorted((a, b) => a.start - b.start)
}
