import { checkIndex } from './check.ts'
import type { Entry } from './entry.ts'

/** Options of {@link EntryStream.toArray}. */
export interface ToArrayOptions {
  /** At most so many: the first ones. */
  readonly limit?: number | undefined
}

/**
 * Entries that are read as they are asked for.
 *
 * Contract
 * - Nothing is read before the first one is asked for; leaving the loop ends all work. Each loop reads anew.
 *
 * @example
 * for await (const entry of session.entries()) console.log(entry.type, entry.id)
 * const first = await session.path().toArray({ limit: 10 })
 */
export class EntryStream<Message> implements AsyncIterable<Entry<Message>> {
  readonly #read: () => AsyncGenerator<Entry<Message>, void, void>

  /** @internal Made by `Session`. */
  constructor(read: () => AsyncGenerator<Entry<Message>, void, void>) {
    this.#read = read
  }

  [Symbol.asyncIterator](): AsyncGenerator<Entry<Message>, void, void> {
    return this.#read()
  }

  /** Resolves with all entries, or the first `limit` ones. For what is short: memory holds all of them. */
  async toArray({ limit = Infinity }: ToArrayOptions = {}): Promise<readonly Entry<Message>[]> {
    if (limit !== Infinity) checkIndex(limit, 'limit')
    const entries: Entry<Message>[] = []
    if (limit === 0) return entries
    for await (const entry of this) if (entries.push(entry) >= limit) break
    return entries
  }
}
