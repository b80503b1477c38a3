import type { JsonObject } from '@sessiontree/core'
import { InputError } from './input-error.ts'

/** One line of a pi session file below the header. */
export interface PiEntry {
  /** Counted from 1, as editors do. */
  readonly line: number
  readonly id: string
  readonly parentId: string | null
  /** UTC, ISO 8601 with milliseconds; the header's time where the line has none. */
  readonly createdAt: string
  readonly type: string
  /** Everything but type, id, parentId and timestamp. */
  readonly fields: JsonObject
}

/** A pi session file, read to its end. */
export interface PiSession {
  readonly id: string
  readonly version: number
  readonly createdAt: string
  /** The header line without its type. */
  readonly header: JsonObject
  /** In file order: every parent stands before its children, and the last one is pi's leaf. */
  readonly entries: readonly PiEntry[]
}

const NEWEST_VERSION = 3

interface Line {
  readonly number: number
  readonly value: JsonObject
}

/**
 * Parses a session file of the pi coding agent, versions 1 to 3.
 *
 * Contract
 * - Version 1 (a header without a version) is linear: an entry's id comes from its line number, its parent is the entry before it, and a
 *   compaction's `firstKeptEntryIndex`, which counts the header as 0, becomes `firstKeptEntryId`.
 * - From version 2 on `id` and `parentId` are the file's own.
 * - Anything that is no such file is an {@link InputError} that names the line; no line is skipped.
 */
export function parsePiSession(text: string): PiSession {
  const [first, ...lines] = parseLines(text)
  if (!first) throw new InputError('not a pi session: the file is empty')
  const { type, ...header } = first.value
  if (type !== 'session') {
    throw new InputError(`not a pi session: line ${first.number} is no session header ({"type":"session",…})`)
  }
  const { id, version = 1, timestamp } = header
  if (typeof id !== 'string' || id === '') throw new InputError(`line ${first.number}: the session header has no id`)
  if (!Number.isInteger(version) || Number(version) < 1 || Number(version) > NEWEST_VERSION) {
    throw new InputError(
      `line ${first.number}: session version ${JSON.stringify(version)} is unknown; versions 1 to ${NEWEST_VERSION} are read`,
    )
  }
  const createdAt = isoTime(timestamp)
  if (createdAt === undefined) throw new InputError(`line ${first.number}: the session header has no valid timestamp`)
  const entries = version === 1 ? linearEntries(first, lines, createdAt) : treeEntries(lines, createdAt)
  return { id, version: Number(version), createdAt, header, entries }
}

function parseLines(text: string): Line[] {
  const lines: Line[] = []
  for (const [index, line] of text.split('\n').entries()) {
    if (line.trim() !== '') lines.push({ number: index + 1, value: parseLine(line, index + 1) })
  }
  return lines
}

function parseLine(line: string, number: number): JsonObject {
  let value: unknown
  try {
    value = JSON.parse(line)
  } catch {
    // The parser's own message quotes the line, which may hold anything.
    throw new InputError(`line ${number}: not JSON; is this a pi session file, and is it complete?`)
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new InputError(`line ${number}: expected a JSON object`)
  }
  return value as JsonObject
}

function linearEntries(header: Line, lines: readonly Line[], headerTime: string): PiEntry[] {
  // What firstKeptEntryIndex counts: every line that is not blank, from the header on.
  const counted = [header, ...lines]
  const digits = String(lines.at(-1)?.number ?? 1).length
  const idOf = ({ number }: Line) => `line-${String(number).padStart(digits, '0')}`
  return lines.map((line, i) => {
    const entry = entryOf(line, headerTime, idOf(line), i === 0 ? null : idOf(lines[i - 1] as Line))
    const { firstKeptEntryIndex: index, ...fields } = entry.fields
    if (entry.type !== 'compaction' || index === undefined) return entry
    // The compaction itself is counted[i + 1].
    if (!Number.isInteger(index) || Number(index) < 0 || Number(index) > i) {
      throw new InputError(`line ${line.number}: firstKeptEntryIndex ${JSON.stringify(index)} names no line before it`)
    }
    const kept = index === 0 ? {} : { firstKeptEntryId: idOf(counted[Number(index)] as Line) }
    return { ...entry, fields: { ...fields, ...kept } }
  })
}

function treeEntries(lines: readonly Line[], headerTime: string): PiEntry[] {
  const lineOf = new Map<string, number>()
  return lines.map((line) => {
    const { id, parentId = null } = line.value
    if (typeof id !== 'string' || id === '') throw new InputError(`line ${line.number}: the entry has no id`)
    const taken = lineOf.get(id)
    if (taken !== undefined) {
      throw new InputError(`line ${line.number}: id ${JSON.stringify(id)} is taken by line ${taken}`)
    }
    if (parentId !== null && (typeof parentId !== 'string' || !lineOf.has(parentId))) {
      throw new InputError(`line ${line.number}: parentId ${JSON.stringify(parentId)} names no entry before it`)
    }
    lineOf.set(id, line.number)
    return entryOf(line, headerTime, id, parentId)
  })
}

function entryOf({ number, value }: Line, headerTime: string, id: string, parentId: string | null): PiEntry {
  // A rest pattern defines properties instead of assigning them: an own `__proto__` stays a property.
  const { type, id: _id, parentId: _parentId, timestamp, ...fields } = value
  if (typeof type !== 'string' || type === '') throw new InputError(`line ${number}: the entry has no type`)
  if (type === 'session') throw new InputError(`line ${number}: a second session header`)
  return { line: number, id, parentId, createdAt: isoTime(timestamp) ?? headerTime, type, fields }
}

function isoTime(timestamp: unknown): string | undefined {
  if (typeof timestamp !== 'string') return undefined
  const time = new Date(timestamp)
  return Number.isNaN(time.getTime()) ? undefined : time.toISOString()
}
