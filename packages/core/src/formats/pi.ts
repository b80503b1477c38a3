import type { Attachment, MessageFormat, MessageParts } from '../message-format.ts'
import { asText, readContent, withoutParts, type Fields } from './content-parts.ts'
import { roleType } from './role-content.ts'

/** A message as pi keeps it; the role decides its other fields. */
export interface PiMessage {
  role: string
  timestamp: number
}

/**
 * The format of pi's messages (`AgentMessage` of @mariozechner/pi-agent-core 0.73, with those that pi-coding-agent adds).
 *
 * Contract
 * - Roles: user, assistant, toolResult, and bashExecution, custom, branchSummary, compactionSummary, which pi shows to the model as a
 *   user's. Any other is a `TypeError`.
 * - The summaries that the session tree itself puts into a context are messages that pi can send: an assistant's has `model` and `provider` "sessiontree"
 *   and a usage of zero.
 */
export function piMessages<Message extends PiMessage = PiMessage>(): MessageFormat<Message> {
  return {
    id: 'pi',
    type(message) {
      switch (message?.role) {
        case 'bashExecution':
        case 'custom':
        case 'branchSummary':
        case 'compactionSummary':
          return 'user_message'
        case 'user':
        case 'assistant':
        case 'toolResult':
          return roleType(message)
        default:
          throw new TypeError(
            `message.role: ${JSON.stringify(message?.role)} is not shown to the model by pi; record() it as a custom entry`,
          )
      }
    },
    fromText(role, text, { createdAt }) {
      const content = [{ type: 'text', text }]
      const timestamp = Date.parse(createdAt)
      const message = role === 'user' ? { role, content, timestamp } : { ...ASSISTANT, content, timestamp }
      return message as unknown as Message
    },
    read: (message) => readPiMessage(message as unknown as Fields),
    without: withoutParts,
  }
}

const ASSISTANT = {
  role: 'assistant',
  content: [],
  api: 'sessiontree',
  provider: 'sessiontree',
  model: 'sessiontree',
  usage: {
    input: 0,
    output: 0,
    cacheRead: 0,
    cacheWrite: 0,
    totalTokens: 0,
    cost: { input: 0, output: 0, cacheRead: 0, cacheWrite: 0, total: 0 },
  },
  stopReason: 'stop',
  timestamp: 0,
} as const

function readPiMessage(message: Fields): MessageParts {
  const parts = readContent(message)
  const details = message['details'] as Fields | null | undefined
  const attachments = [...parts.attachments, ...fullOutput(message), ...fullOutput(details)]
  switch (message['role']) {
    case 'bashExecution':
      return { ...parts, text: `${asText(message['command'])}\n${asText(message['output'])}`, attachments }
    case 'branchSummary':
    case 'compactionSummary':
      return { ...parts, text: asText(message['summary']) }
    default:
      return { ...parts, attachments }
  }
}

/** The file to which pi wrote what it cut from an output. */
function fullOutput(fields: Fields | null | undefined): readonly Attachment[] {
  const path = fields?.['fullOutputPath']
  return typeof path === 'string' ? [{ url: path }] : []
}
