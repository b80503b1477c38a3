import type { Position } from './entry.ts'
import type { JournalRecord } from './records.ts'

/** An entry of an ancestor's log whose nearest compaction is not known yet. */
interface Waiting {
  readonly found: Pick<JournalRecord, 'at' | 'record'>
  readonly log: string | undefined
}

/** Checks what entries say of the newest compaction before them: see `docs/decisions/0015`. */
export class CompactionCheck {
  readonly #segments: ReadonlySet<number>
  readonly #report: (found: Pick<JournalRecord, 'at' | 'record'>, log?: string) => void
  /** The newest compaction on the path to an entry and with it; those are left out that have none, or of which nobody knows. */
  readonly #nearest: Map<string, Position> = new Map()
  /** Entries of which that is not known, because the id that they follow is that of several. */
  readonly #unknown: Set<string> = new Set()
  readonly #ids: ReadonlyMap<string, readonly unknown[]>
  #waiting: Waiting[] = []

  /** `ids` says how often each entry's id was met so far; `segments` are those that positions may name: others are of logs that are gone, and say nothing. */
  constructor(
    ids: ReadonlyMap<string, readonly unknown[]>,
    segments: readonly number[],
    report: (found: Pick<JournalRecord, 'at' | 'record'>, log?: string) => void,
  ) {
    this.#ids = ids
    this.#segments = new Set(segments)
    this.#report = report
  }

  /** Takes an entry that ancestors hand down, newest first. */
  inherit(found: JournalRecord, log: string | undefined): void {
    const { record, position } = found
    if (record.content.type === 'compaction') {
      this.#settle(position)
      this.#nearest.set(record.id, position)
    }
    this.#waiting.push({ found: { at: found.at, record }, log })
  }

  /** Something is missing among what ancestors hand down: nobody knows what lies before. What is behind it is not asked about, either. */
  lose(): void {
    this.#waiting = []
  }

  /** The path of ancestors ends at its root. */
  endOfInherited(): void {
    this.#settle(null)
  }

  /** Takes an entry of the session's own log, oldest first. */
  record(found: JournalRecord): void {
    const { record, position } = found
    const { id, parentId, content } = record
    const isKnown = parentId === null || (this.#isOne(parentId) && !this.#unknown.has(parentId))
    const before = isKnown && parentId !== null ? this.#nearest.get(parentId) : undefined
    if (isKnown) this.#check({ found, log: undefined }, before ?? null)
    const own = content.type === 'compaction' ? position : before
    if (own) this.#nearest.set(id, own)
    else if (!isKnown) this.#unknown.add(id)
  }

  #settle(position: Position | null): void {
    for (const waiting of this.#waiting) {
      const { id, content } = waiting.found.record
      this.#check(waiting, position)
      if (position && content.type !== 'compaction') this.#nearest.set(id, position)
    }
    this.#waiting = []
  }

  #check({ found, log }: Waiting, actual: Position | null): void {
    const claimed = found.record.hints.compaction
    if (claimed === undefined || !this.#isOne(found.record.id)) return
    if (claimed && !this.#segments.has(claimed[0])) return
    if (claimed?.[0] !== actual?.[0] || claimed?.[1] !== actual?.[1]) this.#report(found, log)
  }

  /** Of several entries with one id nobody knows which of them is meant. */
  #isOne(id: string): boolean {
    return this.#ids.get(id)?.length === 1
  }
}
