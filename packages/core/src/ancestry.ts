import type { Entry } from './entry.ts'
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

/** The record of a reference: where it says it lies, else by a search from the end; undefined if there is none. */
export async function findRecord(journal: Journal, reference: EntryReference): Promise<JournalRecord | undefined> {
  const id = idOf(reference)
  if (typeof reference !== 'string' && reference.position[0] === journal.segment) {
    const found = await journal.at(reference.position[1])
    if (found?.record.id === id) return found
  }
  for await (const found of journal.backward(journal.length)) if (found.record.id === id) return found
  return undefined
}

/**
 * Streams a leaf's record and its ancestors, newest first.
 *
 * Each parent is looked for below its child only: no damage can make the chain endless.
 */
export async function* ancestors(journal: Journal, leaf: Leaf): AsyncGenerator<JournalRecord, void, void> {
  let child = await findRecord(journal, leaf)
  if (!child) throw brokenReference(journal, leaf.id)
  yield child
  let trusted = true
  while (child.record.parentId !== null) {
    const { at, record }: JournalRecord = child
    const hint: number | undefined = trusted ? record.hints.parent?.[1] : undefined
    const to: number = hint !== undefined && hint < at ? hint + 1 : at
    for await (const found of journal.backward(to)) {
      if (found.record.id !== child.record.parentId) continue
      yield found
      child = found
      const next = found.record.hints.parent?.[1]
      if (found.record.parentId === null || (next !== undefined && next < found.at - WORTH_A_NEW_READ)) break
    }
    trusted = child.at !== at
    // Not where the hint says: everything below is searched once, then there is no such record.
    if (!trusted && to === at) throw brokenReference(journal, record.parentId ?? '')
  }
}

/** The error for a record that names another which the log does not hold. */
export function brokenReference(journal: Journal, id: string): CorruptError {
  const { log } = journal
  return new CorruptError(`Log ${log} refers to entry ${JSON.stringify(id)}, which it does not hold.`, { log })
}
