import type { ReadRange, RecordBatch, StorageAdapter } from './adapter.ts'
import { CorruptError, SessionError } from './errors.ts'
import { journalRecord, type JournalRecord } from './records.ts'
import type { Signal } from './runtime.ts'

/** How a {@link LogReader} reads. */
export interface LogReaderOptions {
  readonly adapter: StorageAdapter
  readonly log: string
  readonly segment: number
  /** See `RecordSource.vouch`. */
  readonly vouch: () => Promise<void>
}

/** Reads records that a log is known to hold: what is not there is reported, never left out. */
export class LogReader {
  readonly log: string
  readonly segment: number
  readonly vouch: () => Promise<void>
  readonly #adapter: StorageAdapter

  constructor({ adapter, log, segment, vouch }: LogReaderOptions) {
    this.#adapter = adapter
    this.log = log
    this.segment = segment
    this.vouch = vouch
  }

  /** The record at an index. */
  async at(index: number, signal?: Signal): Promise<JournalRecord> {
    for await (const { at, records } of this.read({ from: index, to: index + 1, limit: 1, signal })) {
      if (at === index && records[0] !== undefined) return this.decode(index, records[0])
    }
    throw await this.missing(index)
  }

  /** Those below index `to`, newest first. */
  async *backward(to: number, signal?: Signal): AsyncGenerator<JournalRecord, void, void> {
    let expected = to
    if (expected === 0) return
    for await (const { at, records } of this.read({ to: expected, reverse: true, signal })) {
      if (at + records.length !== expected) break
      for (let i = records.length - 1; i >= 0; i--) yield this.decode(at + i, records[i] as string)
      expected = at
    }
    if (expected !== 0) throw await this.missing(expected - 1)
  }

  /** Those from index `from` to before `to`, oldest first; the last one has the text `last`, if that is known. */
  async *forward(from: number, to: number, last?: string, signal?: Signal): AsyncGenerator<JournalRecord, void, void> {
    let expected = from
    if (from < to) {
      for await (const { at, records } of this.read({ from, to, signal })) {
        if (at !== expected) break
        // What the log held before was dropped, and something came late to its name.
        if (last !== undefined && at + records.length === to && records.at(-1) !== last) break
        for (const [i, text] of records.entries()) yield this.decode(at + i, text)
        expected = at + records.length
      }
    }
    if (expected < to) throw await this.missing(expected)
  }

  /** As the adapter delivers it. A log that is dropped while it is read: the session may go on in another one. */
  async *read(range: ReadRange): AsyncGenerator<RecordBatch, void, void> {
    try {
      yield* this.#adapter.read(this.log, range)
    } catch (error) {
      if (SessionError.is(error, 'DELETED')) await this.vouch()
      throw error
    }
  }

  /** The error for a record that is not there. A dropped or damaged log must never look like a short history. */
  async missing(at: number): Promise<CorruptError> {
    await this.vouch()
    return new CorruptError(`Log ${this.log} lacks record ${at}, which it held before; verify() reports all damage.`, {
      log: this.log,
      at,
    })
  }

  decode(at: number, text: string): JournalRecord {
    return journalRecord(this.log, this.segment, at, text)
  }
}
