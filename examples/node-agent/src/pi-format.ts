import type { MessageFormat, MessageType } from '@sessiontree/core'

/** A message as pi writes it; the role decides its other fields. */
export interface PiMessage {
  readonly role: string
  readonly [field: string]: unknown
}

/**
 * What a pi message is to the session tree; undefined for the roles that pi and its extensions add (`bashExecution`,
 * `custom`, …), which are recorded as custom entries.
 */
export function piMessageType({ role, content }: PiMessage): MessageType | undefined {
  switch (role) {
    case 'user':
      return 'user_message'
    case 'assistant':
      return partsOf(content).some(({ type }) => type === 'toolCall') ? 'tool_call' : 'assistant_message'
    case 'system':
      return 'system_message'
    case 'toolResult':
      return 'tool_result'
    default:
      return undefined
  }
}

/** The parts of a message's content; none if it is a plain text. */
export function partsOf(content: unknown): readonly { readonly [field: string]: unknown }[] {
  if (!Array.isArray(content)) return []
  return content.filter((part): part is Record<string, unknown> => typeof part === 'object' && part !== null)
}

/** The text of a message's content, its parts joined by a space. */
export function textOf(content: unknown): string {
  if (typeof content === 'string') return content
  return partsOf(content)
    .flatMap(({ text }) => (typeof text === 'string' ? [text] : []))
    .join(' ')
}

/** pi's messages, kept as they are. */
export const piFormat: MessageFormat<PiMessage> = {
  id: 'pi',
  type(message) {
    const type = piMessageType(message)
    if (type) return type
    throw new TypeError(
      `message.role: ${JSON.stringify(message.role)} is not shown to the model; record() it as a custom entry`,
    )
  },
  fromText: (role, text) => ({ role, content: [{ type: 'text', text }] }),
}
