import { CONTROL_TYPES, type Entry } from './entry.ts'
import { CorruptError } from './errors.ts'
import type { Leaf } from './record.ts'
import type { JournalRecord, Records } from './records.ts'
import type { Signal } from './runtime.ts'

/** An entry's id, or the entry itself: it knows its position, which saves the search. */
export type EntryReference = string | Pick<Entry, 'id' | 'position'>

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

/** The record of an entry: where the reference says it lies, else by a search from the end; undefined if there is none. */
export async function findEntry(
  records: Records,
  reference: EntryReference,
  signal?: Signal,
): Promise<JournalRecord | undefined> {
  const id = idOf(reference)
  const isEntry = ({ record }: JournalRecord) => record.id === id && !CONTROL_TYPES.has(record.content.type)
  if (typeof reference !== 'string' && reference.position[0] === records.segment) {
    const found = await records.at(reference.position[1], signal)
    if (found && isEntry(found)) return found
  }
  for await (const found of records.backward(records.length, signal)) if (isEntry(found)) return found
  return undefined
}

/** The record of a leaf, or the `lost` record that a repair left in its place. */
export async function findLeaf(records: Records, leaf: Leaf, signal?: Signal): Promise<JournalRecord> {
  const found = await findEntry(records, leaf, signal)
  if (found) return found
  const [segment, at] = leaf.position
  const there = segment === records.segment ? await records.at(at, signal) : undefined
  if (there?.record.content.type === 'lost') return there
  throw await brokenReference(records, leaf.id)
}

/**
 * Streams a leaf's record and its ancestors, newest first.
 *
 * A parent lies where the child's hint says, or right before the child; elsewhere it is searched for, below the child only, so that no
 * damage makes the chain endless. Where a repair left a `lost` record in the parent's place, that one is streamed, and the path
 * goes on with the leaf before the gap.
 */
export async function* ancestors(
  records: Records,
  leaf: Leaf,
  signal?: Signal,
): AsyncGenerator<JournalRecord, void, void> {
  let child = await findLeaf(records, leaf, signal)
  yield child
  for (let parent = parentOf(child); parent; parent = parentOf(child)) {
    const start: JournalRecord = child
    let next: ExpectedParent | undefined = parent
    for await (const found of records.backward(parent.at + 1, signal)) {
      if (found.at > next.at) continue
      if (!isParent(found, next)) break
      yield found
      child = found
      next = parentOf(found)
      if (!next || next.at < found.at - WORTH_A_NEW_READ) break
    }
    if (child !== start) continue
    child = await searchParent(records, start, parent, signal)
    yield child
  }
}

/** What comes before a record on its path, and where it most likely lies. */
interface ExpectedParent {
  readonly id: string
  readonly at: number
}

function parentOf({ at, record }: JournalRecord): ExpectedParent | undefined {
  const { leaf } = record.state
  const isLost = record.content.type === 'lost'
  const id = isLost ? leaf?.id : record.parentId
  if (id === undefined || id === null) return undefined
  const hint = isLost ? leaf?.position[1] : record.hints.parent?.[1]
  return { id, at: hint !== undefined && hint < at ? hint : at - 1 }
}

function isParent({ at, record }: JournalRecord, parent: ExpectedParent): boolean {
  return record.id === parent.id || (record.content.type === 'lost' && at === parent.at)
}

async function searchParent(
  records: Records,
  child: JournalRecord,
  parent: ExpectedParent,
  signal: Signal | undefined,
): Promise<JournalRecord> {
  for await (const found of records.backward(child.at, signal)) {
    if (isParent(found, parent)) return found
  }
  throw await brokenReference(records, parent.id)
}

/** The error for a record that names another which the log does not hold. */
export async function brokenReference(records: Records, id: string): Promise<CorruptError> {
  await records.vouch()
  const { log } = records
  return new CorruptError(
    `Log ${log} refers to entry ${JSON.stringify(id)}, which it does not hold; verify() reports all damage.`,
    { log },
  )
}
