import type { StorageAdapter } from '../adapter.ts'
import { inherited } from '../ancestry.ts'
import { utf8Length } from '../check.ts'
import { SessionError } from '../errors.ts'
import type { Leaf, RecordState } from '../record.ts'
import type { JournalRecord } from '../records.ts'
import { AncestorLog } from './ancestor-log.ts'

/**
 * What a fork sees of one log of an ancestor: the path that ends with entry `tip` at index `upTo`, and nothing else. Everything at or
 * below `upTo` never changes, and is never dropped while a live session names it.
 */
export type LineageSegment = {
  /** The session whose log it is: an ancestor; the fork itself, where it got a copy because an ancestor was deleted. */
  readonly session: string
  readonly log: string
  /** The number that positions in this log have. */
  readonly segment: number
  readonly upTo: number
  readonly tip: string
}

/** The logs of a session's ancestors, oldest first. */
export class Lineage {
  readonly segments: readonly LineageSegment[]
  readonly logs: readonly AncestorLog[]
  /** What the session's own log starts from. */
  readonly state: RecordState
  #recent: readonly JournalRecord[] | undefined

  /** `vouch` throws if the session's document names other logs by now, or none. */
  constructor(adapter: StorageAdapter, segments: readonly LineageSegment[], vouch: () => Promise<void>) {
    this.segments = segments
    this.logs = segments.map((segment) => new AncestorLog(adapter, segment, vouch))
    const leaf = this.logs.at(-1)?.tip ?? null
    this.state = Object.freeze({ leaf, epoch: 0, turn: null })
  }

  /** The newest records of the path that {@link recall} has read, newest first. */
  get recent(): readonly JournalRecord[] {
    return this.#recent ?? []
  }

  /** Reads the end of the path once, so far that ids are recognised. Damage behind it is reported to whoever reads that far. */
  async recall(limit: { readonly records: number; readonly bytes: number }): Promise<void> {
    if (this.#recent || this.logs.length === 0) return
    const recent: JournalRecord[] = []
    let bytes = 0
    try {
      for await (const found of inherited(this.logs)) {
        bytes += utf8Length(found.text)
        if (recent.push(found) >= limit.records || bytes >= limit.bytes) break
      }
    } catch (error) {
      if (!SessionError.is(error, 'CORRUPT')) throw error
    }
    this.#recent = recent
  }
}

/** The state that a session's log starts from: the end of what its ancestors hand down, and no turn. */
export function initialState(segments: readonly LineageSegment[] = []): RecordState {
  const last = segments.at(-1)
  return { leaf: last ? tipOf(last) : null, epoch: 0, turn: null }
}

/** The entry that a segment ends with. */
export function tipOf({ tip, segment, upTo }: LineageSegment): Leaf {
  return { id: tip, position: [segment, upTo] }
}

/** Whether two lineages name the same logs in the same way. */
export function isSameLineage(one: readonly LineageSegment[] = [], other: readonly LineageSegment[] = []): boolean {
  return (
    one.length === other.length &&
    one.every(({ log, segment, upTo, tip }, i) => {
      const same = other[i] as LineageSegment
      return log === same.log && segment === same.segment && upTo === same.upTo && tip === same.tip
    })
  )
}

/** The sessions on which a lineage depends, each once; not the session itself. */
export function ancestorsOf(segments: readonly LineageSegment[] = [], self: string): readonly string[] {
  return [...new Set(segments.map(({ session }) => session))].filter((session) => session !== self)
}
