import { CONTROL_TYPES } from './entry.ts'
import type { LogView } from './log-view.ts'
import type { Leaf } from './record.ts'
import { decidesLeaf, type JournalRecord } from './records.ts'

/** The leaf as a caller knew it at some moment. */
export interface Shown {
  /** Null for none; undefined before anything was shown. */
  leaf: Leaf | null | undefined
  /** How many records the log had then. */
  length: number
}

/** What the callers of one handle have been shown: `reject` compares it with what is there. */
export class ShownLeaf {
  /** What a call that is made now knows. */
  now: Shown = { leaf: undefined, length: 0 }

  /** Shows the leaf: calls made from now on follow it. */
  show({ state, length }: LogView): Leaf | null {
    this.now = { leaf: state.leaf, length }
    return state.leaf
  }

  /** Whoever is given a record as it comes knows it, and all before it. */
  delivered({ at, record }: JournalRecord): void {
    if (at >= this.now.length) this.now = { leaf: record.state.leaf, length: at + 1 }
  }

  /**
   * What this handle itself just wrote is known; what others put behind it before it looked is not, nor where they have moved a leaf that
   * it left alone.
   */
  wrote(shown: Shown, records: readonly JournalRecord[]): void {
    const last = records.at(-1)
    if (!last) return
    const { leaf } = last.record.state
    if (decidesLeaf(last) || idOf(leaf) === idOf(shown.leaf)) this.#knows(shown, { leaf, length: last.at + 1 })
  }

  /** Whoever asked for the leaf that is there already knows it. */
  agreed(shown: Shown, { state, length }: LogView): void {
    this.#knows(shown, { leaf: state.leaf, length })
  }

  /** Whether the leaf is the one that a caller was shown. Whoever has seen nothing yet takes what is there for known. */
  isCurrent(shown: Shown, records: LogView): boolean {
    return shown.leaf === undefined || idOf(shown.leaf) === idOf(records.state.leaf)
  }

  /** The entries that a caller has missed since; from now on it has seen them. */
  missed(shown: Shown, records: LogView): readonly JournalRecord[] {
    const missed = records
      .recent()
      .filter(({ at, record }) => at >= shown.length && !CONTROL_TYPES.has(record.content.type))
    // Calls that were made before keep the old view and are rejected too.
    if (this.now === shown) this.show(records)
    return missed
  }

  /** Notes what whoever called knows now, with those who knew what came before it. */
  #knows(shown: Shown, known: Shown): void {
    Object.assign(shown, known)
    Object.assign(this.now, known)
  }
}

const idOf = (leaf: Leaf | null | undefined) => (leaf ? leaf.id : leaf)
