import {
  canonicalJson,
  contentHash,
  MAX_RECORD_BYTES,
  utf8Length,
  type JsonObject,
  type RecordContent,
} from '@sessiontree/core'
import { assertId } from './assert-id.ts'
import { InputError } from './input-error.ts'
import { piMessageType, textOf, type PiMessage } from './pi-format.ts'
import { parsePiSession, type PiEntry } from './pi-session.ts'
import { clip } from './preview.ts'

/** One entry to record. */
export interface TranscriptEntry {
  readonly id: string
  readonly parentId: string | null
  readonly createdAt: string
  /** What it is in the file: `message/user`, `model_change`, … */
  readonly kind: string
  /** The message, where that is all the entry holds. */
  readonly message: PiMessage | undefined
  readonly content: RecordContent
  /** The size of the content as JSON, in bytes of UTF-8. */
  readonly bytes: number
}

/** A pi session, ready to be recorded. */
export interface Transcript {
  readonly id: string
  readonly title: string
  readonly createdAt: string
  readonly metadata: JsonObject
  readonly version: number
  /** The size of the file, in bytes of UTF-8. */
  readonly bytes: number
  readonly entries: readonly TranscriptEntry[]
}

const LONGEST_TITLE = 60
// What the record adds to the content: two ids of at most 1,024 characters, hashes, leaf and hints.
const ENVELOPE_BYTES = 64 * 1024

/**
 * Turns the text of a pi session file into the entries to record.
 *
 * Contract
 * - Checks all that recording would refuse, so that a bad file writes nothing: {@link InputError} with the line.
 * - One line of the file is one entry; nothing of it is lost but the formatting.
 */
export function parseTranscript(text: string): Transcript {
  const { id, version, createdAt, header, entries } = parsePiSession(text)
  assertId(id, 'line 1: the session id')
  check(1, () => canonicalJson(header))
  return {
    id,
    title: titleOf(entries) ?? `pi session ${id}`,
    createdAt,
    metadata: { source: 'pi', header },
    version,
    bytes: utf8Length(text),
    entries: entries.map(transcriptEntry),
  }
}

function transcriptEntry(entry: PiEntry): TranscriptEntry {
  const { line, id, parentId, createdAt } = entry
  const { kind, content, message } = translate(entry)
  assertId(id, `line ${line}: the id`)
  check(line, () => contentHash(content))
  const bytes = utf8Length(JSON.stringify(content))
  if (bytes > MAX_RECORD_BYTES - ENVELOPE_BYTES) throw new InputError(`line ${line}: larger than a record may be`)
  return { id, parentId, createdAt, kind, message, content, bytes }
}

function check(line: number, rule: () => unknown): void {
  try {
    rule()
  } catch (error) {
    if (error instanceof TypeError) throw new InputError(`line ${line}: ${error.message}`)
    throw error
  }
}

function translate(entry: PiEntry): Pick<TranscriptEntry, 'kind' | 'content'> & { readonly message?: PiMessage } {
  const { type, fields, line } = entry
  switch (type) {
    case 'message':
      return translateMessage(entry)
    case 'model_change': {
      const { provider, modelId, ...rest } = fields
      assertText(line, { provider, modelId })
      return { kind: type, content: { type, provider, model: modelId, ...metadata(rest) } }
    }
    case 'compaction': {
      const { summary, firstKeptEntryId, ...rest } = fields
      assertText(line, { summary, ...(firstKeptEntryId === undefined ? {} : { firstKeptEntryId }) })
      return { kind: type, content: { type, summary, firstKeptEntryId, ...metadata(rest) } }
    }
    case 'branch_summary': {
      const { summary, ...rest } = fields
      assertText(line, { summary })
      return { kind: type, content: { type, summary, ...metadata(rest) } }
    }
    default:
      return { kind: type, content: { type: 'custom', name: type, data: fields } }
  }
}

function translateMessage({ line, fields: { message, ...rest } }: PiEntry): ReturnType<typeof translate> {
  if (!isMessage(message)) throw new InputError(`line ${line}: expected a message with a role`)
  const kind = `message/${message.role}`
  const type = piMessageType(message)
  if (!type) return { kind, content: { type: 'custom', name: kind, data: message, ...metadata(rest) } }
  const content = { type, message, ...metadata(rest) }
  return Object.keys(rest).length === 0 ? { kind, content, message } : { kind, content }
}

function isMessage(value: unknown): value is PiMessage {
  return typeof value === 'object' && value !== null && typeof (value as { role?: unknown }).role === 'string'
}

function assertText(line: number, fields: Record<string, unknown>): void {
  for (const [name, value] of Object.entries(fields)) {
    if (typeof value !== 'string') throw new InputError(`line ${line}: expected a text as ${name}`)
  }
}

const metadata = (rest: JsonObject) => (Object.keys(rest).length === 0 ? {} : { metadata: rest })

/** The name that the user gave last, else the first line of the first question. */
function titleOf(entries: readonly PiEntry[]): string | undefined {
  const name = entries.findLast(({ type }) => type === 'session_info')?.fields['name']
  if (typeof name === 'string' && name.trim() !== '') return clip(name.trim(), LONGEST_TITLE)
  for (const { fields } of entries) {
    if (!isMessage(fields['message']) || fields['message'].role !== 'user') continue
    const line = textOf(fields['message']['content'])
      .split('\n')
      .find((text) => text.trim() !== '')
    if (line !== undefined) return clip(line.trim(), LONGEST_TITLE)
  }
  return undefined
}
