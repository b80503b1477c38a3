import { CONTROL_TYPES, type Entry } from '../entry.ts'
import { CorruptError, SessionError } from '../errors.ts'
import { idOf, type EntryReference } from '../ancestry.ts'
import { readInherited } from '../forks/inherited-path.ts'
import type { JournalRecord } from '../records.ts'
import { throwIfAborted, type Signal } from '../runtime.ts'
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

/** Streams what is appended, for as long as somebody wants it. */
export function followEntries<Message>(state: SessionState<Message>, options: FollowOptions): Following<Message> {
  const { after, signal } = options
  // Now, not when the first entry is asked for.
  const start = after === undefined ? positionOfNow(state, signal) : undefined
  start?.catch(() => {})
  const listener = state.news.listen()
  const stop = () => listener.end()
  signal?.addEventListener('abort', stop, { once: true })
  if (signal?.aborted) stop()
  const follower = new Follower(state, listener, () => signal?.aborted === true)
  const entries = follower.run(start ?? positionBehind(state, after as EntryReference | null, signal))
  const leave = () => {
    stop()
    signal?.removeEventListener('abort', stop)
  }
  const following: Following<Message> = {
    async next() {
      try {
        const step = await entries.next()
        if (step.done) leave()
        return step
      } catch (error) {
        const isStopped = follower.isOver || signal?.aborted || (listener.hasEnded && SessionError.is(error, 'CLOSED'))
        leave()
        if (isStopped) return { done: true, value: undefined }
        throw error
      }
    },
    async return() {
      follower.isOver = true
      leave()
      return entries.return()
    },
    [Symbol.asyncIterator]: () => following,
  }
  return following
}

/** Where to go on. */
interface Place {
  /** The index in the session's own log. */
  readonly next: number
  /** The record before that one. */
  readonly last?: JournalRecord | undefined
  /** The entry behind which to begin in what comes before that log; null: with the first one. */
  readonly inherited?: EntryReference | null
}

async function positionOfNow<Message>(state: SessionState<Message>, signal: Signal | undefined): Promise<Place> {
  await state.look(signal)
  const { records } = state.journal
  return { next: records.length, last: records.recent().at(-1) }
}

function positionBehind<Message>(
  state: SessionState<Message>,
  after: EntryReference | null,
  signal: Signal | undefined,
): () => Promise<Place> {
  return async () => {
    throwIfAborted(signal)
    await state.look(signal)
    if (after === null) return { next: 0, inherited: null }
    const last = await state.find(after, signal)
    return last.position[0] === state.journal.records.segment
      ? { next: last.at + 1, last }
      : { next: 0, inherited: after }
  }
}

// After a switch of the log these are looked for among what was delivered.
const REMEMBERED = 1024

/** One reader's way through a log that grows. */
class Follower<Message> {
  readonly #state: SessionState<Message>
  readonly #listener: Listener
  readonly #isAborted: () => boolean
  isOver = false
  #next = 0
  #log = ''
  /** The texts of the last records that were passed, by index. */
  readonly #passed = new Map<number, string>()

  constructor(state: SessionState<Message>, listener: Listener, isAborted: () => boolean) {
    this.#state = state
    this.#listener = listener
    this.#isAborted = isAborted
  }

  async *run(start: Promise<Place> | (() => Promise<Place>)): AsyncGenerator<Entry<Message>, void, void> {
    if (this.#ends()) return
    const { next, last, inherited } = await (typeof start === 'function' ? start() : start)
    if (inherited !== undefined) yield* this.#handedDown(inherited)
    this.#next = next
    if (last) this.#passed.set(last.at, last.text)
    this.#log = this.#state.journal.log
    for (;;) {
      const { version } = this.#state.news
      for await (const found of this.#unread()) {
        if (this.#ends()) return
        if (isEntry(found)) {
          this.#state.shown.delivered(found)
          yield this.#state.entry(found)
        }
      }
      if (this.#ends() || !(await this.#listener.until(version))) return
    }
  }

  /** What ancestors hand down behind an entry; it never grows. */
  async *#handedDown(after: EntryReference | null): AsyncGenerator<Entry<Message>, void, void> {
    let isBehind = after === null
    for await (const found of readInherited(this.#state)) {
      if (this.#ends()) return
      if (isBehind) yield this.#state.entry(found)
      else isBehind = after !== null && found.record.id === idOf(after)
    }
  }

  #ends(): boolean {
    return this.isOver || this.#isAborted()
  }

  /** What the log holds by now behind what was passed, up to the record that ends it. */
  async *#unread(): AsyncGenerator<JournalRecord, void, void> {
    if (this.#log !== this.#state.journal.log) await this.#goOnInCopy()
    const { records } = this.#state.journal
    const recent = records.recent()
    const inMemory = (recent[0]?.at ?? Infinity) <= this.#next
    const unread = inMemory ? recent.slice(this.#next - (recent[0]?.at ?? 0)) : records.forward(this.#next)
    for await (const found of unread) {
      // The copy has something else in this place.
      if (found.record.content.type === 'closed') return
      this.#pass(found)
      yield found
    }
  }

  #pass({ at, text }: JournalRecord): void {
    this.#next = at + 1
    this.#passed.set(at, text)
    if (this.#passed.size > REMEMBERED) this.#passed.delete(at - REMEMBERED)
  }

  /** A repair's copy has every record in its old place, but may lack some at the end: what stands there now is new. */
  async #goOnInCopy(): Promise<void> {
    const { log, records } = this.#state.journal
    while (this.#next > 0) {
      const before = await records.at(this.#next - 1)
      const passed = this.#passed.get(this.#next - 1)
      if (passed === undefined && this.#passed.size === REMEMBERED) {
        throw new CorruptError(`Log ${log} lost more of its end than can be told apart; read the session again.`, {
          log,
        })
      }
      if (passed === undefined || before?.text === passed || before?.record.content.type === 'lost') break
      this.#next--
    }
    this.#log = log
  }
}

const isEntry = ({ record }: JournalRecord) => {
  const { type } = record.content
  return type === 'lost' || !CONTROL_TYPES.has(type)
}
