import { idOf, type EntryReference } from '../ancestry.ts'
import { checkLabel } from '../check-label.ts'
import type { Entry } from '../entry.ts'
import { SessionError } from '../errors.ts'
import type { Signal } from '../runtime.ts'
import { appendEntries } from '../session-append.ts'
import type { SessionState } from '../session-state.ts'

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
  const content = { type: 'label', target: idOf(target), label }
  try {
    const [entry] = await appendEntries(state, [content], { parent: target, leaf: 'keep', force: true, signal })
    return entry as Entry<Message>
  } catch (error) {
    throw SessionError.is(error, 'INVALID_PARENT') ? await state.notFound(target) : error
  }
}
