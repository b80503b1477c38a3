import type { StorageAdapter } from '../adapter.ts'
import { utf8Length } from '../check.ts'
import { CorruptError } from '../errors.ts'
import type { Signal } from '../runtime.ts'
import type { IndexView } from '../take-index.ts'
import { decodeValue } from './stored-value.ts'

const WINDOW_RECORDS = 1024
const WINDOW_BYTES = 1024 * 1024

/** A record's text. */
export interface TextRecord {
  readonly text: string
}

/**
 * What one handle knows of one incarnation of a record log.
 *
 * Invariant: `#window` holds the last texts up to `#length`, without gap, exactly as the log has them.
 */
export class TextView implements IndexView<TextRecord> {
  readonly log: string
  readonly incarnation: number
  readonly #adapter: StorageAdapter
  readonly #tick: () => number
  /** When the last look began that has ended. */
  lookedAt = 0
  #length: number | undefined
  #isEnded = false
  #window: string[] = []
  #windowBytes = 0

  constructor(
    adapter: StorageAdapter,
    place: { readonly log: string; readonly incarnation: number },
    tick: () => number,
  ) {
    this.#adapter = adapter
    this.log = place.log
    this.incarnation = place.incarnation
    this.#tick = tick
  }

  get isKnown(): boolean {
    return this.#length !== undefined
  }

  /** How many records there are, the one that ends the log not counted. */
  get length(): number {
    return this.#length ?? 0
  }

  /** Whether its last record says that the log has ended. */
  get isEnded(): boolean {
    return this.#isEnded
  }

  /** Reads what is new: the last record, the first time. */
  async catchUp(): Promise<void> {
    const began = this.#tick()
    if (this.#length === undefined) await this.#readLast()
    else if (!this.#isEnded) {
      for await (const { records } of this.#adapter.read(this.log, { from: this.length })) this.#take(records)
    }
    this.lookedAt = began
  }

  extend(records: readonly TextRecord[]): void {
    this.#take(records.map(({ text }) => text))
  }

  async at(index: number): Promise<TextRecord | undefined> {
    if (index < 0 || index >= this.length) return undefined
    for await (const { text } of this.read(index, index + 1)) return { text }
    return undefined
  }

  /** The texts from one index to another, from memory as far as that reaches. */
  async *read(from: number, to: number, signal?: Signal): AsyncGenerator<{ at: number; text: string }, void, void> {
    const end = Math.min(to, this.length)
    const start = this.length - this.#window.length
    const window = from >= start ? this.#window.slice(from - start, end - start) : undefined
    if (window) {
      for (const [i, text] of window.entries()) yield { at: from + i, text }
      return
    }
    let expected = from
    for await (const { at, records } of this.#adapter.read(this.log, { from, to: end, signal })) {
      if (at !== expected) break
      for (const text of records) yield { at: expected++, text }
    }
    if (expected >= end) return
    // Dropped meanwhile, or damaged: it must not look like a short log.
    throw new CorruptError(`Log ${this.log} lacks record ${expected}, which it held before.`, {
      log: this.log,
      at: expected,
    })
  }

  /** The texts in memory from an index on. */
  recent(from: number): readonly string[] {
    return this.#window.slice(Math.max(0, from - (this.length - this.#window.length)))
  }

  async #readLast(): Promise<void> {
    for await (const { at, records } of this.#adapter.read(this.log, { reverse: true, limit: 1 })) {
      this.#length = at
      this.#take(records)
    }
    this.#length ??= 0
  }

  #take(texts: readonly string[]): void {
    for (const text of texts) {
      this.#isEnded = decodeValue(text, this.length, this.log) === undefined
      if (this.#isEnded) return
      this.#length = this.length + 1
      this.#window.push(text)
      this.#windowBytes += utf8Length(text)
    }
    let surplus = 0
    while (this.#window.length - surplus > WINDOW_RECORDS || this.#windowBytes > WINDOW_BYTES) {
      this.#windowBytes -= utf8Length(this.#window[surplus++] as string)
    }
    this.#window.splice(0, surplus)
  }
}
