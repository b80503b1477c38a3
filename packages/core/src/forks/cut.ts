import { chainOf, findEntry, findLeaf, idOf, pathFrom, type EntryReference } from '../ancestry.ts'
import { CONTROL_TYPES } from '../entry.ts'
import type { JournalRecord } from '../records.ts'
import type { SessionState } from '../session-state.ts'
import type { ForkOptions } from './fork-session.ts'
import { ancestorsOf, type LineageSegment } from './lineage.ts'

/** Where a fork leaves its source. */
export interface Cut {
  /** The last entry that they share; null if there is none. */
  readonly entry: string | null
  /** What the fork sees of its ancestors' logs. */
  readonly lineage: readonly LineageSegment[]
  /** The sessions whose logs these are, but those of the fork itself. */
  readonly ancestors: readonly string[]
}

/** Finds the entry at which a fork leaves its source: as the handle knows it, looking only where it has to. */
export async function findCut<Message>(
  state: SessionState<Message>,
  options: Pick<ForkOptions, 'at' | 'before' | 'signal'>,
): Promise<Cut> {
  const last = await state.unlessMoved(() => findLast(state, options))
  if (!last) return { entry: null, lineage: [], ancestors: [] }
  const lineage = cutAt(state, last)
  return { entry: last.record.id, lineage, ancestors: ancestorsOf(lineage, '') }
}

async function findLast<Message>(
  state: SessionState<Message>,
  { at, before, signal }: Pick<ForkOptions, 'at' | 'before' | 'signal'>,
): Promise<JournalRecord | undefined> {
  const { journal } = state
  const named = at ?? before
  if (named === undefined) {
    const leaf = await state.look(signal)
    return leaf ? findLeaf(journal.records, leaf, signal) : undefined
  }
  // What the handle knows of stays where it is: no need to look.
  let found = findRecent(state, named)
  if (!found) {
    await journal.refresh(signal)
    found = await findEntry(journal.records, named, signal)
  }
  if (!found) throw await state.notFound(named)
  if (at !== undefined) return found
  const path = pathFrom(chainOf(journal.records), found, signal)
  await path.next()
  const { value: parent } = await path.next()
  await path.return()
  return parent ?? undefined
}

/** The record of an entry that is in memory. */
function findRecent<Message>(state: SessionState<Message>, reference: EntryReference): JournalRecord | undefined {
  const id = idOf(reference)
  return state.journal.records
    .recent()
    .findLast(({ record }) => record.id === id && !CONTROL_TYPES.has(record.content.type))
}

/** What a session hands down to a fork that begins behind a record. */
function cutAt<Message>(
  state: SessionState<Message>,
  { at, position, record }: JournalRecord,
): readonly LineageSegment[] {
  const { lineage = [], id, segment } = state.document
  const end = { upTo: at, tip: record.id }
  const rank = lineage.findIndex((one) => one.segment === position[0])
  if (rank < 0) return [...lineage, { session: id, log: state.log(), segment, ...end }]
  return [...lineage.slice(0, rank), { ...(lineage[rank] as LineageSegment), ...end }]
}
