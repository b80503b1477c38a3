import type { EntryReference } from '../ancestry.ts'
import type { Entry } from '../entry.ts'
import { SessionError } from '../errors.ts'
import type { JournalRecord } from '../records.ts'
import type { Signal } from '../runtime.ts'
import type { SessionState } from '../session-state.ts'
import type { Listener } from './news.ts'

/** Options of {@link Session.follow}. */
export interface FollowOptions {
  /** The last entry that is known already; null: none, from the beginning. Default: what is there when the call is made. */
  readonly after?: EntryReference | null | undefined
  /** Ends the loop as soon as it aborts. */
  readonly signal?: Signal | undefined
}

/** Entries as they are appended: see {@link Session.follow}. */
export interface Following<Message> extends AsyncIterableIterator<Entry<Message>, void, void> {
  next(): Promise<IteratorResult<Entry<Message>, void>>
  /** Ends it, also while a `next` waits: that one resolves as done. */
  return(): Promise<IteratorResult<Entry<Message>, void>>
  [Symbol.asyncIterator](): Following<Message>
}

/** Where to go on. */
export interface Place {
  /** The session's own log. */
  readonly log: string
  /** The index in it. */
  readonly next: number
  /** The record before that one. */
  readonly last?: JournalRecord | undefined
  /** The entry behind which to begin in what comes before that log; null: with the first one. */
  readonly inherited?: EntryReference | null
}

/** What ends a reader. */
export interface Stop {
  readonly listener: Listener
  isStopped(): boolean
}

/** Streams what is appended, for as long as somebody wants it. */
export function followEntries<Message>(state: SessionState<Message>, options: FollowOptions): Following<Message> {
  const { after, signal } = options
  // Now, not when the first entry is asked for.
  const start = after === undefined ? placeOfNow(state, signal) : undefined
  start?.catch(() => {})
  const listener = state.news.listen()
  let isOver = false
  const end = () => listener.end()
  signal?.addEventListener('abort', end, { once: true })
  if (signal?.aborted) end()
  const isStopped = () => isOver || signal?.aborted === true
  const entries = (async function* () {
    const { follow } = await import('../parts/conversation.ts')
    yield* follow(state, start, options, { listener, isStopped })
  })()
  const leave = () => {
    end()
    signal?.removeEventListener('abort', end)
  }
  const following: Following<Message> = {
    async next() {
      try {
        const step = await entries.next()
        if (step.done) leave()
        return step
      } catch (error) {
        const isClosed = listener.hasEnded && SessionError.is(error, 'CLOSED')
        leave()
        if (isStopped() || isClosed) return { done: true, value: undefined }
        throw error
      }
    },
    async return() {
      isOver = true
      leave()
      return entries.return()
    },
    [Symbol.asyncIterator]: () => following,
  }
  return following
}

async function placeOfNow<Message>(state: SessionState<Message>, signal: Signal | undefined): Promise<Place> {
  await state.look(signal)
  const { records } = state.journal
  return { log: records.log, next: records.length, last: records.recent().at(-1) }
}
