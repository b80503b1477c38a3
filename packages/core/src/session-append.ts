import { findEntry, leafOf, type EntryReference } from './ancestry.ts'
import {
  checkAppendOptions,
  encodeChain,
  encodeEntry,
  entryIds,
  entryTime,
  findParent,
  findStored,
  newChain,
  type AppendOptions,
  type Parent,
} from './append.ts'
import { CONTROL_TYPES, type Entry, type Position } from './entry.ts'
import { ConflictError } from './errors.ts'
import { contentHash, type RecordContent } from './record.ts'
import type { Draft, JournalRecord } from './records.ts'
import type { MoveOptions } from './session-options.ts'
import type { SessionState } from './session-state.ts'
import type { Shown } from './shown-leaf.ts'

/** What calls that go to the leaf have in common: each goes where the one before it leaves the leaf. */
const LEAF = 'leaf'

/** Appends entries behind one another: see {@link Session.append}. With `ifLeaf` only if that is the leaf, else `CONFLICT`. */
export async function appendEntries<Message>(
  state: SessionState<Message>,
  contents: readonly RecordContent[],
  options: AppendOptions,
  ifLeaf?: string | null,
): Promise<readonly Entry<Message>[]> {
  checkAppendOptions(options)
  if (contents.length === 0) return []
  const { parent, onConflict = 'reject', ifAbsent, leaf = 'take', force = false, signal } = options
  const chain = newChain(contents, options, state.options)
  const shown = state.shown.now
  const recognise = options.id !== undefined

  let known: readonly JournalRecord[] | undefined
  const encode = async (draft: Draft, fresh: boolean) => {
    known = undefined
    const found = recognise
      ? await findStored(draft, chain, { wholeLog: ifAbsent === 'whole-log', fresh, session: state.id })
      : undefined
    if (found === 'look again') return undefined
    known = found
    if (known) return []
    assertLeaf(state, draft, ifLeaf)
    // What this handle itself is about to append conflicts with nobody.
    const isShown = parent !== undefined || draft.ownsLeaf
    const follows = isShown || onConflict !== 'fork' ? parent : shown.leaf
    const before = await findParent(draft, follows, { fresh, session: state.id })
    if (before === 'look again') return undefined
    const kept =
      force || draft.state.turn === null
        ? false
        : await besideTurn(state, draft, {
            parent: before,
            isLeaf: follows === undefined || ifLeaf !== undefined,
            fresh,
          })
    if (kept === 'look again') return undefined
    if (!isShown && onConflict === 'reject' && !state.shown.isCurrent(shown, state.journal.records)) {
      // Whoever moved the leaf may have stored these entries behind it.
      if (recognise && !fresh) return undefined
      throw missedError(state, shown)
    }
    return encodeChain(draft, before, { ...chain, leaf: kept ? 'keep' : leaf })
  }
  const stored = await state.journal.append(encode, {
    ids: chain.ids,
    stored: (records) => state.shown.wrote(shown, records),
    recognise,
    follows: parent === undefined ? LEAF : undefined,
    leads: leaf === 'take' ? LEAF : undefined,
    signal,
  })
  return (known ?? stored).map((found) => state.entry(found))
}

/**
 * Whether entries behind `parent` have to leave the leaf where it is, because a turn is open on another branch.
 *
 * @throws {ActiveTurnError} if they would go to the turn's own branch.
 */
async function besideTurn<Message>(
  state: SessionState<Message>,
  draft: Draft,
  { parent, isLeaf, fresh }: { readonly parent: Parent | null; readonly isLeaf: boolean; readonly fresh: boolean },
): Promise<boolean | 'look again'> {
  const { turn } = draft.state
  if (turn === null) return false
  if (!isLeaf && parent?.turnId !== turn) return true
  // It may have ended by now.
  if (!fresh) return 'look again'
  throw await held(state, draft)
}

/** Moves the leaf: see {@link Session.moveTo}. With `ifLeaf` only if that is the leaf, else `CONFLICT`. */
export async function moveLeaf<Message>(
  state: SessionState<Message>,
  target: EntryReference | null,
  { force = false, signal }: MoveOptions,
  ifLeaf?: string | null,
): Promise<void> {
  const [id] = entryIds(1, undefined, state.options)
  const createdAt = entryTime(undefined, state.options.clock)
  const shown = state.shown.now
  const encode = async (draft: Draft, fresh: boolean) => {
    if (draft.state.turn !== null && !force) {
      if (!fresh) return undefined
      throw await held(state, draft)
    }
    assertLeaf(state, draft, ifLeaf)
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
    leads: LEAF,
    signal,
  })
}

/** Throws a `TypeError` for what is no type of entry, and for the types that belong to the journal. */
export function assertEntryType({ type }: { readonly type: unknown }): void {
  if (typeof type === 'string' && type !== '' && !CONTROL_TYPES.has(type)) return
  throw new TypeError(`type: ${JSON.stringify(type)} is not a type of entry`)
}

function assertLeaf<Message>(state: SessionState<Message>, draft: Draft, ifLeaf: string | null | undefined): void {
  if (ifLeaf === undefined || (draft.state.leaf?.id ?? null) === ifLeaf) return
  throw new ConflictError(`The leaf of session ${JSON.stringify(state.id)} was moved meanwhile.`)
}

function missedError<Message>(state: SessionState<Message>, shown: Shown): ConflictError {
  const entries = state.shown.missed(shown, state.journal.records).map((found) => state.entry(found))
  return new ConflictError(
    `Another writer moved the leaf of session ${JSON.stringify(state.id)}, with ${entries.length} new entries. Look at them ` +
      '(error.entries), then append again, or pass onConflict: "rebase" or a parent.',
    { entries },
  )
}

/** Why a call that an open turn keeps off is rejected. */
async function held<Message>(state: SessionState<Message>, draft: Draft): Promise<Error> {
  return (await import('./parts/conversation.ts')).activeTurnError(state, draft.state)
}
