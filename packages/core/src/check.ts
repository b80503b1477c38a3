import {
  DEFAULT_READ_AHEAD,
  MAX_BATCH_RECORDS,
  MAX_DOCUMENT_BYTES,
  MAX_INDEX,
  MAX_RECORD_BYTES,
  type ListOptions,
  type ReadRange,
} from './adapter.ts'
import type { Signal } from './runtime.ts'

/** The longest name, in characters. */
export const MAX_NAME_LENGTH: number = 500
/** The most segments in a name. */
export const MAX_NAME_SEGMENTS: number = 8
/** The longest segment, in characters. */
export const MAX_SEGMENT_LENGTH: number = 100

const SEGMENT = /^[a-z0-9_~-](?:[a-z0-9_~.-]*[a-z0-9_~-])?$/
// Windows reserves these whatever extension follows.
const DEVICE = /^(?:con|prn|aux|nul|com[0-9]|lpt[0-9])(?:\.|$)/

/** Whether one segment of a name is well formed: see {@link checkName}. */
export function isSegment(segment: string): boolean {
  return segment.length <= MAX_SEGMENT_LENGTH && SEGMENT.test(segment) && !DEVICE.test(segment)
}

/**
 * Checks the name of a log or the key of a document: `/`-joined segments, at most 8 and 500 characters; a segment is 1–100 of
 * `[a-z0-9_~-]`, and `.` where it is neither first nor last, and its part before the first `.` no device name of Windows.
 *
 * @throws {TypeError} that says which segment breaks which rule.
 */
export function checkName(name: string, what = 'name'): void {
  if (typeof name !== 'string') throw new TypeError(`${what}: expected a string, got ${typeof name}`)
  if (name.length > MAX_NAME_LENGTH) {
    throw new TypeError(`${what}: ${name.length} characters, at most ${MAX_NAME_LENGTH}`)
  }
  const segments = name.split('/')
  if (segments.length > MAX_NAME_SEGMENTS) {
    throw new TypeError(`${what}: ${segments.length} segments, at most ${MAX_NAME_SEGMENTS}`)
  }
  for (const segment of segments) {
    if (isSegment(segment)) continue
    throw new TypeError(
      `${what}: segment ${JSON.stringify(segment.slice(0, 120))} is not 1-${MAX_SEGMENT_LENGTH} of a-z 0-9 _ ~ - ` +
        `(and . inside), or is a device name; encode ids with encodeSegment()`,
    )
  }
}

/** Checks a prefix of names: a name, or `""` for everything. */
export function checkPrefix(prefix: string): void {
  if (prefix !== '') checkName(prefix, 'prefix')
}

/** The number of bytes that a well-formed text has in UTF-8. */
export function utf8Length(text: string): number {
  let bytes = text.length
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i)
    if (unit < 0x80) continue
    // A surrogate pair has two units and four bytes: each unit adds one.
    bytes += unit < 0x800 || (unit >= 0xd800 && unit < 0xe000) ? 1 : 2
  }
  return bytes
}

// Every third byte at most comes from one UTF-16 unit: a short text needs no counting.
function exceeds(text: string, bytes: number): boolean {
  return text.length > bytes || (text.length * 3 > bytes && utf8Length(text) > bytes)
}

/**
 * Checks the text of a record or document: a string, well-formed Unicode, not empty, no raw CR or LF, at most `bytes` of UTF-8.
 * Whether it is JSON is the caller's business: an adapter never parses it.
 */
export function checkText(text: string, bytes: number, what: string): void {
  if (typeof text !== 'string') throw new TypeError(`${what}: expected a string, got ${typeof text}`)
  if (text === '') throw new TypeError(`${what}: empty text is not JSON`)
  if (exceeds(text, bytes)) throw new TypeError(`${what}: larger than ${bytes} bytes`)
  if (!text.isWellFormed()) {
    throw new TypeError(`${what}: lone surrogate; write it as \\udXXX, as JSON.stringify does`)
  }
  if (/[\r\n]/.test(text)) throw new TypeError(`${what}: raw line break; use compact JSON`)
}

/** Checks a whole number from `least` to {@link MAX_INDEX}. */
export function checkIndex(value: number, what: string, least = 0): void {
  if (!Number.isInteger(value) || value < least || value > MAX_INDEX) {
    throw new TypeError(`${what}: expected a whole number from ${least} to ${MAX_INDEX}, got ${String(value)}`)
  }
}

/** Checks what `append` was given. */
export function checkAppend(at: number, records: readonly string[]): void {
  checkIndex(at, 'at')
  if (!Array.isArray(records) || records.length === 0 || records.length > MAX_BATCH_RECORDS) {
    throw new TypeError(`records: expected an array of 1-${MAX_BATCH_RECORDS} records`)
  }
  checkIndex(at + records.length, 'at + records.length')
  let total = 0
  for (const [i, record] of records.entries()) {
    checkText(record, MAX_RECORD_BYTES, `records[${i}]`)
    total += record.length
  }
  if (total * 3 > MAX_RECORD_BYTES && records.length > 1) {
    total = records.reduce((sum, record) => sum + utf8Length(record), 0)
    if (total > MAX_RECORD_BYTES) throw new TypeError(`records: ${total} bytes together, at most ${MAX_RECORD_BYTES}`)
  }
}

/** A range with every default filled in; `to` and `limit` may be `Infinity`. */
export interface ResolvedRange {
  readonly from: number
  readonly to: number
  readonly limit: number
  readonly reverse: boolean
  readonly readAhead: number
  readonly salvage: boolean
  readonly signal: Signal | undefined
}

/** Checks a range and fills in its defaults. */
export function resolveRange(range: ReadRange = {}): ResolvedRange {
  const { from = 0, to = Infinity, limit = Infinity, readAhead = DEFAULT_READ_AHEAD } = range
  checkIndex(from, 'from')
  if (to !== Infinity) checkIndex(to, 'to')
  if (limit !== Infinity) checkIndex(limit, 'limit', 1)
  if (readAhead !== Infinity) checkIndex(readAhead, 'readAhead')
  const { reverse = false, salvage = false, signal } = range
  return { from, to, limit, reverse, readAhead, salvage, signal }
}

/** A listing with every default filled in; `limit` may be `Infinity`. */
export interface ResolvedListing {
  readonly after: string
  readonly limit: number
  readonly signal: Signal | undefined
}

/** Checks a listing's options and fills in their defaults; `after` is `""` when it is not given. */
export function resolveListing(options: ListOptions = {}): ResolvedListing {
  const { after = '', limit = Infinity, signal } = options
  if (after !== '') checkName(after, 'after')
  if (limit !== Infinity) checkIndex(limit, 'limit', 1)
  return { after, limit, signal }
}

/** Checks a document's value. */
export function checkDocument(value: string): void {
  checkText(value, MAX_DOCUMENT_BYTES, 'value')
}

/** Checks what `put` or `remove` expects: a version, and for `put` also `"absent"`. */
export function checkVersion(expect: string, operation: 'put' | 'remove'): void {
  if (typeof expect === 'string' && expect !== '' && (operation === 'put' || expect !== 'absent')) return
  throw new TypeError(`expect: expected a version${operation === 'put' ? ' or "absent"' : ''}, got ${String(expect)}`)
}
