import type { StorageAdapter } from './adapter.ts'
import { utf8Length } from './check.ts'
import type { Position } from './entry.ts'
import { CorruptError, SessionError, UncertainError } from './errors.ts'
import type { InFlight } from './in-flight.ts'
import { decodeRecord, type RecordState, type SessionRecord } from './record.ts'
import { randomFraction, sleep, type Clock, type Random } from './runtime.ts'

/** A record with its text: the text is the truth, and is decoded anew for whoever gets it. */
export interface JournalRecord {
  readonly at: number
  readonly position: Position
  readonly text: string
  readonly record: SessionRecord
}

/**
 * Encodes a batch for the state that it will follow: no record if there is nothing to append, undefined to be asked again after
 * looking what others appended. Asked again whenever others were first; throws to give up.
 */
export type Encode = (at: number, state: RecordState, fresh: boolean) => Promise<readonly string[] | undefined>

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
 * Invariant: `#window` holds the last records up to `#length`, without gap, exactly as the log has them. Only a committed append or
 * a read may extend it.
 */
export class Journal {
  readonly #adapter: StorageAdapter
  readonly #clock: Clock
  readonly #random: Random
  readonly #inFlight: InFlight
  readonly log: string
  readonly segment: number
  #length: number | undefined
  #window: JournalRecord[] = []
  #windowBytes = 0
  /** Whether the window reaches as far as it ever will. */
  #isWide = false
  #queue: Promise<unknown> = Promise.resolve()
  /** A batch whose fate is unknown: decided, by taking its index, before anything else happens. */
  #undecided: Batch | undefined

  constructor(options: {
    readonly adapter: StorageAdapter
    readonly log: string
    readonly segment: number
    readonly clock: Clock
    readonly random: Random
    readonly inFlight: InFlight
  }) {
    this.#adapter = options.adapter
    this.log = options.log
    this.segment = options.segment
    this.#clock = options.clock
    this.#random = options.random
    this.#inFlight = options.inFlight
  }

  /** The state that the last record known leaves behind. */
  get state(): RecordState {
    return this.#window.at(-1)?.record.state ?? EMPTY
  }

  /** The number of records known. */
  get length(): number {
    return this.#length ?? 0
  }

