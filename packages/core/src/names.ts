import { sha256 } from '@noble/hashes/sha2.js'
import { bytesToHex, utf8ToBytes } from '@noble/hashes/utils.js'
import { checkIndex, isSegment } from './check.ts'

const PLAIN = /^[a-z0-9_-]$/
const KEPT_OF_A_LONG_ID = 20
/**
 * The longest encoded id: what a hashed one needs, and what a segment of 100 leaves beside an index entry's time or a scope's
 * incarnation, so that one id has one encoding everywhere.
 */
export const MAX_ENCODED_ID = 86
const BASE = 'base-'
const MAX_SCOPE_LEVELS = 4
// Leaves room for a kind, an id and what hangs below it in a name of 500.
const MAX_SCOPE_LENGTH = 280
const MAX_MILLISECONDS = 2 ** 48 - 1
const TIME_DIGITS = 12

/**
 * Turns any id into one segment of a name; different ids give different segments.
 *
 * Contract
 * - Every byte of the UTF-8 outside `[a-z0-9_-]` becomes `~` and two hex digits; the empty id becomes `~`.
 * - A result longer than {@link MAX_ENCODED_ID} becomes its first 20 characters, `~~` and the SHA-256 of the id's UTF-8 in hex.
 * - A device name of Windows gets its first character escaped: `con` → `~63on`.
 * - Contains no `.`: core marks its own segments with one.
 * @throws {TypeError} for an id with a lone surrogate.
 */
export function encodeSegment(id: string): string {
  if (typeof id !== 'string') throw new TypeError(`id: expected a string, got ${typeof id}`)
  if (!id.isWellFormed()) throw new TypeError('id: lone surrogate; an id must be well-formed Unicode')
  if (id === '') return '~'
  const bytes = utf8ToBytes(id)
  let segment = ''
  for (const byte of bytes) {
    const character = String.fromCharCode(byte)
    segment += PLAIN.test(character) ? character : `~${byte.toString(16).padStart(2, '0')}`
    if (segment.length > MAX_ENCODED_ID) {
      // Only the first 20 characters are kept, and those are complete by now.
      return `${segment.slice(0, KEPT_OF_A_LONG_ID)}~~${bytesToHex(sha256(bytes))}`
    }
  }
  return isSegment(segment) ? segment : `~${segment.charCodeAt(0).toString(16)}${segment.slice(1)}`
}

/** The names that one scope of sessions uses. See `docs/format.md`, "Names". */
export interface ScopeNames {
  /** The prefix of everything that the scope keeps, inner scopes too; empty without a scope. */
  readonly root: string
  /** The prefix under which the scope keeps documents or logs of one kind. */
  kind(kind: string): string
  /** The key of a session's document. */
  session(id: string): string
  /** The name of a session's log; the first incarnation is 0. */
  log(id: string, incarnation: number): string
  /** The name of the log in which a fork keeps a copy of what a deleted ancestor shared with it. */
  base(id: string, deleteId: string, segment: number): string
  /** The prefix of the references to a session from its forks. */
  references(id: string): string
  /** The key of the document that says: this fork may depend on this session. */
  reference(id: string, fork: string): string
  /** The prefix of the marks of a session's sub-agents. */
  subAgents(owner: string): string
  /** The key of the document that says: this session may be a sub-agent of that one. */
  subAgent(owner: string, id: string): string
  /** The key of the document of the session to which a reference or mark belongs. */
  referred(key: string): string
  /** The key of the document of the session for which a reference or mark stands: the fork, the sub-agent. */
  referring(key: string): string
  /** The prefix of the index documents. */
  readonly index: string
  /** The key of a session's index document: ascending keys are descending times, then ascending encoded ids. */
  indexEntry(id: string, createdAt: number): string
  /** The key of the session's document and the time that an index document's key stands for. */
  indexed(key: string): { readonly sessionKey: string; readonly createdAt: number }
}

/** One level of a scope: its own string, and how often it was erased. */
export interface ScopeLevel {
  readonly id: string
  readonly incarnation: number
}

/**
 * The names of a scope (tenant, user, project): `<level>.<incarnation>/…/<kind>/<id>[/…]`.
 *
 * Contract
 * - A level holds a `.`; a kind and an encoded id never do: what a scope keeps never meets its inner scopes.
 * - Every level's incarnation is in the name: erasing an outer scope moves all inner ones, and their old handles write into
 *   the void.
 * - Different scopes, incarnations, kinds and ids give different names.
 */
export function scopeNames(scope: readonly ScopeLevel[]): ScopeNames {
  if (scope.length > MAX_SCOPE_LEVELS) throw new TypeError(`scope: at most ${MAX_SCOPE_LEVELS} strings`)
  const root = scope.map(scopeSegment).join('/')
  // As if none was ever erased: a scope that is accepted once is accepted for good.
  const length = scope.reduce((sum, { id }) => sum + scopeSegment({ id, incarnation: 0 }).length + 1, 0)
  if (length > MAX_SCOPE_LENGTH) {
    throw new TypeError(`scope: ${length} characters once encoded, at most ${MAX_SCOPE_LENGTH}`)
  }
  const kind = (name: string) => (root === '' ? name : `${root}/${name}`)
  const index = kind('index')
  return {
    root,
    kind,
    index,
    session: (id) => `${kind('session')}/${encodeSegment(id)}`,
    log: (id, incarnation) => `${kind('session')}/${encodeSegment(id)}/${incarnation}`,
    base: (id, deleteId, segment) => `${kind('session')}/${encodeSegment(id)}/${BASE}${deleteId}-${segment}`,
    references: (id) => `${kind('refs')}/${encodeSegment(id)}`,
    reference: (id, fork) => `${kind('refs')}/${encodeSegment(id)}/${encodeSegment(fork)}`,
    subAgents: (owner) => `${kind('children')}/${encodeSegment(owner)}`,
    subAgent: (owner, id) => `${kind('children')}/${encodeSegment(owner)}/${encodeSegment(id)}`,
    referred: (key) => `${kind('session')}/${key.split('/').at(-2)}`,
    referring: (key) => `${kind('session')}/${key.slice(key.lastIndexOf('/') + 1)}`,
    indexEntry: (id, createdAt) => `${index}/${inverseTime(createdAt)}-${encodeSegment(id)}`,
    indexed(key) {
      const entry = key.slice(index.length + 1)
      const createdAt = MAX_MILLISECONDS - Number.parseInt(entry.slice(0, TIME_DIGITS), 16)
      return { sessionKey: `${kind('session')}/${entry.slice(TIME_DIGITS + 1)}`, createdAt }
    },
  }
}

/** Whether a log holds the copy of a path: see {@link ScopeNames.base}. */
export function isBaseLog(log: string): boolean {
  return log.startsWith(BASE, log.lastIndexOf('/') + 1)
}

function scopeSegment({ id, incarnation }: ScopeLevel): string {
  checkIndex(incarnation, 'incarnation')
  return `${encodeSegment(id)}.${incarnation}`
}

function inverseTime(milliseconds: number): string {
  if (!Number.isInteger(milliseconds) || milliseconds < 0 || milliseconds > MAX_MILLISECONDS) {
    throw new TypeError(`createdAt: expected whole milliseconds since 1970, got ${String(milliseconds)}`)
  }
  return (MAX_MILLISECONDS - milliseconds).toString(16).padStart(TIME_DIGITS, '0')
}
