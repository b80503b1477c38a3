import { utf8Length } from './check.ts'
import { isMessageEntry, type Entry } from './entry.ts'
import type { MessageFormat } from './message-format.ts'

/** What the model is shown. */
export interface Context<Message> {
  readonly messages: readonly Message[]
  /** The entry that each message comes from: `entries[i]` made `messages[i]`. */
  readonly entries: readonly Entry<Message>[]
  /** The size of the messages as JSON, in bytes of UTF-8. */
  readonly bytes: number
}

/**
 * Projects a path to what the model is shown: messages as they went in, branch summaries as an assistant's message, nothing
 * else. Compactions are not applied yet.
 */
export function buildContext<Message>(
  path: readonly Entry<Message>[],
  format: MessageFormat<Message>,
): Context<Message> {
  const messages: Message[] = []
  const entries: Entry<Message>[] = []
  let bytes = 0
  for (const entry of path) {
    const message = messageOf(entry, format)
    if (message === undefined) continue
    messages.push(message)
    entries.push(entry)
    bytes += utf8Length(JSON.stringify(message))
  }
  return { messages, entries, bytes }
}

function messageOf<Message>(entry: Entry<Message>, format: MessageFormat<Message>): Message | undefined {
  if (isMessageEntry(entry)) return entry.message
  if (entry.type === 'branch_summary' && entry.summary !== '') return format.fromText('assistant', entry.summary)
  return undefined
}
