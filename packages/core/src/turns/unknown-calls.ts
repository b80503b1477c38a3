import { ancestors, leafOf } from '../ancestry.ts'
import { controlText } from '../context/control-call.ts'
import { pair } from '../context/pairing.ts'
import { visible, type Visible } from '../context/visible.ts'
import { markerStatus } from '../entry-types.ts'
import type { ToolCall } from '../message-format.ts'
import type { JournalRecord, Records } from '../records.ts'
import type { Signal } from '../runtime.ts'
import type { SessionState } from '../session-state.ts'

/** A tool call of a turn that was cut off before its result: it may have been carried out, or not, or in part. */
export interface UnknownCall {
  /** The entry that holds the call. */
  readonly entryId: string
  readonly callId?: string
  readonly name: string
  /** The arguments: a value, or the JSON text of one. */
  readonly input: unknown
}

/** Walks a turn backwards from its end; resolves with its calls that have no result, oldest first. */
export async function unknownCalls<Message>(
  state: SessionState<Message>,
  records: Records,
  { turnId, end }: { readonly turnId: string; readonly end: JournalRecord },
  signal?: Signal,
): Promise<readonly UnknownCall[]> {
  const seen: Visible<Message>[] = []
  for await (const found of ancestors(records, leafOf(end), signal)) {
    const entry = state.entry(found)
    const one = visible(entry, state.options.format)
    if (one) seen.push(one)
    if (entry.turnId === turnId && markerStatus(entry) === 'started') break
  }
  const turn = seen.toReversed()
  const { unanswered } = pair(
    turn.map(({ parts }) => parts),
    false,
  )
  return unanswered.flatMap(({ message, index }): UnknownCall[] => {
    const { entry, parts } = turn[message] as Visible<Message>
    const call = parts.calls[index] as ToolCall
    // What ends a turn is no call of a tool.
    if (controlText(call) !== undefined) return []
    const { id, name, input } = call
    return [{ entryId: entry.id, ...(id === undefined ? {} : { callId: id }), name, input }]
  })
}
