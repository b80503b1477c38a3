import { CONTROL_TYPES, type Entry } from './entry.ts'
import { CorruptError } from './errors.ts'
import type { Leaf } from './record.ts'
import type { JournalRecord, Records, RecordSource } from './records.ts'
import type { Signal } from './runtime.ts'

/** An entry's id, or the entry itself: it knows its position, which saves the search. */
export type EntryReference = string | Pick<Entry, 'id' | 'position'>

/** One of the logs that hold what a session shows. */
export interface ChainLog extends RecordSource {
  /** Of an ancestor's log: the entry from which the next log goes on. */
  readonly tip?: Leaf
  /** Whether each of its records follows the one before it. */
  readonly isPath?: boolean
}

/** The logs of a session, the oldest ancestor's first. */
export type LogChain = readonly ChainLog[]

// Reading on backwards is cheaper than a new read, up to about this many records.
const WORTH_A_NEW_READ = 256

/** The id that a reference stands for. */
export function idOf(reference: EntryReference): string {
  return typeof reference === 'string' ? reference : reference.id
}

/** The leaf that a record is. */
export function leafOf({ record, position }: JournalRecord): Leaf {
  return { id: record.id, position }
}

/** The logs of a session: those of its ancestors, then its own. */
export function chainOf(records: Records): LogChain {
  return [...records.lineage.logs, records]
}

/**
 * The record of an entry: where the reference says it lies, else by a search from the end; undefined if there is none.
 *
 * Of an ancestor only the path counts: whatever else its log holds is not in this session.
 */
export async function findEntry(
  records: Records,
  reference: EntryReference,
  signal?: Signal,
): Promise<JournalRecord | undefined> {
  const id = idOf(reference)
  const isEntry = ({ record }: JournalRecord) => record.id === id && !CONTROL_TYPES.has(record.content.type)
  if (typeof reference !== 'string') {
    const [segment, at] = reference.position
    if (segment === records.segment) {
      const found = await records.at(at, signal)
      if (found && isEntry(found)) return found
    } else if (records.lineage.logs.some((log) => log.segment === segment)) {
      // Most likely on the path: then it is met before anything below it.
      for await (const found of inherited(records.lineage.logs, signal)) {
        if (isEntry(found)) return found
        if (found.position[0] === segment && found.at <= at) break
      }
    }
  }
  for await (const found of records.backward(records.length, signal)) if (isEntry(found)) return found
  for await (const found of inherited(records.lineage.logs, signal)) if (isEntry(found)) return found
  return undefined
}

/** The record of a leaf, or the `lost` record that a repair left in its place. */
export function findLeaf(records: Records, leaf: Leaf, signal?: Signal): Promise<JournalRecord> {
  return findTip(chainOf(records), leaf, signal)
}

/** Streams a leaf's record and its ancestors, newest first: see {@link pathFrom}. */
export async function* ancestors(
  records: Records,
  leaf: Leaf,
  signal?: Signal,
): AsyncGenerator<JournalRecord, void, void> {
  yield* pathFrom(chainOf(records), await findLeaf(records, leaf, signal), signal)
}

/** Streams what a chain of logs hands down, newest first: the path to the end of the last one. */
export async function* inherited(chain: LogChain, signal?: Signal): AsyncGenerator<JournalRecord, void, void> {
  const tip = chain.at(-1)?.tip
  if (tip) yield* pathFrom(chain, await findTip(chain, tip, signal), signal)
}

/**
 * Streams a record and its ancestors, newest first.
 *
 * A parent lies where the child's hint says, or right before the child; before the first record of a log at the end of the log before. Elsewhere it
 * is searched for, below the child only, so that no damage makes the path endless. Where a repair left a `lost` record in the parent's place, that
 * one is streamed, and the path goes on with the leaf before the gap.
 */
export async function* pathFrom(
  chain: LogChain,
  start: JournalRecord,
  signal?: Signal,
): AsyncGenerator<JournalRecord, void, void> {
  let child = start
  yield child
  for (let parent = parentOf(chain, child); parent; parent = parentOf(chain, child)) {
    const last: JournalRecord = child
    const { log } = parent
    let next: ExpectedParent | undefined = parent
    for await (const found of log.backward(parent.at + 1, signal)) {
      if (found.at > next.at) continue
      if (!isParent(found, next)) break
      yield found
      child = found
      next = parentOf(chain, found)
      if (!next || next.log !== log || next.at < found.at - WORTH_A_NEW_READ) break
    }
    if (child !== last) continue
    child = await searchParent(chain, last, parent, signal)
    yield child
  }
}

