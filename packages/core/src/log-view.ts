import type { ReadRange, RecordBatch, StorageAdapter } from './adapter.ts'
import { utf8Length } from './check.ts'
import { CorruptError, SessionError } from './errors.ts'
import type { RecordState } from './record.ts'
import { journalRecord, type JournalRecord, type Records } from './records.ts'
import type { Signal } from './runtime.ts'

const EMPTY: RecordState = Object.freeze({ leaf: null, epoch: 0, turn: null })
const WINDOW_RECORDS = 256
const WINDOW_BYTES = 256 * 1024
const FIRST_READ_BYTES = 64 * 1024
// What a place may put around the records of a read: so that its first page is enough.
const FRAMING = 1.25

/** What a view reads the first time that it is looked at. */
export const FIRST_READ: ReadRange = tailOf({ maxRecords: WINDOW_RECORDS, maxBytes: FIRST_READ_BYTES })

/** How one log is looked at. */
export interface LogViewOptions {
  readonly adapter: StorageAdapter
  readonly log: string
  readonly segment: number
  /** See {@link Records.vouch}. */
  readonly vouch: () => Promise<void>
  /** Counts on; orders looks and calls. */
  readonly tick: () => number
  /** Told whenever records were added to what is known. */
  readonly grown?: (() => void) | undefined
}

/**
 * What one handle knows of one log.
 *
 * Invariant: `#window` holds the last records up to `#length`, without gap, exactly as the log has them. Only a committed append or
 * a read may extend it.
 */
export class LogView implements Records {
  readonly log: string
  readonly segment: number
  readonly #adapter: StorageAdapter
  readonly vouch: () => Promise<void>
  readonly #tick: () => number
  readonly #grown: (() => void) | undefined
  /** When the last look began that has ended. */
  lookedAt = 0
  #length: number | undefined
  #window: JournalRecord[] = []
  #windowBytes = 0
  /** Whether the window reaches as far as it ever will. */
  #isWide = false

  constructor({ adapter, log, segment, vouch, tick, grown }: LogViewOptions) {
    this.#adapter = adapter
    this.log = log
    this.segment = segment
    this.vouch = vouch
    this.#tick = tick
    this.#grown = grown
  }

  /** Whether it was looked at yet. */
  get isKnown(): boolean {
    return this.#length !== undefined
  }

  get length(): number {
    return this.#length ?? 0
  }

  get state(): RecordState {
    return this.#window.at(-1)?.record.state ?? EMPTY
  }

  /** Whether its last record says that the log has ended. */
  get isClosed(): boolean {
    return this.#window.at(-1)?.record.content.type === 'closed'
  }

  recent(): readonly JournalRecord[] {
    return this.#window
  }

