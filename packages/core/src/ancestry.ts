import { CONTROL_TYPES, type Entry } from './entry.ts'
import { CorruptError } from './errors.ts'
import type { Journal, JournalRecord } from './journal.ts'
import type { Leaf } from './record.ts'

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
export async function findEntry(journal: Journal, reference: EntryReference): Promise<JournalRecord | undefined> {
  const id = idOf(reference)
  const isEntry = ({ record }: JournalRecord) => record.id === id && !CONTROL_TYPES.has(record.content.type)
  if (typeof reference !== 'string' && reference.position[0] === journal.segment) {
    const found = await journal.at(reference.position[1])
    if (found && isEntry(found)) return found
  }
  for await (const found of journal.backward(journal.length)) if (isEntry(found)) return found
  return undefined
}

/**
 * Streams a leaf's record and its ancestors, newest first.
 *
 * A parent lies where the child's hint says, or right before the child; elsewhere it is searched for, below the child only, so that no
 * damage makes the chain endless.
 */
export async function* ancestors(journal: Journal, leaf: Leaf): AsyncGenerator<JournalRecord, void, void> {
  let child = await findEntry(journal, leaf)
  if (!child) throw brokenReference(journal, leaf.id)
  yield child
  while (child.record.parentId !== null) {
    const start: JournalRecord = child
    for await (const found of journal.backward(expectedParent(child) + 1)) {
      const expected = expectedParent(child)
      if (found.at > expected) continue
      if (found.record.id !== child.record.parentId) break
      yield found
      child = found
      if (found.record.parentId === null || expectedParent(found) < found.at - WORTH_A_NEW_READ) break
    }
    if (child !== start) continue
    const found = await searchParent(journal, child)
    yield found
    child = found
  }
}

function expectedParent({ at, record }: JournalRecord): number {
  const hint = record.hints.parent?.[1]
  return hint !== undefined && hint < at ? hint : at - 1
}

async function searchParent(journal: Journal, child: JournalRecord): Promise<JournalRecord> {
  for await (const found of journal.backward(child.at)) {
    if (found.record.id === child.record.parentId) return found
  }
  throw brokenReference(journal, child.record.parentId ?? '')
}

/** The error for a record that names another which the log does not hold. */
export function brokenReference(journal: Journal, id: string): CorruptError {
  const { log } = journal
  return new CorruptError(`Log ${log} refers to entry ${JSON.stringify(id)}, which it does not hold.`, { log })
}
