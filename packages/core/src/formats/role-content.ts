import type { MessageType } from '../entry.ts'
import type { MessageFormat } from '../message-format.ts'
import { readContent, withoutParts } from './content-parts.ts'

/** A message with a role, in the shape of any chat API. */
export interface RoleMessage {
  readonly role: string
  readonly [field: string]: unknown
}

/**
 * The default format: `{ role, content }` messages of any chat API.
 *
 * Contract
 * - Roles: user, assistant, system or developer, tool (also `toolResult`). Any other is a `TypeError`.
 * - An assistant's message is a tool call if it has a non-empty `tool_calls` or `toolCalls`, or a content part of type `tool-call`,
 *   `tool_use` or `toolCall`. A user's message with a part of type `tool_result` is a tool result.
 * - Knows calls and results of OpenAI's chat completions, Anthropic's messages, the AI SDK, pi and Ollama.
 */
export function roleContent<Message extends { readonly role: string } = RoleMessage>(): MessageFormat<Message> {
  return {
    id: 'role-content',
    type: roleType,
    fromText: (role, text) => ({ role, content: text }) as unknown as Message,
    read: (message) => readContent(message),
    without: withoutParts,
  }
}

/** What a message with a role is; a `TypeError` for a role that no chat API has. */
export function roleType(message: { readonly role: string }): MessageType {
  switch (message?.role) {
    case 'user':
      return readContent(message).results.length > 0 ? 'tool_result' : 'user_message'
    case 'assistant':
      return readContent(message).calls.length > 0 ? 'tool_call' : 'assistant_message'
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
