import type { LogObject } from './log-object.ts'
import { BLOCK, REPEAT_BYTES } from './overlap.ts'

/** What a handle knows of the end of a log: a boundary that it has seen, and the records before it that the next object may repeat. */
export interface Tail {
  readonly end: number
  readonly records: readonly Uint8Array[]
}

const LOGS = 64

/** The tails of the logs that this handle used last. */
export class Tails {
  // In the order of their last use.
  readonly #tails = new Map<string, Tail>()

  get(log: string): Tail | undefined {
    const tail = this.#tails.get(log)
    if (tail) this.#set(log, tail)
    return tail
  }

  /** Takes over what an object shows; one that ends earlier than what is known fills up what is missing before it. */
  learn(log: string, { from, end, records }: Pick<LogObject, 'from' | 'end' | 'records'>): void {
    const known = this.#tails.get(log)
    if (!known || end > known.end) {
      const start = known ? known.end - known.records.length : end
      const before = known && from <= known.end && start < from ? known.records.slice(0, from - start) : []
      this.#set(log, trim(end, [...before, ...records]))
      return
    }
    const start = known.end - known.records.length
    if (from < start && start <= end) {
      this.#set(log, trim(known.end, [...records.slice(0, start - from), ...known.records]))
    }
  }

  forget(log: string): void {
    this.#tails.delete(log)
  }

  #set(log: string, tail: Tail): void {
    this.#tails.delete(log)
    this.#tails.set(log, tail)
    for (const oldest of this.#tails.keys()) {
      if (this.#tails.size <= LOGS) break
      this.#tails.delete(oldest)
    }
  }
}

/** No object repeats anything from before its block. */
function trim(end: number, records: readonly Uint8Array[]): Tail {
  const kept = lastWithin(records, end % BLOCK)
  // Part of a larger buffer would keep all of it in memory.
  return { end, records: kept.map((record) => (record.length === record.buffer.byteLength ? record : record.slice())) }
}

/** At most `count` records, and as many whole ones as fit. */
export function lastWithin(records: readonly Uint8Array[], count: number): readonly Uint8Array[] {
  let [first, bytes] = [records.length, 0]
  while (first > 0 && records.length - first < count) {
    bytes += (records[first - 1] as Uint8Array).length
    if (bytes > REPEAT_BYTES) break
    first--
  }
  return records.slice(first)
}
