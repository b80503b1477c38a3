import { encodeEntry, parentFrom, survivingLeaf, type Parent } from '../append.ts'
import type { Position } from '../entry.ts'
import { contentHash, type RecordContent } from '../record.ts'
import type { Draft, JournalRecord } from '../records.ts'
import type { SessionState } from '../session-state.ts'
import { unknownCalls, type UnknownCall } from './unknown-calls.ts'

/** A turn that was left open by whoever ran it, and was closed for it. */
export interface RecoveredTurn {
  readonly turnId: string
  /** Its tool calls without a result. Whether they were carried out, nobody can tell but the tools. */
  readonly unknownCalls: readonly UnknownCall[]
}

/** The records that close an open turn. */
export interface ClosingRecords {
  readonly texts: readonly string[]
  /** The last of them. */
  readonly end: Parent
  /** Whether they took the leaf, because it was the turn's. */
  readonly tookLeaf: boolean
  readonly recovered: RecoveredTurn
}

/** What {@link closeOpenTurn} needs. */
export interface Closing {
  readonly turnId: string
  /** The epoch that the records carry: of whoever closes the turn. */
  readonly epoch: number
  readonly createdAt: string
  /** Of the failure and the marker. */
  readonly ids: readonly [string, string]
}

const FAILURE = 'The turn was interrupted: whoever ran it is gone, or another turn took over.'

/** Encodes what ends a turn that was left open: a failure and an `aborted` marker that says `recoverable`, behind its last entry. */
export async function closeOpenTurn<Message>(
  state: SessionState<Message>,
  draft: Draft,
  { turnId, epoch, createdAt, ids }: Closing,
): Promise<ClosingRecords> {
  const leaf = await survivingLeaf(draft)
  const tookLeaf = leaf?.record.turnId === turnId
  const last = tookLeaf ? leaf : ((await lastOf(draft, turnId)) ?? leaf)
  const contents: readonly RecordContent[] = [
    { type: 'run_failure', error: FAILURE },
    { type: 'turn_marker', status: 'aborted', metadata: { recoverable: true } },
  ]
  let parent = last && parentFrom(last)
  const texts = contents.map((content, i) => {
    const position: Position = [draft.segment, draft.length + i]
    const [id, hash] = [ids[i] as string, contentHash(content)]
    const after = { epoch, turn: i === 0 ? turnId : null }
    const own = tookLeaf ? 'self' : draft.state.leaf
    const place = { position, parent, leaf: own, state: after } as const
    const { text, asParent } = encodeEntry({ id, turnId, createdAt, content, hash, ...place })
    parent = asParent
    return text
  })
  const calls = last ? await unknownCalls(state, draft, { turnId, end: last }) : []
  return { texts, end: parent as Parent, tookLeaf, recovered: { turnId, unknownCalls: calls } }
}

/** The newest entry of a turn; undefined if a repair found them all lost. */
async function lastOf(draft: Draft, turnId: string): Promise<JournalRecord | undefined> {
  for await (const found of draft.backward(draft.length)) if (found.record.turnId === turnId) return found
  return undefined
}
