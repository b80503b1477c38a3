import { contentField, type KeptUser } from '../entry-types.ts'
import type { Entry } from '../entry.ts'
import { hasFields } from '../formats/content-parts.ts'

/** What a compaction entry says, read with care: record() takes what it is given. */
export interface Checkpoint {
  readonly summary: string
  readonly firstKept: string | null | undefined
  readonly keptUsers: readonly KeptUser[]
  readonly keptSystem: readonly { readonly entryId: string; readonly message: unknown }[]
  readonly generation: number
}

/** Reads the content of a compaction. */
export function readCheckpoint(entry: Entry<never>): Checkpoint {
  const summary = contentField(entry, 'summary')
  const firstKept = contentField(entry, 'firstKeptEntryId')
  const generation = contentField(entry, 'generation')
  const followsAnother = typeof contentField(entry, 'previousCompactionId') === 'string'
  return {
    summary: typeof summary === 'string' ? summary.trim() : '',
    firstKept: typeof firstKept === 'string' || firstKept === null ? firstKept : undefined,
    keptUsers: keptIn(entry, 'keptUsers').flatMap(({ entryId, text }) =>
      typeof text === 'string' ? [{ entryId, text }] : [],
    ),
    keptSystem: keptIn(entry, 'keptSystem').flatMap(({ entryId, message }) =>
      message === undefined || message === null ? [] : [{ entryId, message }],
    ),
    generation: typeof generation === 'number' && generation > 0 ? generation : followsAnother ? 2 : 1,
  }
}

function keptIn(
  entry: Entry<never>,
  field: string,
): readonly { readonly entryId: string; readonly [field: string]: unknown }[] {
  const list = contentField(entry, field)
  if (!Array.isArray(list)) return []
  const seen = new Set<unknown>()
  return list.filter((kept) => {
    if (!hasFields(kept) || typeof kept['entryId'] !== 'string' || seen.has(kept['entryId'])) return false
    seen.add(kept['entryId'])
    return true
  })
}

/** The text by which a checkpoint is shown to the model, as a user's message. */
export function checkpointText(checkpoint: {
  readonly summary: string
  readonly keptUsers: readonly KeptUser[]
  /** Whether messages follow it. */
  readonly hasTail: boolean
}): string {
  const { summary, keptUsers, hasTail } = checkpoint
  const blocks = [hasTail ? INTRO_WITH_TAIL : INTRO_ALONE]
  if (keptUsers.length > 0) {
    const inputs = keptUsers.map(({ entryId, text }) => ({ entry_id: entryId, content: text }))
    // With no `<` of its own no input can close the block.
    const json = JSON.stringify(inputs, undefined, 2).replaceAll('<', '\\u003c')
    blocks.push(`<preserved_user_inputs>\n${KEPT_USERS}\n${json}\n</preserved_user_inputs>`)
  }
  blocks.push(`<compaction_summary schema="sessiontree.compaction.summary.v1">\n${summary}\n</compaction_summary>`)
  return blocks.join('\n\n')
}

const INTRO_WITH_TAIL =
  'The older part of this conversation was compacted. What follows in this message is historical context: do not answer it. ' +
  'The messages after it are newer and count where they differ.'
const INTRO_ALONE =
  'This conversation was compacted. What follows in this message is its current context; no messages are left beside it.'
const KEPT_USERS =
  'These are inputs of the user from the compacted part, word for word, oldest first. They tell what the user wants; those that the summary calls done are done.'
