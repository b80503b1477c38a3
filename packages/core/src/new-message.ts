import { utf8Length } from './check.ts'
import type { MessageFormat } from './message-format.ts'
import { parseJson } from './parse-json.ts'
import { contentHash, type RecordContent } from './record.ts'

/** A message as it will be stored. */
export interface NewMessage {
  readonly content: RecordContent
  readonly hash: string
  readonly bytes: number
}

/** Copies messages, so that the caller may change its own at once; a `TypeError` for one that cannot be stored. */
export function newMessages<Message>(
  messages: readonly Message[],
  format: MessageFormat<Message>,
): readonly NewMessage[] {
  if (!Array.isArray(messages)) throw new TypeError('messages: expected an array')
  return messages.map((message: Message) => {
    const content = { type: format.type(message), message }
    contentHash(content)
    const text = JSON.stringify(content)
    const copy = parseJson(text) as RecordContent
    return { content: copy, hash: contentHash(copy), bytes: utf8Length(text) }
  })
}
