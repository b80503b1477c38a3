import type { Entry } from '../entry.ts'
import type { MessageFormat, MessageParts, ToolCall } from '../message-format.ts'
import { controlText } from './control-call.ts'
import { pair, type Place } from './pairing.ts'
import { takeApart, type Visible } from './visible.ts'

/** A message that the model sees. */
export interface Shown<Message> {
  readonly entry: Entry<Message>
  readonly message: Message
  readonly parts: MessageParts
  readonly kind: 'message' | 'control_signal'
}

/** What a batch is to the model, and which of its calls have no answer. */
export interface BatchView<Message> {
  readonly shown: readonly Shown<Message>[]
  readonly unanswered: readonly { readonly entry: Entry<Message>; readonly call: ToolCall }[]
}

/**
 * Projects a batch (one message, or calls and what answers them), oldest first, to what a provider accepts.
 *
 * Contract
 * - Every call shown has its result in the batch, every result shown its call before it; in the newest batch an approved call may do without. The rest of
 *   a message stays, if its format can leave parts out; else the batch is left out as a whole.
 * - A control call that nobody answered is shown as an assistant's text, behind the batch.
 */
export function viewBatch<Message>(
  batch: readonly Visible<Message>[],
  format: MessageFormat<Message>,
  isNewest: boolean,
): BatchView<Message> {
  const { unanswered, orphans } = pair(
    batch.map(({ parts }) => parts),
    isNewest,
  )
  const signals: Shown<Message>[] = []
  const dangling: { entry: Entry<Message>; call: ToolCall }[] = []
  for (const { message: at, index } of unanswered) {
    const { entry, parts } = batch[at] as Visible<Message>
    const call = parts.calls[index] as ToolCall
    const text = controlText(call)
    if (text === undefined) dangling.push({ entry, call })
    else signals.push(signalMessage(entry, text, index, format))
  }
  return { shown: [...wholeMessages(batch, unanswered, orphans, format), ...signals], unanswered: dangling }
}

function wholeMessages<Message>(
  batch: readonly Visible<Message>[],
  unanswered: readonly Place[],
  orphans: readonly Place[],
  format: MessageFormat<Message>,
): readonly Shown<Message>[] {
  const isWhole = unanswered.length + orphans.length === 0
  if (isWhole) return batch.map(({ entry, message, parts }) => ({ entry, message, parts, kind: 'message' }))
  if (!format.without) return []
  const indexesAt = (places: readonly Place[], at: number) =>
    new Set(places.filter(({ message }) => message === at).map(({ index }) => index))
  return batch.flatMap(({ entry, message, parts }, at): readonly Shown<Message>[] => {
    const omitted = { calls: indexesAt(unanswered, at), results: indexesAt(orphans, at) }
    if (omitted.calls.size + omitted.results.size === 0) return [{ entry, message, parts, kind: 'message' }]
    const rest = format.without?.(message, omitted)
    if (rest === undefined) return []
    return [{ entry, message: rest, parts: takeApart(rest, 'assistant_message', format), kind: 'message' }]
  })
}

function signalMessage<Message>(
  entry: Entry<Message>,
  text: string,
  index: number,
  format: MessageFormat<Message>,
): Shown<Message> {
  const origin = { id: `${entry.id}-call-${index}`, createdAt: entry.createdAt }
  const message = format.fromText('assistant', text, origin)
  return { entry, message, parts: { text, calls: [], results: [], attachments: [] }, kind: 'control_signal' }
}
