import { idOf, type EntryReference } from '../ancestry.ts'
import { CONTROL_TYPES, type Entry } from '../entry.ts'
import { CorruptError } from '../errors.ts'
import { readInherited } from '../forks/inherited-path.ts'
import type { JournalRecord } from '../records.ts'
import { throwIfAborted, type Signal } from '../runtime.ts'
import type { SessionState } from '../session-state.ts'
import type { FollowOptions, Place, Stop } from './follow.ts'

/** Where to go on behind an entry; null: at the beginning. */
async function placeBehind<Message>(
  state: SessionState<Message>,
  after: EntryReference | null,
  signal: Signal | undefined,
): Promise<Place> {
  throwIfAborted(signal)
  await state.look(signal)
  const { log, segment } = state.journal.records
  if (after === null) return { log, next: 0, inherited: null }
  const last = await state.unlessMoved(() => state.find(after, signal))
  return last.position[0] === segment ? { log, next: last.at + 1, last } : { log, next: 0, inherited: after }
}

// After a switch of the log these are looked for among what was delivered.
const REMEMBERED = 1024

/** Streams a session's entries from a place on, or behind an entry, until it is stopped. */
export async function* follow<Message>(
  state: SessionState<Message>,
  start: Promise<Place> | undefined,
  { after = null, signal }: FollowOptions,
  stop: Stop,
): AsyncGenerator<Entry<Message>, void, void> {
  if (stop.isStopped()) return
  yield* new Follower(state, await (start ?? placeBehind(state, after, signal)), stop).entries()
}

/** One reader's way through a log that grows. */
class Follower<Message> {
  readonly #state: SessionState<Message>
  readonly #stop: Stop
  readonly #inherited: EntryReference | null | undefined
  #next: number
  #log: string
  /** The texts of the last records that were passed, by index. */
  readonly #passed = new Map<number, string>()

  constructor(state: SessionState<Message>, { log, next, last, inherited }: Place, stop: Stop) {
    this.#state = state
    this.#stop = stop
    this.#inherited = inherited
    this.#next = next
    this.#log = log
    if (last) this.#passed.set(last.at, last.text)
  }

  async *entries(): AsyncGenerator<Entry<Message>, void, void> {
    if (this.#inherited !== undefined) yield* this.#handedDown(this.#inherited)
    for (;;) {
      const { version } = this.#state.news
      for await (const found of this.#unread()) {
        if (this.#stop.isStopped()) return
        if (!isEntry(found)) continue
        this.#state.shown.delivered(found)
        yield this.#state.entry(found)
      }
      if (this.#stop.isStopped() || !(await this.#stop.listener.until(version))) return
    }
  }

  /** What ancestors hand down behind an entry; it never grows. */
  async *#handedDown(after: EntryReference | null): AsyncGenerator<Entry<Message>, void, void> {
    let isBehind = after === null
    for await (const found of readInherited(this.#state)) {
      if (this.#stop.isStopped()) return
      if (isBehind) yield this.#state.entry(found)
      else isBehind = after !== null && found.record.id === idOf(after)
    }
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
