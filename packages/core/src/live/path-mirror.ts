import { ancestors } from '../ancestry.ts'
import type { Leaf } from '../record.ts'
import type { JournalRecord } from '../records.ts'
import type { Signal } from '../runtime.ts'
import type { SessionState } from '../session-state.ts'

interface Step<Item> {
  readonly id: string
  readonly item: Item
}

/**
 * The path to a leaf, kept from one look to the next: only what is new on it is read.
 *
 * Invariant: no array that was handed out ever changes, and an entry that stays on the path keeps its item.
 */
export class PathMirror<Message, Item> {
  readonly #state: SessionState<Message>
  readonly #itemOf: (found: JournalRecord) => Item
  #steps: readonly Step<Item>[] = []
  /** Where each entry stands, by id. */
  #places: Map<string, number> = new Map()
  #items: readonly Item[] = []
  #following: Promise<unknown> = Promise.resolve()

  constructor(state: SessionState<Message>, itemOf: (found: JournalRecord) => Item) {
    this.#state = state
    this.#itemOf = itemOf
  }

  /** Resolves with what is on the path to `leaf`, oldest first; the same array as before if nothing changed. */
  pathTo(leaf: Leaf | null, signal?: Signal): Promise<readonly Item[]> {
    const reading = this.#following.then(() => this.#read(leaf, signal))
    this.#following = reading.catch(() => undefined)
    return reading
  }

  async #read(leaf: Leaf | null, signal: Signal | undefined): Promise<readonly Item[]> {
    if (leaf?.id === this.#steps.at(-1)?.id) return this.#items
    const { newestFirst, kept } = await this.#state.unlessMoved(() => this.#unknown(leaf, signal))
    const steps = this.#steps.slice(0, kept)
    const gone = this.#steps.slice(kept)
    for (const { id } of gone) this.#places.delete(id)
    for (const found of newestFirst.toReversed()) {
      this.#places.set(found.record.id, steps.length)
      steps.push({ id: found.record.id, item: this.#itemOf(found) })
    }
    this.#steps = steps
    this.#items = steps.map(({ item }) => item)
    return this.#items
  }

  /** The entries that were not on the path before, and how many of those before are still on it. */
  async #unknown(
    leaf: Leaf | null,
    signal: Signal | undefined,
  ): Promise<{ readonly newestFirst: readonly JournalRecord[]; readonly kept: number }> {
    const newestFirst: JournalRecord[] = []
    if (!leaf) return { newestFirst, kept: 0 }
    const known = this.#places.get(leaf.id)
    if (known !== undefined) return { newestFirst, kept: known + 1 }
    for await (const found of ancestors(this.#state.journal.records, leaf, signal)) {
      const place = this.#places.get(found.record.id)
      if (place !== undefined) return { newestFirst, kept: place + 1 }
      newestFirst.push(found)
    }
    return { newestFirst, kept: 0 }
  }
}
