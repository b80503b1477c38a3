import { findLeaf, type EntryReference } from './ancestry.ts'
import { CONTROL_TYPES, type Entry } from './entry.ts'
import { readInherited } from './forks/inherited-path.ts'
import type { ReadOptions } from './session-options.ts'
import type { SessionState } from './session-state.ts'

/** Reads the leaf: see {@link Session.leaf}. */
export async function readLeaf<Message>(
  state: SessionState<Message>,
  { signal }: ReadOptions,
): Promise<Entry<Message> | undefined> {
  const leaf = await state.look(signal)
  if (!leaf) return undefined
  return state.entry(await state.unlessMoved(() => findLeaf(state.journal.records, leaf, signal)))
}

/** Reads one entry: see {@link Session.entry}. */
export async function readEntry<Message>(
  state: SessionState<Message>,
  reference: EntryReference,
  { signal }: ReadOptions,
): Promise<Entry<Message>> {
  await state.journal.refresh(signal)
  return state.entry(await state.unlessMoved(() => state.find(reference, signal)))
}

/** Streams every entry: see {@link Session.entries}. */
export async function* readEntries<Message>(
  state: SessionState<Message>,
  { signal }: ReadOptions,
): AsyncGenerator<Entry<Message>, void, void> {
  await state.look(signal)
  for await (const found of readInherited(state, signal)) yield state.entry(found)
  for await (const found of state.journal.records.forward(0, undefined, signal)) {
    const { type } = found.record.content
    if (type === 'lost' || !CONTROL_TYPES.has(type)) yield state.entry(found)
  }
}
