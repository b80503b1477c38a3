import type { MessageFormat, MessageParts, Omitted, ToolResult } from '../message-format.ts'
import {
  asText,
  attachmentOf,
  fieldsIn,
  readContent,
  withoutLooseReasoning,
  withoutParts,
  type Fields,
} from './content-parts.ts'
import { roleType } from './role-content.ts'

/** A message of `useChat`: the `UIMessage` of the AI SDK, as far as it matters here. */
export interface UiMessage {
  id: string
  role: 'system' | 'user' | 'assistant'
  metadata?: unknown
  parts: readonly { readonly type: string }[]
}

/** A message of `generateText`: the `ModelMessage` of the AI SDK, as far as it matters here. */
export interface ModelMessage {
  role: 'system' | 'user' | 'assistant' | 'tool'
  content: string | readonly { readonly type: string }[]
}

/**
 * The format of the AI SDK's `UIMessage` (ai 5.0, 6.0 and 7.0): what `useChat` holds and `onEnd` hands over.
 *
 * Contract
 * - Messages keep their own `id`; it is not the entry's, unless you append with `{ id: message.id }`.
 * - A tool part is a call and, once it has an output, an error or a denial, its result. A call that is still streaming, waits for a tool or for an approval is left out of
 *   the context; the text and the finished calls around it stay.
 * - Data parts, sources and step boundaries are kept, and count as nothing.
 *
 * @example
 * const sessions = openSessions(adapter, { format: aiSdk<MyUIMessage>() })
 */
export function aiSdk<Message extends UiMessage = UiMessage>(): MessageFormat<Message> {
  return {
    id: 'ai-sdk-ui',
    type(message) {
      if (!Array.isArray(message?.parts)) {
        throw new TypeError(
          'message.parts: expected an array, as a UIMessage has; for a ModelMessage use modelMessages()',
        )
      }
      switch (message.role) {
        case 'user':
          return 'user_message'
        case 'assistant':
          return toolParts(message).length > 0 ? 'tool_call' : 'assistant_message'
        case 'system':
          return 'system_message'
        default:
          throw new TypeError(`message.role: expected user, assistant or system, got ${JSON.stringify(message.role)}`)
      }
    },
    fromText: (role, text, { id }) => ({ id, role, parts: [{ type: 'text', text }] }) as unknown as Message,
    read: readUiMessage,
    without: withoutToolParts,
  }
}

/**
 * The format of the AI SDK's `ModelMessage` (ai 5.0, 6.0 and 7.0): what `generateText` takes and `response.messages` returns.
 *
 * Contract
 * - A call that was approved or denied stands without its result while nothing follows: `generateText` settles it.
 * - Bytes and `URL` objects are a `TypeError` when they are appended, as everything that JSON cannot keep: use base64 or text.
 */
export function modelMessages<Message extends ModelMessage = ModelMessage>(): MessageFormat<Message> {
  return {
    id: 'ai-sdk-model',
    type(message) {
      if (message?.content === undefined) {
        throw new TypeError(
          'message.content: expected text or parts, as a ModelMessage has; for a UIMessage use aiSdk()',
        )
      }
      if (!['system', 'user', 'assistant', 'tool'].includes(message.role)) {
        throw new TypeError(
          `message.role: expected system, user, assistant or tool, got ${JSON.stringify(message.role)}`,
        )
      }
      return roleType(message)
    },
    fromText: (role, text) => ({ role, content: text }) as unknown as Message,
    read: (message) => readContent(message),
    without: withoutParts,
  }
}

const isToolPart = ({ type }: Fields) =>
  type === 'dynamic-tool' || (typeof type === 'string' && type.startsWith('tool-'))

const toolParts = (message: UiMessage) => fieldsIn(message.parts).filter(isToolPart)

function readUiMessage(message: UiMessage): MessageParts {
  const parts = fieldsIn(message?.parts)
  const tools = parts.filter(isToolPart)
  return {
    text: parts.flatMap(({ type, text }) => (type === 'text' && typeof text === 'string' ? [text] : [])).join('\n'),
    calls: tools.map((part) => ({
      id: typeof part['toolCallId'] === 'string' ? part['toolCallId'] : undefined,
      name: part['type'] === 'dynamic-tool' ? asText(part['toolName']) : String(part['type']).slice('tool-'.length),
      input: part['input'] ?? part['rawInput'],
    })),
    results: tools.flatMap(resultOf),
    attachments: parts.flatMap((part) =>
      part['type'] === 'source-url' || part['type'] === 'source-document' ? [] : attachmentOf(part),
    ),
  }
}

function resultOf(part: Fields, own: number): readonly ToolResult[] {
  const callId = typeof part['toolCallId'] === 'string' ? part['toolCallId'] : undefined
  switch (part['state']) {
    case 'output-available':
      return [{ callId, own, text: asText(part['output']) }]
    case 'output-error':
      return [{ callId, own, text: asText(part['errorText']) }]
    case 'output-denied':
      return [{ callId, own, text: '' }]
    case 'approval-responded':
      return [{ callId, own, text: '', interim: true }]
    default:
      return []
  }
}

function withoutToolParts<Message extends UiMessage>(message: Message, { calls }: Omitted): Message | undefined {
  let call = 0
  const kept = fieldsIn(message.parts).filter((part) => !isToolPart(part) || !calls.has(call++))
  const parts = withoutEmptySteps(kept)
  return parts.length > 0 ? { ...message, parts } : undefined
}

/** Each step is a message of its own to the provider: one that lost its calls may be left with nothing but reasoning. */
function withoutEmptySteps(parts: readonly Fields[]): readonly Fields[] {
  const steps: Fields[][] = [[]]
  for (const part of parts) {
    if (part['type'] === 'step-start') steps.push([])
    steps.at(-1)?.push(part)
  }
  return steps.flatMap((step) => {
    const left = withoutLooseReasoning(step)
    return left.some(({ type }) => type !== 'step-start') ? left : []
  })
}
