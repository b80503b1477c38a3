import type { Attachment, MessageParts, Omitted, ToolCall, ToolResult } from '../message-format.ts'

/** A JSON object of whoever's making: nothing about its fields is known. */
export type Fields = { readonly [field: string]: unknown }

/** Whether a value has fields. */
export function hasFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null
}

/** A value as the text that a model would see. */
export function asText(value: unknown): string {
  return typeof value === 'string' ? value : value === undefined ? '' : (JSON.stringify(value) ?? '')
}

/** The elements of an array that have fields; none for anything else. */
export function fieldsIn(value: unknown): readonly Fields[] {
  return Array.isArray(value) ? value.filter(hasFields) : []
}

const idOf = (value: unknown) => (typeof value === 'string' ? value : undefined)

/**
 * Takes apart a message with a role and a `content` of text or parts, as every chat API has it: calls and results of OpenAI
 * (`tool_calls`, `tool_call_id`), Anthropic (`tool_use`, `tool_result` and those that the server runs), AI SDK (`tool-call`, `tool-result`, approvals), pi
 * (`toolCall`, `toolResult`), Ollama (no ids).
 */
export function readContent(source: object): MessageParts {
  const message = source as Fields
  const parts = fieldsIn(message['content'])
  const calls = isToolRole(message)
    ? []
    : [...parts.flatMap((part) => callOf(part, parts)), ...listedCalls(message).flatMap(listedCall)]
  const own = resultOf(message)
  if (own) return { text: '', calls, results: [own], attachments: parts.flatMap(attachmentOf) }
  return {
    text: textOf(message['content']),
    calls,
    results: parts.flatMap(resultPart),
    attachments: parts.flatMap(attachmentOf),
  }
}

/** The text of a message's content, its parts on lines of their own. */
export function textOf(content: unknown): string {
  if (typeof content === 'string') return content
  if (!Array.isArray(content)) return ''
  return content.flatMap((part: unknown) => textPart(part)).join('\n')
}

/** A copy of a message as {@link readContent} takes it apart, without some of its calls and results; undefined if nothing is left. */
export function withoutParts<Message extends object>(message: Message, omitted: Omitted): Message | undefined {
  const fields = message as Fields
  if (resultOf(fields)) return omitted.results.size > 0 ? undefined : message
  const { content } = fields
  let call = 0
  let result = 0
  const gone = new Set<unknown>()
  const isLeft = (part: unknown) => {
    if (!hasFields(part)) return true
    if (isCall(part)) {
      if (!omitted.calls.has(call++)) return true
      gone.add(part['toolCallId'])
      return false
    }
    if (isResult(part)) return !omitted.results.has(result++)
    return part['type'] !== 'tool-approval-request' || !gone.has(part['toolCallId'])
  }
  const parts = Array.isArray(content) ? content.filter(isLeft) : undefined
  const { tool_calls, toolCalls, ...rest } = fields
  const listed = Object.entries({ tool_calls, toolCalls }).flatMap(([field, list]) => {
    if (!Array.isArray(list)) return list === undefined ? [] : [[field, list] as const]
    const left = list.filter((each) => !hasFields(each) || !omitted.calls.has(call++))
    return left.length > 0 ? [[field, left] as const] : []
  })
  const callsOn = listed.some(([, list]) => Array.isArray(list))
  const left = parts && !callsOn ? withoutLooseReasoning(parts) : (parts ?? content)
  // A message of a tool is nothing but its results.
  if (isToolRole(fields) && !parts?.some((part) => hasFields(part) && isResult(part))) return undefined
  const says = Array.isArray(left) ? left.length > 0 : typeof left === 'string' && left.trim() !== ''
  if (!says && !callsOn) return undefined
  return {
    ...rest,
    ...('content' in fields ? { content: left } : {}),
    ...Object.fromEntries(listed),
  } as unknown as Message
}

const REASONING: ReadonlySet<unknown> = new Set(['reasoning', 'reasoning-file', 'thinking', 'redacted_thinking'])

/** Without what is left at the end when calls are gone: providers refuse reasoning that leads to nothing, and blank texts. */
export function withoutLooseReasoning<Part>(parts: readonly Part[]): readonly Part[] {
  const saysNothing = (part: unknown) =>
    hasFields(part) && (REASONING.has(part['type']) || (part['type'] === 'text' && asText(part['text']).trim() === ''))
  return parts.slice(0, parts.findLastIndex((part) => !saysNothing(part)) + 1)
}

