import type { StorageAdapter } from '../adapter.ts'
import { CorruptError, SessionError } from '../errors.ts'
import { LogReader } from '../log-reader.ts'
import { isBaseLog } from '../names.ts'
import type { Leaf } from '../record.ts'
import type { JournalRecord, RecordSource } from '../records.ts'
import type { Signal } from '../runtime.ts'
import { tipOf, type LineageSegment } from './lineage.ts'

/** The part of an ancestor's log that a fork sees: as many records as lie at or below its tip, for ever the same. */
export class AncestorLog implements RecordSource {
  readonly length: number
  readonly tip: Leaf
  /** Whether it holds a path and nothing else: each record follows the one before it. */
  readonly isPath: boolean
  readonly #reader: LogReader

  constructor(adapter: StorageAdapter, ancestor: LineageSegment, vouch: () => Promise<void>) {
    const { log, segment, upTo } = ancestor
    this.length = upTo + 1
    this.tip = tipOf(ancestor)
    this.isPath = isBaseLog(log)
    this.#reader = new LogReader({ adapter, log, segment, vouch })
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

  async at(index: number, signal?: Signal): Promise<JournalRecord | undefined> {
    if (index < 0 || index >= this.length) return undefined
    return this.#unlessDropped(async () => this.#checked(await this.#reader.at(index, signal)))
  }

  async *backward(to: number, signal?: Signal): AsyncGenerator<JournalRecord, void, void> {
    yield* this.#stream(this.#reader.backward(Math.min(to, this.length), signal))
  }

  /** Those from index `from` to before `to`, oldest first. */
  async *forward(from: number, to: number, signal?: Signal): AsyncGenerator<JournalRecord, void, void> {
    yield* this.#stream(this.#reader.forward(from, Math.min(to, this.length), undefined, signal))
  }

  async *#stream(records: AsyncGenerator<JournalRecord, void, void>): AsyncGenerator<JournalRecord, void, void> {
    try {
      for await (const found of records) yield await this.#checked(found)
    } catch (error) {
      throw await this.#failure(error)
    }
  }

  async #unlessDropped(read: () => Promise<JournalRecord>): Promise<JournalRecord> {
    try {
      return await read()
    } catch (error) {
      throw await this.#failure(error)
    }
  }

  // While the session lives and names this log, that it was dropped is damage.
  async #failure(error: unknown): Promise<unknown> {
    if (!SessionError.is(error, 'DELETED')) return error
    await this.vouch()
    return new CorruptError(`Log ${this.log} of an ancestor is gone; verify() reports all damage.`, {
      log: this.log,
      cause: error,
    })
  }

  /** A record that is what the lineage says it is; a repair of the ancestor may have found its tip lost. */
  async #checked(found: JournalRecord): Promise<JournalRecord> {
    const { at, record } = found
    const isTip = record.id === this.tip.id || record.content.type === 'lost'
    if (at !== this.length - 1 || isTip) return found
    await this.vouch()
    throw new CorruptError(
      `Record ${at} of log ${this.log} is not entry ${JSON.stringify(this.tip.id)}, with which a fork of it begins; verify() reports all damage.`,
      { log: this.log, at },
    )
  }
}
