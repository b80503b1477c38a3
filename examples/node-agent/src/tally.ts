import { isMessageEntry, type Entry } from '@sessiontree/core'
import type { PiMessage } from './pi-format.ts'

/** How many entries of a kind of pi's are stored as a type of ours. */
export interface TallyRow {
  readonly kind: string
  readonly type: string
  readonly count: number
}

/** Counts entries by what they are in pi's file and what they are stored as. */
export class Tally {
  readonly #counts = new Map<string, number>()

  add(kind: string, type: string): void {
    const key = JSON.stringify([kind, type])
    this.#counts.set(key, (this.#counts.get(key) ?? 0) + 1)
  }

  /** Sorted by kind, then type. */
  get rows(): readonly TallyRow[] {
    return [...this.#counts]
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, count]) => {
        const [kind, type] = JSON.parse(key) as [string, string]
        return { kind, type, count }
      })
  }
}

/** What an entry was in pi's file, told from what is stored. */
export function kindOf(entry: Entry<PiMessage>): string {
  if (isMessageEntry(entry)) return `message/${entry.message.role}`
  return entry.type === 'custom' ? entry.name : entry.type
}
