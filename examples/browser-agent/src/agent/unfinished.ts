import type { Entry, RoleMessage } from '@sessiontree/core'
import { DRAFT } from './run-turn.ts'

/** What the interrupted turn at the end of a path had said of its answer; undefined if there is nothing of it. */
export function unfinishedAnswer(path: readonly Entry<RoleMessage>[]): string | undefined {
  const { turnId } = path.at(-1) ?? {}
  let text = ''
  for (const entry of path.toReversed()) {
    if (entry.turnId !== turnId) break
    const piece = draftPiece(entry)
    if (piece !== undefined) text = piece + text
    // A message came after the last draft: that answer is complete.
    else if (entry.type !== 'turn_marker' && entry.type !== 'run_failure') break
  }
  return text === '' ? undefined : text
}

/** The piece of an answer that an entry keeps; undefined for any other entry. */
export function draftPiece(entry: Entry<RoleMessage>): string | undefined {
  if (entry.type !== 'custom' || !('name' in entry) || entry.name !== DRAFT) return undefined
  const data = entry.data as { readonly text?: unknown } | undefined
  return typeof data?.text === 'string' ? data.text : undefined
}
