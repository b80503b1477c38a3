import type { ReadRange } from './adapter.ts'
import { utf8Length } from './check.ts'
import { SessionError } from './errors.ts'
import type { Lineage } from './forks/lineage.ts'
import { LogReader, type LogReaderOptions } from './log-reader.ts'
import type { RecordState } from './record.ts'
import { journalRecord, type JournalRecord, type Records } from './records.ts'
import type { Signal } from './runtime.ts'

const WINDOW_RECORDS = 256
const WINDOW_BYTES = 256 * 1024
const FIRST_READ_BYTES = 64 * 1024
// What a place may put around the records of a read: so that its first page is enough.
const FRAMING = 1.25

/** What a view reads the first time that it is looked at. */
export const FIRST_READ: ReadRange = tailOf({ maxRecords: WINDOW_RECORDS, maxBytes: FIRST_READ_BYTES })

/** How one log is looked at. */
export interface LogViewOptions extends LogReaderOptions {
  readonly lineage: Lineage
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
  /** Another one as soon as the session's document names other logs. */
  lineage: Lineage
  readonly #reader: LogReader
  readonly #tick: () => number
  readonly #grown: (() => void) | undefined
  /** When the last look began that has ended. */
  lookedAt = 0
  #length: number | undefined
  #window: JournalRecord[] = []
  #windowBytes = 0
  /** Whether the window reaches as far as it ever will. */
  #isWide = false

  constructor(options: LogViewOptions) {
    this.lineage = options.lineage
    this.#reader = new LogReader(options)
    this.#tick = options.tick
    this.#grown = options.grown
  }

  get log(): string {
    return this.#reader.log
  }

  get segment(): number {
    return this.#reader.segment
  }

  vouch(): Promise<void> {
    return this.#reader.vouch()
  }

  /** Whether it was looked at yet. */
  get isKnown(): boolean {
    return this.#length !== undefined
  }

  get length(): number {
    return this.#length ?? 0
  }

  get state(): RecordState {
    return this.#window.at(-1)?.record.state ?? this.lineage.state
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
      for await (const { records } of this.#reader.read({ from: this.#length })) {
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

  /** Holds as many records as are looked through for an id: where the own log is short, those that ancestors hand down too. */
  async widen(): Promise<void> {
    await this.#widenWindow()
    const [records, bytes] = [WINDOW_RECORDS - this.#window.length, WINDOW_BYTES - this.#windowBytes]
    if (this.#window.length === this.length && records > 0 && bytes > 0) await this.lineage.recall({ records, bytes })
  }

  async #widenWindow(): Promise<void> {
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
    yield* this.#reader.backward(Math.min(to, start), signal)
  }

  /** The records from index `from` to before `to`, oldest first; by default up to what was known at the start. */
  forward(from: number, to: number = this.length, signal?: Signal): AsyncGenerator<JournalRecord, void, void> {
    const end = Math.min(to, this.length)
    return this.#reader.forward(from, end, end === this.length ? this.#window.at(-1)?.text : undefined, signal)
  }

  async at(index: number, signal?: Signal): Promise<JournalRecord | undefined> {
    if (index < 0 || index >= this.length) return undefined
    const start = this.length - this.#window.length
    return index >= start ? this.#window[index - start] : this.#reader.at(index, signal)
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
      for await (const { at, records } of this.#reader.read(tailOf(range))) {
        for (let i = records.length - 1; i >= 0; i--) {
          const text = records[i] as string
          found.push(this.#reader.decode(at + i, text))
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
}

interface TailRange {
  readonly to?: number
  readonly maxRecords: number
  readonly maxBytes: number
}

function tailOf({ to, maxRecords, maxBytes }: TailRange): ReadRange {
  return { to, limit: maxRecords, reverse: true, readAhead: Math.ceil(maxBytes * FRAMING) }
}
