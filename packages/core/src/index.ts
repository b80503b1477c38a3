export * from './adapter.ts'
export type { EntryReference } from './ancestry.ts'
export { canonicalJson, MAX_DEPTH } from './canonical.ts'
export * from './check.ts'
export type { Context } from './context.ts'
export * from './define-adapter.ts'
export * from './entry.ts'
export * from './errors.ts'
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
export * from './runtime.ts'
export { Session, type MoveOptions, type PathOptions, type ReadOptions } from './session.ts'
export type { AppendOptions } from './append.ts'
export type { Problem, Verification, VerifyOptions } from './verify.ts'
export * from './sessions.ts'
