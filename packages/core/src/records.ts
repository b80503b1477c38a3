import { CONTROL_TYPES, type Position } from './entry.ts'
import type { Lineage } from './forks/lineage.ts'
import { decodeRecord, type RecordState, type SessionRecord } from './record.ts'
import type { Signal } from './runtime.ts'

/** A record with its text: the text is the truth, and is decoded anew for whoever gets it. */
export interface JournalRecord {
  readonly at: number
  readonly position: Position
  readonly text: string
  readonly record: SessionRecord
}

/** The records of one log, or those at its start. */
export interface RecordSource {
  readonly log: string
  readonly segment: number
  /** How many there are. */
  readonly length: number
  /** One record; undefined beyond the end. */
  at(index: number, signal?: Signal): Promise<JournalRecord | undefined>
  /** Throws if there is a better reason than damage, or than a caller's mistake, for something not to be there: a session that is gone. */
  vouch(): Promise<void>
  /** Those below index `to`, newest first. */
  backward(to: number, signal?: Signal): AsyncGenerator<JournalRecord, void, void>
}

/** The records of a session's own log, as far as somebody knows them, and those that its ancestors hand down. */
export interface Records extends RecordSource {
  /** What comes before the first one. */
  readonly lineage: Lineage
  /** What the last one leaves behind. */
  readonly state: RecordState
  /** The newest ones, as many as are in memory, oldest first. */
  recent(): readonly JournalRecord[]
}

/** Whether a record says where the leaf is, and does not just leave it where it was. */
export function decidesLeaf({ record }: JournalRecord): boolean {
  return record.content.type === 'leaf_move' || record.state.leaf?.id === record.id
}

/** Where the newest compaction lies on the path to an entry and with it; null: there is none. Undefined: nobody wrote it down. */
export function compactionOf({ record, position }: JournalRecord): Position | null | undefined {
  const { content, parentId, hints } = record
  if (CONTROL_TYPES.has(content.type)) return undefined
  if (content.type === 'compaction') return position
  return parentId === null ? null : hints.compaction
}

/** Decodes the text at an index of a log. */
export function journalRecord(log: string, segment: number, at: number, text: string): JournalRecord {
  const position = [segment, at] as const
  return { at, position, text, record: decodeRecord(text, position, log) }
}

/**
 * What a log will hold once the batch in the making is committed: whoever is encoded next sees what was encoded before, and
 * nobody else does.
 */
export class Draft implements Records {
  readonly #committed: Records
  readonly added: JournalRecord[] = []
  /** Whether the leaf is where one of the drafted calls put it. */
  ownsLeaf = false

  constructor(committed: Records) {
    this.#committed = committed
  }

  get log(): string {
    return this.#committed.log
  }

  get segment(): number {
    return this.#committed.segment
  }

  get lineage(): Lineage {
    return this.#committed.lineage
  }

  get length(): number {
    return this.#committed.length + this.added.length
  }

  get state(): RecordState {
    return this.added.at(-1)?.record.state ?? this.#committed.state
  }

  /** Puts texts behind what is there, and returns how they will read. */
  add(texts: readonly string[]): readonly JournalRecord[] {
    const next = this.length
    const records = texts.map((text, i) => journalRecord(this.log, this.segment, next + i, text))
    this.ownsLeaf ||= records.some(decidesLeaf)
    this.added.push(...records)
    return records
  }

  vouch(): Promise<void> {
    return this.#committed.vouch()
  }

  recent(): readonly JournalRecord[] {
    return this.added.length === 0 ? this.#committed.recent() : [...this.#committed.recent(), ...this.added]
  }

  async at(index: number, signal?: Signal): Promise<JournalRecord | undefined> {
    const own = this.added[index - this.#committed.length]
    return own ?? this.#committed.at(index, signal)
  }

  async *backward(to: number, signal?: Signal): AsyncGenerator<JournalRecord, void, void> {
    for (const record of this.added.toReversed()) if (record.at < to) yield record
    yield* this.#committed.backward(Math.min(to, this.#committed.length), signal)
  }
}
