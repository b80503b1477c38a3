import { sha256 } from '@noble/hashes/sha2.js'
import { bytesToHex, utf8ToBytes } from '@noble/hashes/utils.js'
import { canonicalJson, MAX_DEPTH, nestsAtMost } from './canonical.ts'
import { checkText } from './check.ts'
import { MAX_RECORD_BYTES } from './adapter.ts'
import type { Entry, Position } from './entry.ts'
import { CorruptError } from './errors.ts'
import { parseJson } from './parse-json.ts'

/** The version of the stored record and of the session's document. */
export const FORMAT = 1

/** The digest before the first entry. */
export const ROOT_DIGEST: string = '0'.repeat(64)

/**
 * Fields that belong to the record, not to the content: the hash leaves them out and no content may use their names. The same goes
 * for every name that starts with `$`, so that a later version can add some.
 */
export const ENVELOPE_FIELDS: ReadonlySet<string> = new Set([
  'id',
  'parentId',
  'turnId',
  'createdAt',
  'at',
  'position',
  'hash',
  'digest',
  'hints',
  'leaf',
  'epoch',
  'turn',
])

/** The active end of the session: the next entry's parent. */
export interface Leaf {
  readonly id: string
  readonly position: Position
}

/** What a record leaves behind: the last one alone tells the state of the session. */
export interface RecordState {
  /** Null before the first entry. */
  readonly leaf: Leaf | null
  /** The highest turn epoch so far. */
  readonly epoch: number
  /** The open turn. */
  readonly turn: string | null
}

/** Where to look first. */
export interface RecordHints {
  /** Advice: checked by id on arrival; a wrong one costs a search, never an error. */
  readonly parent?: Position
  /** Where the newest compaction lies on the path before it; null: there is none. Absent: whoever wrote it could not tell. See `docs/decisions/0015`. */
  readonly compaction?: Position | null
}

/** The content of a record: its type and the type's own fields. */
export interface RecordContent {
  readonly type: string
  readonly [field: string]: unknown
}

/** One record, decoded. */
export interface SessionRecord {
  readonly id: string
  readonly parentId: string | null
  readonly turnId: string | undefined
  readonly createdAt: string
  readonly hash: string
  readonly digest: string
  readonly state: RecordState
  readonly hints: RecordHints
  readonly content: RecordContent
}

/** What {@link encodeRecord} needs. */
export interface NewRecord {
  readonly id: string
  readonly parentId: string | null
  /** The parent's digest; {@link ROOT_DIGEST} where there is no parent. */
  readonly parentDigest: string
  readonly turnId?: string | undefined
  readonly createdAt: string
  readonly content: RecordContent
  /** Its {@link contentHash}. */
  readonly hash: string
  /** The leaf it leaves behind; `"self"` if it becomes the leaf. */
  readonly leaf: Leaf | null | 'self'
  readonly epoch: number
  readonly turn: string | null
  readonly hints: RecordHints
}

/**
 * SHA-256 of the canonical JSON of a record's content, in lower-case hex.
 *
 * @throws {TypeError} naming the path, for content that JSON would not give back deep-equal or that uses an envelope field.
 */
export function contentHash(content: RecordContent): string {
  for (const field of Object.keys(content)) {
    if (ENVELOPE_FIELDS.has(field) || field.startsWith('$')) {
      throw new TypeError(
        `[${JSON.stringify(field)}] is a field of the record itself; put your own data under another name`,
      )
    }
  }
  return hex(canonicalJson(content))
}

/** The digest of a record: commits to its content, its envelope and, through the parent's digest, to the whole path before it. */
export function recordDigest(record: {
  readonly parentDigest: string
  readonly id: string
  readonly turnId?: string | undefined
  readonly createdAt: string
  readonly hash: string
}): string {
  const { parentDigest, id, turnId = null, createdAt, hash } = record
  return hex(JSON.stringify([parentDigest, id, turnId, createdAt, hash]))
}

const hex = (text: string) => bytesToHex(sha256(utf8ToBytes(text)))

/**
 * Encodes a record as one compact JSON text; returns it with its digest.
 *
 * Contract
 * - Content keeps the order of its keys; the hash does not depend on it.
 * - `leaf` is left out when the record itself becomes the leaf, `epoch` when 0, `turn` when none is open.
 */
export function encodeRecord(record: NewRecord): { readonly text: string; readonly digest: string } {
  const { id, parentId, turnId, createdAt, content, hash, leaf, epoch, turn, hints } = record
  const digest = recordDigest(record)
  const text = JSON.stringify({
    id,
    parentId,
    turnId,
    createdAt,
    ...content,
    hash,
    digest,
    leaf: leaf === 'self' ? undefined : leaf,
    epoch: epoch === 0 ? undefined : epoch,
    turn: turn ?? undefined,
    hints: hints.parent || hints.compaction !== undefined ? hints : undefined,
  })
  checkText(text, MAX_RECORD_BYTES, 'entry')
  return { text, digest }
}

