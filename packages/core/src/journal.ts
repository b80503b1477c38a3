import type { StorageAdapter } from './adapter.ts'
import { utf8Length } from './check.ts'
import type { Position } from './entry.ts'
import { CorruptError, SessionError } from './errors.ts'
import { decodeRecord, type RecordState, type SessionRecord } from './record.ts'
import { randomFraction, sleep, type Clock, type Random } from './runtime.ts'

/** A record with its text: the text is the truth, and is decoded anew for whoever gets it. */
export interface JournalRecord {
  readonly at: number
  readonly position: Position
  readonly text: string
  readonly record: SessionRecord
}

/** Encodes a batch for the state that it will follow; none if there is nothing to append. Called again when it has to move to another index. */
export type Encode = (at: number, state: RecordState) => Promise<readonly string[]>

/** Decides what to do when others wrote first: returns to encode again behind them, throws to give up. */
export type OnMissed = (missed: readonly JournalRecord[]) => void

interface Batch {
  readonly at: number
  readonly records: readonly string[]
}

const EMPTY: RecordState = Object.freeze({ leaf: null, epoch: 0, turn: null })
const WINDOW_RECORDS = 256
const WINDOW_BYTES = 256 * 1024
const FIRST_READ_BYTES = 64 * 1024
const SETTLE_TRIES = 6

/**
 * One log as a sequence of records: knows its tail, serialises the appends of one handle, and settles what is uncertain.
 *
 * Invariant: `#window` holds the records from `#length − #window.length` to `#length`, exactly as the log has them. Only a
 * committed append or a read may extend it.
 */
export class Journal {
  readonly #adapter: StorageAdapter
  readonly #clock: Clock
  readonly #random: Random
  readonly log: string
  readonly segment: number
  #length: number | undefined
  #window: JournalRecord[] = []
  #windowBytes = 0
  #queue: Promise<unknown> = Promise.resolve()
  /** A batch whose fate is unknown: decided, by taking its index, before anything else happens. */
  #undecided: Batch | undefined

  constructor(options: {
    readonly adapter: StorageAdapter
    readonly log: string
    readonly segment: number
    readonly clock: Clock
    readonly random: Random
  }) {
    this.#adapter = options.adapter
    this.log = options.log
    this.segment = options.segment
    this.#clock = options.clock
    this.#random = options.random
  }

  /** The state that the last record known leaves behind. */
  get state(): RecordState {
    return this.#window.at(-1)?.record.state ?? EMPTY
  }

  /** The number of records known. */
  get length(): number {
    return this.#length ?? 0
  }

