import { ancestors, findLeaf, leafOf, type EntryReference } from './ancestry.ts'
import { checkIndex } from './check.ts'
import { ContextProjection, type Context, type ContextOptions } from './context.ts'
import { CONTROL_TYPES, type Entry } from './entry.ts'
import { readInherited } from './forks/inherited-path.ts'
import type { JournalRecord } from './records.ts'
import type { PathOptions, ReadOptions } from './session-options.ts'
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
  for await (const found of state.journal.records.forward(0, signal)) {
    const { type } = found.record.content
    if (type === 'lost' || !CONTROL_TYPES.has(type)) yield state.entry(found)
  }
}

/** Streams a path: see {@link Session.path}. */
export async function* readPath<Message>(
  state: SessionState<Message>,
  { leaf: end, last = Infinity, signal }: PathOptions,
): AsyncGenerator<Entry<Message>, void, void> {
  if (last !== Infinity) checkIndex(last, 'last')
  const shown = await state.look(signal)
  const path = await state.unlessMoved(async () => {
    const { records } = state.journal
    const leaf = end === undefined ? shown : leafOf(await state.find(end, signal))
    const newestFirst: JournalRecord[] = []
    if (leaf && last > 0) {
      for await (const found of ancestors(records, leaf, signal)) if (newestFirst.push(found) >= last) break
    }
    return newestFirst.toReversed()
  })
  for (const found of path) yield state.entry(found)
}

/** Projects the path to what the model is shown: see {@link Session.context}. */
export async function readContext<Message>(
  state: SessionState<Message>,
  options: ContextOptions & ReadOptions,
): Promise<Context<Message>> {
  const { signal } = options
  // Nobody but the turn adds to its path.
  if (state.turn?.holdsLeaf) return state.turn.path.context(options)
  const leaf = await state.look(signal)
  return state.unlessMoved(async () => {
    const projection = new ContextProjection(state.options.format, options)
    if (leaf) {
      for await (const found of ancestors(state.journal.records, leaf, signal)) {
        if (!projection.add(state.entry(found))) break
      }
    }
    return projection.build()
  })
}