const isCall = (part: Fields) =>
  part['type'] === 'tool-call' || part['type'] === 'toolCall' || /(?:^|_)tool_use$/.test(String(part['type']))

const isResult = (part: Fields) =>
  part['type'] === 'tool-result' ||
  part['type'] === 'tool-approval-response' ||
  /(?:^|_)tool_result$/.test(String(part['type']))

function callOf(part: Fields, siblings: readonly Fields[]): readonly ToolCall[] {
  if (!isCall(part)) return []
  const id = idOf(part['toolCallId'] ?? part['id'])
  const request = siblings.find(({ type, toolCallId }) => type === 'tool-approval-request' && toolCallId === id)
  const alias = idOf(request?.['approvalId'])
  const name = asText(part['toolName'] ?? part['name'])
  const input = part['input'] ?? part['args'] ?? part['arguments']
  return [{ id, name, input, ...(alias === undefined ? {} : { alias }) }]
}

function listedCalls(message: Fields): readonly Fields[] {
  return [...fieldsIn(message['tool_calls']), ...fieldsIn(message['toolCalls'])]
}

function listedCall(call: Fields): readonly ToolCall[] {
  const details = hasFields(call['function']) ? call['function'] : hasFields(call['custom']) ? call['custom'] : call
  const input = details['arguments'] ?? details['input'] ?? details['args']
  return [{ id: idOf(call['id'] ?? call['toolCallId']), name: asText(details['name'] ?? details['toolName']), input }]
}

const isToolRole = ({ role }: Fields) => role === 'tool' || role === 'toolResult'

/** A message that as a whole is the result of one call. */
function resultOf(message: Fields): ToolResult | undefined {
  const { content } = message
  if (!isToolRole(message) || fieldsIn(content).some(isResult)) return undefined
  return { callId: idOf(message['tool_call_id'] ?? message['toolCallId']), text: textOf(content) }
}

function resultPart(part: Fields): readonly ToolResult[] {
  if (!isResult(part)) return []
  if (part['type'] === 'tool-approval-response') return [{ callId: idOf(part['approvalId']), text: '', interim: true }]
  const callId = idOf(part['toolCallId'] ?? part['tool_use_id'])
  return [{ callId, text: outputText(part['output'] ?? part['result'] ?? part['content']) }]
}

/** What a tool returned: text, parts with text, or `{ type, value }` as the AI SDK wraps it. */
function outputText(output: unknown): string {
  const value = hasFields(output) && 'value' in output ? output['value'] : output
  return Array.isArray(value) && value.some((part) => hasFields(part) && 'type' in part) ? textOf(value) : asText(value)
}

function textPart(part: unknown): readonly string[] {
  if (typeof part === 'string') return [part]
  if (!hasFields(part) || REASONING.has(part['type'])) return []
  return typeof part['text'] === 'string' ? [part['text']] : []
}

const ATTACHMENT = /^(?:input_)?(?:image|file|audio|video|document|media)(?:[_-](?:url|data|id|file-id))?$/

/** The image or file that a part is. */
export function attachmentOf(part: Fields): readonly Attachment[] {
  if (!ATTACHMENT.test(String(part['type']))) return []
  const source = hasFields(part['source']) ? part['source'] : part
  const mediaType = source['mediaType'] ?? source['media_type'] ?? source['mimeType']
  const name = part['filename'] ?? part['name'] ?? part['title']
  const url = urlIn(source)
  return [
    {
      ...(typeof mediaType === 'string' ? { mediaType } : {}),
      ...(typeof name === 'string' ? { name } : {}),
      ...(url === undefined ? {} : { url }),
    },
  ]
}

// The data itself, in a data URL or as base64, is no reference to it.
function urlIn(source: Fields): string | undefined {
  for (const field of ['url', 'image_url', 'image', 'data'] as const) {
    const value = hasFields(source[field]) ? source[field]['url'] : source[field]
    if (typeof value === 'string' && /^[a-z][a-z0-9+.-]*:/i.test(value))
      return value.startsWith('data:') ? undefined : value
  }
  return undefined
}
