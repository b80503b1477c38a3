import { findEntry, type EntryReference } from '../ancestry.ts'
import { encodeEntry, entryIds, entryTime, parentFrom } from '../append.ts'
import type { Entry, Position } from '../entry.ts'
import { checkLabel } from '../check-label.ts'
import { contentHash } from '../record.ts'
import type { Draft } from '../records.ts'
import type { SessionState } from '../session-state.ts'
import type { Signal } from '../runtime.ts'

/** Options of {@link Session.label}. */
export interface LabelOptions {
  /** As for {@link Session.append}. */
  readonly signal?: Signal | undefined
}

/** Puts a label on an entry: see {@link Session.label}. */
export async function labelEntry<Message>(
  state: SessionState<Message>,
  target: EntryReference,
  label: string | null,
  { signal }: LabelOptions,
): Promise<Entry<Message>> {
  if (label !== null) checkLabel(label)
  const [id = ''] = entryIds(1, undefined, state.options)
  const createdAt = entryTime(undefined, state.options.clock)
  const encode = async (draft: Draft, fresh: boolean) => {
    const found = await findEntry(draft, target)
    if (!found) {
      if (!fresh) return undefined
      throw await state.notFound(target)
    }
    const content = { type: 'label', target: found.record.id, label }
    const { state: before } = draft
    const position: Position = [draft.segment, draft.length]
    const parent = parentFrom(found)
    const hash = contentHash(content)
    return [encodeEntry({ id, createdAt, content, hash, parent, leaf: before.leaf, state: before, position }).text]
  }
  const [stored] = await state.journal.append(encode, { ids: [id], signal })
  if (!stored) throw new Error('an append with a record resolves with it')
  return state.entry(stored)
}
