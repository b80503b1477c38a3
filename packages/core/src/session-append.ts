import { findEntry, leafOf, type EntryReference } from './ancestry.ts'
import { encodeChain, encodeEntry, entryIds, entryTime, findParent, findStored, type AppendOptions } from './append.ts'
import { CONTROL_TYPES, type Entry, type Position } from './entry.ts'
import { ConflictError } from './errors.ts'
import { parseJson } from './parse-json.ts'
import { contentHash, type RecordContent } from './record.ts'
import type { Draft, JournalRecord } from './records.ts'
import type { MoveOptions } from './session-options.ts'
import type { SessionState } from './session-state.ts'
import type { Shown } from './shown-leaf.ts'

/** Appends entries behind one another: see {@link Session.append}. */
export async function appendEntries<Message>(
  state: SessionState<Message>,
  contents: readonly RecordContent[],
  options: AppendOptions,
): Promise<readonly Entry<Message>[]> {
  if (contents.length === 0) return []
  const { parent, onConflict = 'reject', ifAbsent, signal } = options
  const ids = entryIds(contents.length, options.id, state.options)
  const createdAt = entryTime(options.createdAt, state.options.clock)
  // Copied before anything is awaited: the caller may change its objects at once.
  for (const content of contents) contentHash(content)
  const copies = contents.map((content) => parseJson(JSON.stringify(content)) as RecordContent)
  const hashes = copies.map(contentHash)
  const shown = state.shown.now
  const recognise = options.id !== undefined

  let known: readonly JournalRecord[] | undefined
  const encode = async (draft: Draft, fresh: boolean) => {
    const sought = { wholeLog: ifAbsent === 'whole-log', session: state.id }
    known = recognise ? await findStored(draft, { ids, hashes }, sought) : undefined
    if (known) return []
    // What this handle itself is about to append conflicts with nobody.
    if (parent === undefined && onConflict === 'reject' && !draft.ownsLeaf) assertShown(state, shown)
    const before = await findParent(draft, parent, { fresh, session: state.id })
    if (before === 'look again') return undefined
    return encodeChain(draft, before, { ids, createdAt, contents: copies, hashes })
  }
  const stored = await state.journal.append(encode, {
    ids,
    stored: (records) => state.shown.wrote(shown, records),
    recognise,
    follows: parent === undefined,
    takesLeaf: true,
    signal,
  })
  return (known ?? stored).map((found) => state.entry(found))
}

/** Moves the leaf: see {@link Session.moveTo}. */
export async function moveLeaf<Message>(
  state: SessionState<Message>,
  target: EntryReference | null,
  { signal }: MoveOptions,
): Promise<void> {
  const [id] = entryIds(1, undefined, state.options)
  const createdAt = entryTime(undefined, state.options.clock)
  const shown = state.shown.now
  const encode = async (draft: Draft, fresh: boolean) => {
    const found = target === null ? undefined : await findEntry(draft, target)
    if (target !== null && !found) {
      if (!fresh) return undefined
      throw await state.notFound(target)
    }
    const leaf = found ? leafOf(found) : null
    if (leaf?.id === draft.state.leaf?.id) {
      if (!fresh && !draft.ownsLeaf) return undefined
      state.shown.agreed(shown, state.journal.records)
      return []
    }
    const content = { type: 'leaf_move', target: leaf?.id ?? null }
    const hash = contentHash(content)
    const position: Position = [draft.segment, draft.length]
    const { state: before } = draft
    return [encodeEntry({ id: String(id), createdAt, content, hash, parent: null, leaf, state: before, position }).text]
  }
  await state.journal.append(encode, {
    ids: [String(id)],
    stored: (records) => state.shown.wrote(shown, records),
    takesLeaf: true,
    signal,
  })
}

/** Throws a `TypeError` for what is no type of entry, and for the types that belong to the journal. */
export function assertEntryType({ type }: { readonly type: unknown }): void {
  if (typeof type === 'string' && type !== '' && !CONTROL_TYPES.has(type)) return
  throw new TypeError(`type: ${JSON.stringify(type)} is not a type of entry`)
}

function assertShown<Message>(state: SessionState<Message>, shown: Shown): void {
  const entries = state.shown.missed(shown, state.journal.records)?.map((found) => state.entry(found))
  if (!entries) return
  throw new ConflictError(
    `Another writer moved the leaf of session ${JSON.stringify(state.id)}, with ${entries.length} new entries. Look at them ` +
      '(error.entries), then append again, or pass onConflict: "rebase" or a parent.',
    { entries },
  )
}
