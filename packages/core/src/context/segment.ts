import { utf8Length } from '../check.ts'
import type { Entry } from '../entry.ts'
import { asText } from '../formats/content-parts.ts'
import type { Attachment, MessageFormat, MessageParts, ToolCall, ToolResult } from '../message-format.ts'
import { preview } from '../preview.ts'
import { estimateMessageTokens } from '../token-estimate.ts'

/** Where a message of a context comes from, and what it costs. */
export interface Segment {
  readonly entryId: string
  readonly parentId: string | null
  readonly entryType: string
  readonly role: 'system' | 'user' | 'assistant' | 'tool'
  /** `message`: as it was stored, or all of it that a provider accepts; the others are texts in its place. */
  readonly kind: SegmentKind
  /** Messages with the same number are one batch: shown together or not at all. */
  readonly batch: number
  readonly calls: readonly Pick<ToolCall, 'id' | 'name'>[]
  readonly results: readonly Pick<ToolResult, 'callId'>[]
  /** An estimate. */
  readonly tokens: number
  /** As JSON, in UTF-8. */
  readonly bytes: number
  /** Of a checkpoint: how many compactions deep it is. */
  readonly generation?: number
  /** For a user interface: the first 240 code points. */
  readonly preview?: string
  /** For a user interface: images and files that have a place of their own. */
  readonly artifacts?: readonly Attachment[]
}

/** What a message of a context is. */
export type SegmentKind = 'message' | 'branch_summary' | 'control_signal' | 'compaction_summary'

/** A message before it has its place in the context. */
export interface Measured<Message> {
  readonly message: Message
  /** The entry that it comes from. */
  readonly entry: Entry<Message>
  readonly segment: Omit<Segment, 'batch'>
}

/** Measures a message. */
export function measure<Message>(
  source: {
    readonly entry: Entry<Message>
    readonly message: Message
    readonly parts: MessageParts
    readonly kind: SegmentKind
    readonly entryId?: string
    readonly generation?: number
  },
  format: MessageFormat<Message>,
  forUi: boolean,
): Measured<Message> {
  const { entry, message, parts, kind, entryId = entry.id, generation } = source
  const marker = kind === 'message' || kind === 'branch_summary' ? '' : kind
  const segment = {
    entryId,
    parentId: entryId === entry.id ? entry.parentId : null,
    entryType: entryId === entry.id ? entry.type : 'system_message',
    role: roleOf(entry.type, kind),
    kind,
    calls: parts.calls.map(({ id, name }) => ({ id, name })),
    results: parts.results.map(({ callId }) => ({ callId })),
    tokens: format.estimateTokens?.(message, parts) ?? estimateMessageTokens(parts, marker),
    bytes: utf8Length(JSON.stringify(message)),
    ...(generation === undefined ? {} : { generation }),
    ...(forUi
      ? { preview: previewOf(parts), artifacts: parts.attachments.filter(({ url }) => url !== undefined) }
      : {}),
  }
  return { message, entry, segment }
}

function roleOf(entryType: string, kind: SegmentKind): Segment['role'] {
  if (kind === 'compaction_summary') return 'user'
  if (kind !== 'message') return 'assistant'
  switch (entryType) {
    case 'user_message':
      return 'user'
    case 'tool_result':
      return 'tool'
    case 'assistant_message':
    case 'tool_call':
      return 'assistant'
    default:
      return 'system'
  }
}

/** The beginning of what a message says: of its text, else of its calls, else of its results. */
export function previewOf({ text, calls, results }: MessageParts, length?: number): string {
  if (text.trim() !== '') return preview(text, length)
  if (calls.length > 0) return preview(calls.map(({ name, input }) => `${name}(${asText(input)})`).join(', '), length)
  return preview(results.map((result) => result.text).join('\n'), length)
}
