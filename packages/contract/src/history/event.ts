import type { RecordBatch } from '@sessiontree/core'

/**
 * One line of a history: a call that started, or one that ended. Plain JSON, so that each process can write its own file and one
 * checker can read them all, in any order. A call that never ends is one whose process died.
 */
export type HistoryEvent = CallStarted | CallEnded

/** A call that started: written before the store was asked. */
export interface CallStarted {
  /** Who called: unique among all recorders of a history. */
  readonly actor: string
  /** The number of the call among those of its actor. */
  readonly call: number
  /** When, on the clock that all recorders of a history share. */
  readonly time: number
  readonly started: Request
}

/** A call that ended: written after the store had answered. */
export interface CallEnded {
  readonly actor: string
  readonly call: number
  readonly time: number
  readonly ended: Answer
}

/** What was asked. */
export type Request = AppendRequest | ReadRequest | DropRequest | GetRequest | PutRequest | RemoveRequest

export interface AppendRequest {
  readonly operation: 'append'
  readonly log: string
  readonly at: number
  readonly records: readonly string[]
}

/** A read, from its first pull. */
export interface ReadRequest {
  readonly operation: 'read'
  readonly log: string
  readonly from: number
  /** `null`: the end of the log. */
  readonly to: number | null
  /** `null`: none. */
  readonly limit: number | null
  readonly reverse: boolean
  readonly salvage: boolean
}

export interface DropRequest {
  readonly operation: 'drop'
  readonly log: string
}

export interface GetRequest {
  readonly operation: 'get'
  readonly key: string
}

export interface PutRequest {
  readonly operation: 'put'
  readonly key: string
  readonly value: string
  readonly expect: string
}

export interface RemoveRequest {
  readonly operation: 'remove'
  readonly key: string
  /** `null`: whatever is there. */
  readonly expect: string | null
}

/** What came back. */
export interface Answer {
  /**
   * `ok`: it resolved; a read was read to its end. `left`: the reader left the loop. `failed`: it rejected, and says that nothing was
   * written. `uncertain`: it rejected, and nobody knows.
   */
  readonly outcome: 'ok' | 'left' | 'failed' | 'uncertain'
  /** The code of the error, or its name if it has no code. */
  readonly code?: string
  /** The version that a put resolved with. */
  readonly version?: string
  /** What a get resolved with; `null` for nothing. */
  readonly document?: { readonly value: string; readonly version: string } | null
  /** What a read delivered, also one that failed or was left. */
  readonly batches?: readonly RecordBatch[]
}

/**
 * Reads the lines that recorders wrote (one event a line) and resolves with the events, in the order of the lines.
 *
 * Contract
 * - A last line that was cut, as by a process that was killed, is left out; any other line that is no JSON is a `TypeError`.
 */
export function parseHistory(lines: string): HistoryEvent[] {
  const texts = lines.split('\n')
  const cut = texts.pop()
  const events = texts.filter((text) => text !== '').map((text, i) => parseEvent(text, i))
  if (cut) {
    try {
      events.push(JSON.parse(cut) as HistoryEvent)
    } catch {
      // Its process was killed while it wrote: the call counts as one that started or never ended.
    }
  }
  return events
}

function parseEvent(text: string, i: number): HistoryEvent {
  try {
    return JSON.parse(text) as HistoryEvent
  } catch (error) {
    throw new TypeError(`line ${i + 1} of the history is no JSON`, { cause: error })
  }
}
