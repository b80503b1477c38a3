import { utf8Length } from './check.ts'
import { assertNoIssues, type MessageFormat } from './message-format.ts'
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

/**
 * What is stored of messages, once the format's schema has nothing against them: a `TypeError` for what it refuses. At once where it answers at
 * once, so that calls keep their order; else of copies, for the caller may change its messages meanwhile.
 */
export function messageContents<Message>(
  messages: readonly Message[],
  format: MessageFormat<Message>,
): readonly RecordContent[] | Promise<readonly RecordContent[]> {
  const contents = messages.map((message) => ({ type: format.type(message), message }))
  const { schema } = format
  if (!schema) return contents
  const results = messages.map((message) => schema['~standard'].validate(message))
  if (!results.some((result) => result instanceof Promise)) {
    for (const result of results) if (!(result instanceof Promise)) assertNoIssues(result)
    return contents
  }
  const copies = newMessages(messages, format).map(({ content }) => content)
  return Promise.all(results.map(async (result) => result)).then((all) => {
    for (const result of all) assertNoIssues(result)
    return copies
  })
}
