import type {
  BranchSummaryContent,
  CustomContent,
  Json,
  JsonObject,
  MessageContent,
  ModelChangeContent,
} from './entry.ts'

/** Where a turn stands. After `started` come any number of save points and one of the others. */
export type TurnStatus = 'started' | 'save_point' | TerminalStatus

/** How a turn ends. */
export type TerminalStatus = 'completed' | 'waiting' | 'failed' | 'aborted'

/** A step in the life of a turn. Never shown to the model. */
export interface TurnMarkerContent {
  readonly type: 'turn_marker'
  readonly status: TurnStatus
  /** `recoverable: true` on an `aborted` one: a crash ended the turn, not its user. */
  readonly metadata?: JsonObject
}

/** Why a turn failed. Never shown to the model. */
export interface RunFailureContent {
  readonly type: 'run_failure'
  readonly error: string
  readonly metadata?: JsonObject
}

/** The tools that the model may call from here on. Never shown to the model. */
export interface ActiveToolsChangeContent {
  readonly type: 'active_tools_change'
  readonly tools: readonly string[]
  readonly metadata?: JsonObject
}

/** A name that somebody gave an entry; null takes it away. Keeps the leaf, and is never shown to the model. */
export interface LabelContent {
  readonly type: 'label'
  readonly target: string
  readonly label: string | null
}

/** Something about the session itself. Never shown to the model. */
export interface ThreadInfoContent {
  readonly type: 'thread_info'
  readonly metadata?: JsonObject
}

/** A user's message of a compacted head, kept word for word. */
export interface KeptUser {
  readonly entryId: string
  readonly text: string
}

/** A system message of a compacted head, kept as it is. */
export interface KeptSystem<Message = unknown> {
  readonly entryId: string
  readonly message: Message
}

/** What made somebody compact. */
export type CompactionTrigger = 'pre_request' | 'post_response' | 'context_overflow' | 'manual'

/** Why it was needed. */
export type CompactionReason =
  | 'threshold'
  | 'provider_overflow'
  | 'follow_up_pressure'
  | 'manual'
  | 'output_continuation'

/**
 * A checkpoint: in the model's context it stands for everything before it, except what it keeps. Holds what it keeps of the head by
 * value, so that nobody has to read the head again.
 */
export interface CompactionContent<Message = unknown> {
  readonly type: 'compaction'
  /** Empty: no checkpoint is shown, only what is kept. */
  readonly summary: string
  /** The context goes on with this entry; null: with what follows the compaction. Absent, and no `keptUsers`: with the last batch before it. */
  readonly firstKeptEntryId?: string | null
  /** Shown inside the checkpoint, oldest first, except those that the context shows anyway. */
  readonly keptUsers?: readonly KeptUser[]
  /** Shown before the checkpoint, oldest first. */
  readonly keptSystem?: readonly KeptSystem<Message>[]
  /** The last entry that the summary covers. */
  readonly compactedThroughEntryId?: string
  /** The compaction that was in effect before. */
  readonly previousCompactionId?: string
  /** How many compactions deep the summary is: 1 for the first. */
  readonly generation?: number
  readonly trigger?: CompactionTrigger
  readonly reason?: CompactionReason
  /** The estimate for the context that was compacted. */
  readonly tokensBefore?: number
  /** The estimate for the context that it left. */
  readonly tokensAfter?: number
  readonly metadata?: JsonObject
}

/** Everything that may be recorded: the twelve types of the session tree, system messages and labels. */
export type EntryContent<Message = unknown> =
  | MessageContent<Message>
  | BranchSummaryContent
  | CompactionContent<Message>
  | TurnMarkerContent
  | RunFailureContent
  | ModelChangeContent
  | ActiveToolsChangeContent
  | ThreadInfoContent
  | LabelContent
  | CustomContent

/** A field of an entry's content, whatever its type; undefined where the entry has none. */
export function contentField(entry: { readonly type: string }, field: string): Json | undefined {
  return Object.hasOwn(entry, field) ? (entry as unknown as { readonly [field: string]: Json })[field] : undefined
}

/** The status of a turn marker; undefined for any other entry. */
export function markerStatus(entry: { readonly type: string }): TurnStatus | undefined {
  if (entry.type !== 'turn_marker') return undefined
  const status = contentField(entry, 'status')
  return STATUSES.find((known) => known === status)
}

const STATUSES: readonly TurnStatus[] = ['started', 'save_point', 'completed', 'waiting', 'failed', 'aborted']

/** Whether a status ends its turn. */
export function isTerminal(status: TurnStatus | undefined): status is TerminalStatus {
  return status !== undefined && status !== 'started' && status !== 'save_point'
}