  /** Reads what others appended since; the tail, the first time. Waits for this handle's own appends. */
  refresh(): Promise<void> {
    return this.#exclusive(async () => {
      await this.#settle()
      await this.#catchUp()
    })
  }

  /**
   * Appends one batch and resolves with its records.
   *
   * Contract
   * - Takes its turn when it is called: appends and refreshes of one handle take effect in call order.
   * - When another handle was first, `encode` is asked again with what that one left behind.
   * - An uncertain outcome is settled by taking the same index with the same batch; what cannot be settled rejects with `UNCERTAIN`, and
   *   the next operation settles it first.
   * - `stored` is called with the records before the next operation starts.
   */
  append(
    encode: Encode,
    stored: (records: readonly JournalRecord[]) => void = () => {},
    options: { readonly recognise?: boolean } = {},
  ): Promise<readonly JournalRecord[]> {
    return this.#exclusive(async () => {
      await this.#settle()
      let fresh = this.#length === undefined
      if (fresh) await this.#catchUp()
      if (options.recognise) await this.#widen()
      for (let attempt = 0; ; attempt++) {
        const at = this.length
        const records = await encode(at, this.state, fresh)
        if (records === undefined) {
          await this.#catchUp()
          fresh = true
          continue
        }
        if (records.length === 0) return []
        const batch = await this.#take({ at, records })
        if (batch) {
          stored(batch)
          return batch
        }
        if (this.length === at && attempt >= SETTLE_TRIES) {
          throw new CorruptError(
            `Log ${this.log} refuses index ${at} but shows no record there; was its session deleted?`,
            {
              log: this.log,
              at,
            },
          )
        }
        await this.#pause(attempt)
      }
    })
  }

  /** The records below index `to`, newest first; from memory as far as it reaches. Advances only through what was known at the start. */
  async *backward(to: number): AsyncGenerator<JournalRecord, void, void> {
    const start = this.length - this.#window.length
    const window = this.#window.slice(0, Math.max(0, to - start))
    yield* window.toReversed()
    let expected = Math.min(to, start)
    if (expected === 0) return
    for await (const { at, records } of this.#adapter.read(this.log, { to: expected, reverse: true })) {
      if (at + records.length !== expected) break
      for (let i = records.length - 1; i >= 0; i--) yield this.#decode(at + i, records[i] as string)
      expected = at
    }
    if (expected !== 0) throw this.#missing(expected - 1)
  }

  /** The records from index `from` on, oldest first, up to what was known at the start. */
  async *forward(from: number): AsyncGenerator<JournalRecord, void, void> {
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

  /** The records in memory. */
  recent(): readonly JournalRecord[] {
    return this.#window
  }

  /** One record, from memory or by one read; undefined beyond what is known. */
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
    return this.#inFlight.run(() => {
      const result = this.#queue.then(operation)
      this.#queue = result.catch(() => {})
      return result
    })
  }

  /** Reads what is new: the tail, the first time. */
  async #catchUp(): Promise<void> {
    if (this.#length === undefined) return this.#readTail()
    for await (const { records } of this.#adapter.read(this.log, { from: this.#length })) this.#extend(records)
  }

  async #readTail(): Promise<void> {
    const tail: JournalRecord[] = []
    await this.#collect(tail, { maxRecords: WINDOW_RECORDS, maxBytes: FIRST_READ_BYTES })
    this.#length = tail[0] ? tail[0].at + 1 : 0
    this.#hold(tail)
  }

  /** Holds as many records as are looked through for an id. */
  async #widen(): Promise<void> {
    const start = this.length - this.#window.length
    const full = start === 0 || this.#window.length >= WINDOW_RECORDS || this.#windowBytes >= WINDOW_BYTES
    if (this.#isWide || full) return
    this.#isWide = true
    const older: JournalRecord[] = []
    const maxRecords = WINDOW_RECORDS - this.#window.length
    await this.#collect(older, { to: start, maxRecords, maxBytes: WINDOW_BYTES - this.#windowBytes })
    this.#hold([...this.#window.toReversed(), ...older])
  }

  /** Collects records newest first until there are enough. Damage behind a sound one ends it: it is reported to whoever reads that far. */
  async #collect(
    found: JournalRecord[],
    range: { readonly to?: number; readonly maxRecords: number; readonly maxBytes: number },
  ): Promise<void> {
    let bytes = 0
    try {
      const options = { to: range.to, limit: range.maxRecords, reverse: true, readAhead: range.maxBytes }
      for await (const { at, records } of this.#adapter.read(this.log, options)) {
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
    if (surplus > 0) this.#isWide = true
    this.#window.splice(0, surplus)
    return added
  }

  #decode(at: number, text: string): JournalRecord {
    const position = [this.segment, at] as const
    return { at, position, text, record: decodeRecord(text, position, this.log) }
  }

  async #settle(): Promise<void> {
    if (this.#undecided) await this.#take(this.#undecided)
  }

  /**
   * Takes the index `at` with this batch, as often as the outcome is uncertain: an empty slot proves nothing, since a late write
   * may still fill it; only a committed record there does. Resolves with the batch as stored, or undefined if others hold the index.
   */
  async #take(batch: Batch): Promise<readonly JournalRecord[] | undefined> {
    const { at, records } = batch
    let uncertain: unknown
    for (let attempt = 0; attempt < SETTLE_TRIES; attempt++) {
      if (attempt > 0) await this.#pause(attempt)
      try {
        await this.#adapter.append(this.log, at, records)
        this.#undecided = undefined
        return this.#extend(records)
      } catch (error) {
        if (SessionError.is(error, 'UNCERTAIN')) {
          this.#undecided = batch
          uncertain = error
          continue
        }
        if (SessionError.is(error, 'CONFLICT')) {
          const holder = await this.#holder(batch).catch((reason: unknown) => ({ reason }))
          if (!('reason' in holder)) {
            this.#undecided = undefined
            return holder.batch
          }
          uncertain = holder.reason
        } else {
          uncertain ??= error
        }
        // A failure now says nothing about the attempts before it.
        if (!this.#undecided || SessionError.is(error, 'CLOSED')) throw uncertain
        break
      }
    }
    const last = at + records.length - 1
    throw new UncertainError(
      `Nobody can tell whether records ${at} to ${last} of log ${this.log} were written. ` +
        'The next call on this session finds out first; do not send the message again before it.',
      { cause: uncertain, ids: records.map((text, i) => this.#decode(at + i, text).record.id) },
    )
  }

  /** Looks who holds the index of a batch: also without an uncertain answer, since a network may send a request twice. */
  async #holder({ at, records }: Batch): Promise<{ readonly batch: readonly JournalRecord[] | undefined }> {
    const stored: JournalRecord[] = []
    await this.#catchUp()
    for (const [i, text] of records.entries()) {
      const found = await this.at(at + i)
      if (found?.text !== text) return { batch: undefined }
      stored.push(found)
    }
    return { batch: stored }
  }

  #pause(attempt: number): Promise<void> {
    return sleep(this.#clock, randomFraction(this.#random) * Math.min(1000, 10 * 2 ** attempt))
  }
}
