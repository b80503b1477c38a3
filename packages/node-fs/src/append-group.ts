import { MAX_BATCH_RECORDS, MAX_RECORD_BYTES, type Signal } from '@sessiontree/core'

/**
 * Appends of one handle to one log, each at the end of the one before it, that wait for a flush and then become one batch: a write that
 * nobody has flushed must not be built upon, and none of them shall wait for a flush of its own.
 */
export class AppendGroup {
  readonly at: number
  readonly records: string[] = []
  /** Settles as all of them do. */
  readonly done: Promise<void>
  readonly #signal: Signal | undefined
  /** Counted only when somebody joins. */
  #bytes: number | undefined

  /** Begins with one append, which `write` carries out with all that join it. */
  constructor({ at, records, signal }: Append, write: (group: AppendGroup) => Promise<void>) {
    this.at = at
    this.#signal = signal
    this.records.push(...records)
    this.done = write(this)
  }

  /** The index behind its last record. */
  get next(): number {
    return this.at + this.records.length
  }

  /** Takes another append along; false if a batch cannot hold it. */
  join(records: readonly string[]): boolean {
    if (this.records.length + records.length > MAX_BATCH_RECORDS) return false
    const bytes = (this.#bytes ?? sizeOf(this.records)) + sizeOf(records)
    if (bytes > MAX_RECORD_BYTES) return false
    this.#bytes = bytes
    this.records.push(...records)
    return true
  }

  /** Whether it failed because the first caller gave up: that is nobody else's failure. */
  wasGivenUp(error: unknown): boolean {
    return this.#signal?.aborted === true && error === this.#signal.reason
  }
}

interface Append {
  readonly at: number
  readonly records: readonly string[]
  readonly signal: Signal | undefined
}

function sizeOf(records: readonly string[]): number {
  return records.reduce((sum, text) => sum + Buffer.byteLength(text), 0)
}