/** Whether a record lies before another one, in the same log or in an older one. */
export function isBefore(records: Records, one: JournalRecord, other: JournalRecord): boolean {
  const chain = chainOf(records)
  const [rank, otherRank] = [rankOf(chain, one.position[0]), rankOf(chain, other.position[0])]
  return rank < otherRank || (rank === otherRank && one.at < other.at)
}

/** The error for a record that names another which its session does not hold. */
export async function brokenReference(source: RecordSource, id: string): Promise<CorruptError> {
  await source.vouch()
  const { log } = source
  return new CorruptError(
    `Log ${log} refers to entry ${JSON.stringify(id)}, which it does not hold; verify() reports all damage.`,
    { log },
  )
}

/** What comes before a record on its path, and where it most likely lies. */
interface ExpectedParent {
  readonly id: string
  readonly log: ChainLog
  readonly at: number
  /** Whether its child says that it lies in another log. */
  readonly isElsewhere: boolean
}

function parentOf(chain: LogChain, { at, position, record }: JournalRecord): ExpectedParent | undefined {
  const { leaf } = record.state
  const isLost = record.content.type === 'lost'
  const id = isLost ? leaf?.id : record.parentId
  if (id === undefined || id === null) return undefined
  const rank = rankOf(chain, position[0])
  const log = chain[rank] as ChainLog
  const before = chain[rank - 1]
  const hint = isLost ? leaf?.position : record.hints.parent
  const isElsewhere = hint !== undefined && hint[0] !== log.segment
  if (hint && !isElsewhere && hint[1] < at) return { id, log, at: hint[1], isElsewhere }
  const named = isElsewhere ? chain.slice(0, rank).find(({ segment }) => segment === hint[0]) : undefined
  if (named && hint && hint[1] < named.length) return { id, log: named, at: hint[1], isElsewhere }
  // Positions of a log that is gone, in a copy of a path or behind one.
  const isAtEnd = before !== undefined && (at === 0 || (isElsewhere && !log.isPath))
  return isAtEnd ? { id, log: before, at: before.length - 1, isElsewhere } : { id, log, at: at - 1, isElsewhere }
}

function isParent({ at, position, record }: JournalRecord, parent: ExpectedParent): boolean {
  const isExpected = at === parent.at && position[0] === parent.log.segment
  return record.id === parent.id || (record.content.type === 'lost' && isExpected)
}

async function searchParent(
  chain: LogChain,
  child: JournalRecord,
  parent: ExpectedParent,
  signal: Signal | undefined,
): Promise<JournalRecord> {
  const rank = rankOf(chain, child.position[0])
  const log = chain[rank] as ChainLog
  const here = () => log.backward(child.at, signal)
  const older = () => inherited(chain.slice(0, rank), signal)
  for (const records of parent.isElsewhere ? [older, here] : [here, older]) {
    for await (const found of records()) if (isParent(found, parent)) return found
  }
  throw await brokenReference(log, parent.id)
}

/** The record of a leaf that a record or lineage names, or the `lost` record in its place. */
async function findTip(chain: LogChain, leaf: Leaf, signal: Signal | undefined): Promise<JournalRecord> {
  const [segment, at] = leaf.position
  const log = chain.find((one) => one.segment === segment)
  const found = await log?.at(at, signal)
  const isEntry = ({ record }: JournalRecord) => record.id === leaf.id && !CONTROL_TYPES.has(record.content.type)
  if (found && isEntry(found)) return found
  const own = chain.at(-1) as ChainLog
  const here = () => own.backward(own.length, signal)
  const older = () => inherited(chain.slice(0, -1), signal)
  for (const records of segment === own.segment ? [here, older] : [older, here]) {
    for await (const record of records()) if (isEntry(record)) return record
  }
  if (found?.record.content.type === 'lost') return found
  throw await brokenReference(own, leaf.id)
}

function rankOf(chain: LogChain, segment: number): number {
  return chain.findIndex((log) => log.segment === segment)
}