  /** Reads what is new: the tail, the first time. */
  async catchUp(): Promise<void> {
    const began = this.#tick()
    if (this.#length === undefined) await this.#readTail()
    else {
      for await (const { records } of this.#read({ from: this.#length })) {
        this.extend(records.map((text, i) => journalRecord(this.log, this.segment, this.length + i, text)))
      }
    }
    this.lookedAt = began
  }

  /** Takes over records that the log holds behind all that is known. */
  extend(records: readonly JournalRecord[]): void {
    this.#window.push(...records)
    this.#windowBytes += records.reduce((sum, { text }) => sum + utf8Length(text), 0)
    this.#length = this.length + records.length
    let surplus = 0
    // The last record stays whatever its size: it holds the state.
    while (
      this.#window.length - surplus > 1 &&
      (this.#window.length - surplus > WINDOW_RECORDS || this.#windowBytes > WINDOW_BYTES)
    ) {
      this.#windowBytes -= utf8Length((this.#window[surplus++] as JournalRecord).text)
    }
    if (surplus > 0) this.#isWide = true
    this.#window.splice(0, surplus)
    if (records.length > 0) this.#grown?.()
  }

  /** Holds as many records as are looked through for an id. */
  async widen(): Promise<void> {
    const start = this.length - this.#window.length
    const full = start === 0 || this.#window.length >= WINDOW_RECORDS || this.#windowBytes >= WINDOW_BYTES
    if (this.#isWide || full) return
    const older: JournalRecord[] = []
    const maxRecords = WINDOW_RECORDS - this.#window.length
    await this.#collect(older, { to: start, maxRecords, maxBytes: WINDOW_BYTES - this.#windowBytes })
    this.#hold([...this.#window.toReversed(), ...older])
    // Only now: a read that failed has to be tried again.
    this.#isWide = true
  }

  /** The records below index `to`, newest first; from memory as far as it reaches. Goes through what was known at the start. */
  async *backward(to: number, signal?: Signal): AsyncGenerator<JournalRecord, void, void> {
    const start = this.length - this.#window.length
    const window = this.#window.slice(0, Math.max(0, to - start))
    yield* window.toReversed()
    let expected = Math.min(to, start)
    if (expected === 0) return
    for await (const { at, records } of this.#read({ to: expected, reverse: true, signal })) {
      if (at + records.length !== expected) break
      for (let i = records.length - 1; i >= 0; i--) yield this.#decode(at + i, records[i] as string)
      expected = at
    }
    if (expected !== 0) throw await this.#missing(expected - 1)
  }

  /** The records from index `from` on, oldest first, up to what was known at the start. */
  async *forward(from: number, signal?: Signal): AsyncGenerator<JournalRecord, void, void> {
    const to = this.length
    const last = this.#window.at(-1)
    let expected = from
    if (from < to) {
      for await (const { at, records } of this.#read({ from, to, signal })) {
        if (at !== expected) break
        // What the log held before was dropped, and something came late to its name.
        if (at + records.length === to && records.at(-1) !== last?.text) break
        for (const [i, text] of records.entries()) yield this.#decode(at + i, text)
        expected = at + records.length
      }
    }
    if (expected < to) throw await this.#missing(expected)
  }

  async at(index: number, signal?: Signal): Promise<JournalRecord | undefined> {
    if (index < 0 || index >= this.length) return undefined
    const start = this.length - this.#window.length
    if (index >= start) return this.#window[index - start]
    for await (const { at, records } of this.#read({
      from: index,
      to: index + 1,
      limit: 1,
      signal,
    })) {
      if (at === index && records[0] !== undefined) return this.#decode(index, records[0])
    }
    throw await this.#missing(index)
  }

  // A log that is dropped while it is read: the session may go on in another one.
  async *#read(range: ReadRange): AsyncGenerator<RecordBatch, void, void> {
    try {
      yield* this.#adapter.read(this.log, range)
    } catch (error) {
      if (SessionError.is(error, 'DELETED')) await this.vouch()
      throw error
    }
  }

  // A dropped or damaged log must never look like a short history.
  async #missing(at: number): Promise<CorruptError> {
    await this.vouch()
    return new CorruptError(`Log ${this.log} lacks record ${at}, which it held before; verify() reports all damage.`, {
      log: this.log,
      at,
    })
  }

  async #readTail(): Promise<void> {
    const tail: JournalRecord[] = []
    await this.#collect(tail, { maxRecords: WINDOW_RECORDS, maxBytes: FIRST_READ_BYTES })
    this.#length = tail[0] ? tail[0].at + 1 : 0
    this.#hold(tail)
  }

  /** Collects records newest first until there are enough. Damage behind a sound one ends it: it is reported to whoever reads that far. */
  async #collect(found: JournalRecord[], range: TailRange): Promise<void> {
    let bytes = 0
    try {
      for await (const { at, records } of this.#read(tailOf(range))) {
        for (let i = records.length - 1; i >= 0; i--) {
          const text = records[i] as string
          found.push(this.#decode(at + i, text))
          bytes += utf8Length(text)
          if (bytes >= range.maxBytes) return
        }
      }
    } catch (error) {
      if (!SessionError.is(error, 'CORRUPT') || (found.length === 0 && range.to === undefined)) throw error
    }
  }

  #hold(newestFirst: readonly JournalRecord[]): void {
    this.#window = newestFirst.toReversed()
    this.#windowBytes = newestFirst.reduce((sum, { text }) => sum + utf8Length(text), 0)
  }

  #decode(at: number, text: string): JournalRecord {
    return journalRecord(this.log, this.segment, at, text)
  }
}

interface TailRange {
  readonly to?: number
  readonly maxRecords: number
  readonly maxBytes: number
}

function tailOf({ to, maxRecords, maxBytes }: TailRange): ReadRange {
  return { to, limit: maxRecords, reverse: true, readAhead: Math.ceil(maxBytes * FRAMING) }
}
