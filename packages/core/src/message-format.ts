import type { MessageType } from './entry.ts'

/**
 * What the session tree needs to know about a message of the caller's own shape. Messages come out as they went in; a
 * format only looks at them.
 */
export interface MessageFormat<Message> {
  /** Kept in the session's document, so that nobody reads the messages with another format. */
  readonly id: string
  /** What the message is. Throws a `TypeError` that says what is wrong if it is none of this format. */
  type(message: Message): MessageType
  /** A message that says `text`: for the summary of a branch or of a compacted head. */
  fromText(role: 'user' | 'assistant', text: string): Message
}

/** A message with a role, in the shape of any chat API. */
export interface RoleMessage {
  readonly role: string
  readonly [field: string]: unknown
}

const CALL_PARTS: ReadonlySet<unknown> = new Set(['tool-call', 'tool_use', 'toolCall'])

/**
 * The default format: `{ role, content }` messages of any chat API.
 *
 * Contract
 * - Roles: user, assistant, system or developer, tool (also `toolResult`). Any other is a `TypeError`.
 * - An assistant's message is a tool call if it has a non-empty `tool_calls` or `toolCalls`, or a content part of type `tool-call`,
 *   `tool_use` or `toolCall`.
 */
export function roleContent<Message extends { readonly role: string } = RoleMessage>(): MessageFormat<Message> {
  return {
    id: 'role-content',
    type: typeOf,
    fromText: (role, text) => ({ role, content: text }) as unknown as Message,
  }
}

function typeOf(message: RoleMessage): MessageType {
  switch (message?.role) {
    case 'user':
      return 'user_message'
    case 'assistant':
      return callsTools(message) ? 'tool_call' : 'assistant_message'
    case 'system':
    case 'developer':
      return 'system_message'
    case 'tool':
    case 'toolResult':
      return 'tool_result'
    default:
      throw new TypeError(
        `message.role: expected user, assistant, system, developer or tool, got ${JSON.stringify(message?.role)}; ` +
          'give openSessions() a format that knows your messages',
      )
  }
}

function callsTools({ content, ...message }: RoleMessage): boolean {
  const calls = message['tool_calls'] ?? message['toolCalls']
  if (Array.isArray(calls) && calls.length > 0) return true
  return Array.isArray(content) && content.some((part: { type?: unknown } | null) => CALL_PARTS.has(part?.type))
}