/** Checks an id given by a caller: 1–1,024 characters of well-formed Unicode. */
export function checkId(id: string, what = 'id'): void {
  if (typeof id !== 'string' || id === '' || id.length > 1024 || !id.isWellFormed()) {
    throw new TypeError(`${what}: expected 1-1024 characters of well-formed Unicode`)
  }
}

/**
 * Decodes a record's text.
 *
 * @throws {CorruptError} if it is not a record of this format; `where` says in which log and at which index it lies.
 */
export function decodeRecord(text: string, position: Position, log: string): SessionRecord {
  const corrupt = (why: string, cause?: unknown) =>
    new CorruptError(
      `Record ${position[1]} of log ${log} ${why}; verify() reports all damage, repair() saves the rest.`,
      {
        log,
        at: position[1],
        cause,
      },
    )
  if (!nestsAtMost(text, MAX_DEPTH)) throw corrupt(`nests deeper than ${MAX_DEPTH} levels`)
  let stored: unknown
  try {
    stored = parseJson(text)
  } catch (error) {
    throw corrupt('is not JSON', error)
  }
  if (!isRecordShape(stored)) throw corrupt('lacks a field that every record has')
  const { id, parentId, turnId, createdAt, hash, digest, epoch = 0, turn = null } = stored
  const leaf = stored.leaf === undefined ? { id, position } : stored.leaf && leafFrom(stored.leaf, position)
  return {
    id,
    parentId,
    turnId,
    createdAt,
    hash,
    digest,
    state: { leaf, epoch, turn },
    hints: {
      ...hint('parent', stored.hints?.parent),
      ...(stored.hints?.compaction === null ? { compaction: null } : hint('compaction', stored.hints?.compaction)),
    },
    content: contentOf(stored),
  }
}

/** The entry that a record's text holds, as a caller gets it: an object of its own. */
export function entryFrom<Message>(text: string, position: Position, log: string): Entry<Message> {
  const { id, parentId, turnId, createdAt, hash, digest, content } = decodeRecord(text, position, log)
  const envelope = { id, parentId, ...(turnId === undefined ? {} : { turnId }), createdAt, hash, digest, position }
  return { ...envelope, ...content } as unknown as Entry<Message>
}

// Positions are advice: a malformed one is no advice. The record's own position never holds another entry, so it costs a search.
const leafFrom = ({ id, position }: StoredLeaf, own: Position): Leaf => ({
  id,
  position: isPosition(position) ? position : own,
})

const hint = (name: keyof RecordHints, position: unknown): RecordHints =>
  isPosition(position) ? { [name]: position } : {}

function isPosition(value: unknown): value is Position {
  return Array.isArray(value) && value.length === 2 && value.every((part) => Number.isSafeInteger(part) && part >= 0)
}

interface StoredLeaf {
  readonly id: string
  readonly position?: unknown
}

interface RecordShape {
  readonly id: string
  readonly parentId: string | null
  readonly turnId?: string
  readonly createdAt: string
  readonly type: string
  readonly hash: string
  readonly digest: string
  readonly leaf?: StoredLeaf | null
  readonly epoch?: number
  readonly turn?: string
  readonly hints?: { readonly parent?: unknown; readonly compaction?: unknown } | null
}

function isRecordShape(value: unknown): value is RecordShape {
  if (typeof value !== 'object' || value === null) return false
  const { id, parentId, turnId, createdAt, type, hash, digest, leaf, epoch, turn } = value as RecordShape
  return (
    typeof id === 'string' &&
    (parentId === null || typeof parentId === 'string') &&
    (turnId === undefined || typeof turnId === 'string') &&
    typeof createdAt === 'string' &&
    typeof type === 'string' &&
    typeof hash === 'string' &&
    typeof digest === 'string' &&
    (leaf === undefined || leaf === null || typeof leaf.id === 'string') &&
    (epoch === undefined || typeof epoch === 'number') &&
    (turn === undefined || typeof turn === 'string')
  )
}

// fromEntries defines properties instead of assigning them: an own `__proto__` stays a property.
function contentOf(stored: object): RecordContent {
  const isContent = ([field]: [string, unknown]) => !ENVELOPE_FIELDS.has(field) && !field.startsWith('$')
  return Object.fromEntries(Object.entries(stored).filter(isContent)) as RecordContent
}
