import type { EntryContent } from './entry-types.ts'

/** Where a record lies: the segment of the session's lineage (0 is the oldest ancestor) and the index in that segment's log. */
export type Position = readonly [segment: number, at: number]

/** What every entry has, whatever its type. */
export interface EntryEnvelope {
  /** Unique in the session: the caller's own id, or a UUIDv7. */
  readonly id: string
  /** The entry before it on its path; null for the first one. */
  readonly parentId: string | null
  /** The turn that wrote it. */
  readonly turnId?: string
  /** UTC, ISO 8601 with milliseconds. */
  readonly createdAt: string
  /** SHA-256 of the content: equal content has an equal hash in every session, on every adapter, in any language. */
  readonly hash: string
  /** SHA-256 over the parent's digest, the envelope and the hash: commits to the whole path, as a git commit does. */
  readonly digest: string
  /** Where it is stored. An entry can be passed wherever an id can; that saves the search. */
  readonly position: Position
}

/** What a message is, for whoever reads the tree without knowing the message's own shape. */
export type MessageType = 'user_message' | 'assistant_message' | 'system_message' | 'tool_call' | 'tool_result'

/** The content of an entry that is shown to the model as it is. */
export interface MessageContent<Message = unknown> {
  readonly type: MessageType
  readonly message: Message
}

/** A text that stands for a branch that was left; shown to the model as an assistant's message. */
export interface BranchSummaryContent {
  readonly type: 'branch_summary'
  readonly summary: string
  readonly metadata?: JsonObject
}

/** The model that answers from here on. */
export interface ModelChangeContent {
  readonly type: 'model_change'
  readonly provider: string
  readonly model: string
  readonly metadata?: JsonObject
}

/** Anything of the caller's own. Never shown to the model. */
export interface CustomContent {
  readonly type: 'custom'
  readonly name: string
  readonly data?: Json
}

/** A type that this version does not know: kept as it is, field by field. */
export interface UnknownContent {
  readonly type: string
  readonly [field: string]: unknown
}

/** A stored entry. */
export type Entry<Message = unknown> = EntryEnvelope & EntryContent<Message>

export type Json = string | number | boolean | null | readonly Json[] | JsonObject
export interface JsonObject {
  readonly [key: string]: Json
}

const MESSAGE_TYPES: ReadonlySet<string> = new Set<MessageType>([
  'user_message',
  'assistant_message',
  'system_message',
  'tool_call',
  'tool_result',
])

/** Whether an entry carries a message. */
export function isMessageEntry<Message>(entry: Entry<Message>): entry is EntryEnvelope & MessageContent<Message> {
  return MESSAGE_TYPES.has(entry.type)
}

/** Types that belong to the journal, not to the tree: no entry is ever their child, and `entries()` leaves them out. */
export const CONTROL_TYPES: ReadonlySet<string> = new Set(['leaf_move', 'void', 'closed', 'lost'])