  /** Reads what others appended since; the whole tail at first. Waits for this handle's own appends. */
  refresh(): Promise<void> {
    return this.#exclusive(async () => {
      if (this.#undecided) await this.#take(this.#undecided)
      await this.#catchUp()
    })
  }

  /**
   * Appends one batch and resolves with its records.
   *
   * Contract
   * - Appends of one handle take effect in call order and never conflict with each other.
   * - When another handle was first, `onMissed` sees the records that this one had not; if it returns, the batch is encoded again.
   * - An uncertain outcome is settled by taking the same index with the same batch; what cannot be settled rejects with `UNCERTAIN`, and
   *   the next operation settles it first.
   */
  append(encode: Encode, onMissed: OnMissed): Promise<readonly JournalRecord[]> {
    return this.#exclusive(async () => {
      if (this.#undecided) await this.#take(this.#undecided)
      if (this.#length === undefined) await this.#catchUp()
      for (let attempt = 0; ; attempt++) {
        const at = this.length
        const records = await encode(at, this.state)
        if (records.length === 0) return []
        const { stored, missed } = await this.#take({ at, records })
        if (stored) return stored
        if (missed.length === 0 && attempt >= SETTLE_TRIES) throw this.#missing(at - 1)
        onMissed(missed)
        await this.#pause(attempt)
      }
    })
  }

  /** The records below index `to`, newest first; from memory as far as it reaches. Advances only through what was known at the start. */
  async *backward(to: number): AsyncGenerator<JournalRecord> {
    const start = this.length - this.#window.length
    const window = this.#window.slice(0, Math.max(0, to - start))
    yield* window.toReversed()
    const rest = Math.min(to, start)
    if (rest === 0) return
    let expected = rest
    for await (const { at, records } of this.#adapter.read(this.log, { to: rest, reverse: true })) {
      if (at + records.length !== expected) break
      for (let i = records.length - 1; i >= 0; i--) yield this.#decode(at + i, records[i] as string)
      expected = at
    }
    if (expected !== 0) throw this.#missing(expected - 1)
  }

  /** The records from index `from` on, oldest first, up to what was known at the start. */
  async *forward(from: number): AsyncGenerator<JournalRecord> {
    const to = this.length
    let expected = from
    if (from < to) {
      for await (const { at, records } of this.#adapter.read(this.log, { from, to })) {
        if (at !== expected) break
        for (const [i, text] of records.entries()) yield this.#decode(at + i, text)
        expected = at + records.length
      }
    }
    if (expected < to) throw this.#missing(expected)
  }

  /** The records in memory that have one of these ids. */
  recent(ids: readonly string[]): readonly JournalRecord[] {
    const wanted = new Set(ids)
    return this.#window.filter(({ record }) => wanted.has(record.id))
  }

  /** One record, from memory or by one read. */
  async at(index: number): Promise<JournalRecord | undefined> {
    if (index < 0 || index >= this.length) return undefined
    const start = this.length - this.#window.length
    if (index >= start) return this.#window[index - start]
    for await (const { at, records } of this.#adapter.read(this.log, { from: index, to: index + 1, limit: 1 })) {
      if (at === index && records[0] !== undefined) return this.#decode(index, records[0])
    }
    throw this.#missing(index)
  }

  // A dropped or damaged log must never look like a short history.
  #missing(at: number): CorruptError {
    return new CorruptError(
      `Log ${this.log} lacks record ${at}, which it held before; the session may have been deleted.`,
      {
        log: this.log,
        at,
      },
    )
  }

  #exclusive<Result>(operation: () => Promise<Result>): Promise<Result> {
    const result = this.#queue.then(operation)
    this.#queue = result.catch(() => {})
    return result
  }

  /** Reads what is new and returns it: the tail, the first time. */
  async #catchUp(): Promise<readonly JournalRecord[]> {
    if (this.#length === undefined) return this.#readTail()
    const missed: JournalRecord[] = []
    for await (const { at, records } of this.#adapter.read(this.log, { from: this.#length })) {
      if (at !== this.length) throw this.#missing(this.length)
      missed.push(...this.#extend(records))
    }
    return missed
  }

  async #readTail(): Promise<readonly JournalRecord[]> {
    const tail: JournalRecord[] = []
    let bytes = 0
    for await (const { at, records } of this.#adapter.read(this.log, { reverse: true, readAhead: FIRST_READ_BYTES })) {
      for (let i = records.length - 1; i >= 0; i--) {
        const text = records[i] as string
        tail.push(this.#decode(at + i, text))
        bytes += utf8Length(text)
      }
      if (bytes >= FIRST_READ_BYTES || tail.length >= WINDOW_RECORDS) break
    }
    this.#window = tail.toReversed()
    this.#windowBytes = bytes
    this.#length = tail[0] ? tail[0].at + 1 : 0
    return this.#window
  }

  #extend(records: readonly string[]): readonly JournalRecord[] {
    const added = records.map((text, i) => this.#decode(this.length + i, text))
    this.#window.push(...added)
    this.#windowBytes += records.reduce((sum, text) => sum + utf8Length(text), 0)
    this.#length = this.length + records.length
    let surplus = 0
    // The last record stays whatever its size: it holds the state.
    while (
      this.#window.length - surplus > 1 &&
      (this.#window.length - surplus > WINDOW_RECORDS || this.#windowBytes > WINDOW_BYTES)
    ) {
      this.#windowBytes -= utf8Length((this.#window[surplus++] as JournalRecord).text)
    }
    this.#window.splice(0, surplus)
    return added
  }

  #decode(at: number, text: string): JournalRecord {
    const position = [this.segment, at] as const
    return { at, position, text, record: decodeRecord(text, position, this.log) }
  }

  /**
   * Takes the index `at` with this batch, as often as the outcome is uncertain: an empty slot proves nothing, since a late write
   * may still fill it; only a committed record there does. Resolves with the batch as stored, or with what others put there.
   */
  async #take(batch: Batch): Promise<{ stored?: readonly JournalRecord[]; missed: readonly JournalRecord[] }> {
    const { at, records } = batch
    let uncertain: unknown
    for (let attempt = 0; attempt < SETTLE_TRIES; attempt++) {
      if (attempt > 0) await this.#pause(attempt)
      try {
        await this.#adapter.append(this.log, at, records)
        this.#undecided = undefined
        return { stored: this.#extend(records), missed: [] }
      } catch (error) {
        if (SessionError.is(error, 'CONFLICT')) {
          const missed = await this.#catchUp()
          this.#undecided = undefined
          // Also without an uncertain answer: a network may send a request twice.
          const mine = missed[0]?.at === at && records.every((text, i) => missed[i]?.text === text)
          return mine ? { stored: missed.slice(0, records.length), missed } : { missed }
        }
        if (!SessionError.is(error, 'UNCERTAIN')) {
          // A refusal now says nothing about the attempts before it.
          if (uncertain === undefined && this.#undecided === undefined) throw error
          uncertain ??= error
          break
        }
        uncertain = error
        this.#undecided = batch
      }
    }
    const last = at + records.length - 1
    throw new SessionError(
      'UNCERTAIN',
      `Nobody can tell whether records ${at} to ${last} of log ${this.log} were written. ` +
        'The next call on this session finds out first; do not send the message again before it.',
      { cause: uncertain },
    )
  }

  #pause(attempt: number): Promise<void> {
    return sleep(this.#clock, randomFraction(this.#random) * Math.min(1000, 10 * 2 ** attempt))
  }
}
