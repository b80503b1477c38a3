export * from './adapter.ts'
export type { EntryReference } from './ancestry.ts'
export { canonicalJson, MAX_DEPTH } from './canonical.ts'
export * from './check.ts'
export { MAX_LABEL_LENGTH } from './check-label.ts'
export type { CompactOptions, Summarise, SummaryRequest } from './compact.ts'
export * from './compaction.ts'
export type { CompactionSettings } from './compaction-settings.ts'
export * from './context.ts'
export type { CreateOptions } from './create-session.ts'
export * from './define-adapter.ts'
export type { DeleteOptions } from './delete-session.ts'
export * from './entry-types.ts'
export * from './entry.ts'
export type { EraseOptions, EraseProgress, EraseReceipt, Failure } from './erase.ts'
export { EntryStream, type ToArrayOptions } from './entry-stream.ts'
export * from './errors.ts'
export type { SessionSnapshot } from './live/snapshot-store.ts'
export type { Following, FollowOptions } from './live/follow.ts'
export type { ForkOptions } from './forks/fork-session.ts'
export type { DeleteProgress } from './forks/release-forks.ts'
export type { SessionParent, SubAgents } from './sub-agents.ts'
export type { ForkOrigin } from './session-document.ts'
export type { ListSessionsOptions, SessionInfo, SessionOrigin } from './list-sessions.ts'
export type { GenerateTitle, GenerateTitleOptions } from './generate-title.ts'
export * from './lifecycle.ts'
export * from './message-format.ts'
export * from './names.ts'
export {
  contentHash,
  decodeRecord,
  FORMAT,
  recordDigest,
  ROOT_DIGEST,
  type Leaf,
  type RecordContent,
  type RecordHints,
  type RecordState,
  type SessionRecord,
} from './record.ts'
export * from './preview.ts'
export type { Gap, Repair, RepairOptions } from './repair.ts'
export * from './retry.ts'
export type { HomeDocument } from './record-log/home-document.ts'
export type { Derive, LogDraft } from './record-log/log-draft.ts'
export { LogFold, type Foldable } from './record-log/log-fold.ts'
export {
  RecordHome,
  recordHomes,
  type ClearOptions,
  type CloseOptions,
  type FoundHome,
  type RecordHomeOptions,
} from './record-log/record-home.ts'
export {
  RecordLog,
  type LogReading,
  type LogSnapshot,
  type RecordLogOptions,
  type ValueRange,
} from './record-log/record-log.ts'
export type { StoredValue } from './record-log/stored-value.ts'
export * from './runtime.ts'
export type { Saved, SaveOptions } from './save.ts'
export type { ReadableSession } from './readable-session.ts'
export { Session } from './session.ts'
export type { MoveOptions, PathOptions, ReadOptions } from './session-options.ts'
export type { AppendOptions } from './append.ts'
export type { Problem, Verification, VerifyOptions } from './verify.ts'
export * from './sessions.ts'
export { beginTitle, needsTitle, normalizeTitle, titleFrom, type TitleOutcome, type TitleState } from './title.ts'
export type { LabelOptions } from './tree/label.ts'
export type { SessionTree, TreeBranch, TreeNode } from './tree/session-tree.ts'
export type { BeginTurnOptions } from './turns/begin-turn.ts'
export type { RecoveredTurn } from './turns/close-open-turn.ts'
export type { TurnInfo } from './turns/lease.ts'
export type { Recovery } from './turns/recover.ts'
export type { RetryPoint } from './turns/standing.ts'
export { Turn, type TurnEnd } from './turns/turn.ts'
export type { TurnAppendOptions } from './turns/turn-branch.ts'
export type { HeldLock, TurnLock } from './turns/turn-lock.ts'
export type { UnknownCall } from './turns/unknown-calls.ts'
export * from './token-estimate.ts'
export type { SweepOptions, SweepProgress, SweepReport } from './sweep.ts'
export { MAX_LABELS, type LabelPatch, type SessionPatch, type UpdateOptions } from './update-session.ts'
export { MAX_TITLE_LENGTH } from './session-fields.ts'
