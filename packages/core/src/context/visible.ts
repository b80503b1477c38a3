import { isMessageEntry, type Entry, type MessageType } from '../entry.ts'
import type { MessageFormat, MessageParts } from '../message-format.ts'
import { pair } from './pairing.ts'

/** An entry that the model may see, with its message taken apart. */
export interface Visible<Message> {
  readonly entry: Entry<Message>
  readonly message: Message
  readonly parts: MessageParts
  /** Has a call that the message itself does not answer. */
  readonly open: boolean
  /** Has a result of a call that another message made. */
  readonly external: boolean
}

/** An entry as the model may see it; undefined for one that it never sees. */
export function visible<Message>(entry: Entry<Message>, format: MessageFormat<Message>): Visible<Message> | undefined {
  if (entry.type === 'branch_summary') {
    const { summary, id, createdAt } = entry
    if (typeof summary !== 'string' || summary.trim() === '') return undefined
    const message = format.fromText('assistant', summary, { id, createdAt })
    return { entry, message, parts: { ...NOTHING, text: summary }, open: false, external: false }
  }
  if (!isMessageEntry(entry) || !hasRole(entry.message)) return undefined
  const { message } = entry
  const parts = takeApart(message, entry.type, format)
  if (parts.calls.length + parts.results.length === 0) return { entry, message, parts, open: false, external: false }
  const { unanswered, orphans } = pair([parts])
  return { entry, message, parts, open: unanswered.length > 0, external: orphans.length > 0 }
}

const NOTHING: MessageParts = { text: '', calls: [], results: [], attachments: [] }

/** What a message consists of, as far as its format tells. */
export function takeApart<Message>(message: Message, type: MessageType, format: MessageFormat<Message>): MessageParts {
  if (format.read) return format.read(message)
  return {
    ...NOTHING,
    text: JSON.stringify(message),
    calls: type === 'tool_call' ? [{ id: undefined, name: '', input: undefined }] : [],
    results: type === 'tool_result' ? [{ callId: undefined, text: '' }] : [],
  }
}

/** record() takes messages that no format has seen. */
function hasRole(message: unknown): boolean {
  if (message === null || message === undefined) return false
  return typeof message !== 'object' || !('role' in message) || message.role !== ''
}

/** Whether two entries that the model sees one after the other belong to one batch of calls and results. */
export function sameBatch(older: Visible<unknown>, newer: Visible<unknown>): boolean {
  const usesTools = older.parts.calls.length + older.parts.results.length > 0
  return usesTools && (newer.external || (older.open && newer.parts.calls.length > 0))
}
