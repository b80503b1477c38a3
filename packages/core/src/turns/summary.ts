import { contentField } from '../entry-types.ts'
import { isMessageEntry, type Entry, type JsonObject } from '../entry.ts'
import { hasFields } from '../formats/content-parts.ts'
import type { SessionStatus } from '../lifecycle.ts'
import type { MessageFormat } from '../message-format.ts'
import { takeApart } from '../context/visible.ts'
import { preview } from '../preview.ts'
import type { SessionDocument } from '../session-document.ts'

/** What a session's document says about its log, for lists: as of the last beginning or end of a turn, or `touch()`. */
export interface Summary {
  /** When the newest entry was made: UTC, ISO 8601. */
  readonly updatedAt: string
  readonly status: SessionStatus
  /** The beginning of the newest message that says anything. */
  readonly preview?: string
  /** How many records the log held. */
  readonly records: number
}

/** The summary in a session's document; undefined if there is none that can be read. */
export function summaryOf({ summary }: Pick<SessionDocument, 'summary'>): Summary | undefined {
  if (!hasFields(summary)) return undefined
  const { updatedAt, status, preview: text, records } = summary
  if (typeof updatedAt !== 'string' || typeof status !== 'string' || typeof records !== 'number') return undefined
  const base = { updatedAt, status: status as SessionStatus, records }
  return typeof text === 'string' ? { ...base, preview: text } : base
}

/** A summary as the field of a document. */
export function summaryField({ updatedAt, status, preview: text, records }: Summary): JsonObject {
  return { updatedAt, status, ...(text === undefined ? {} : { preview: text }), records }
}

/** The beginning of what an entry's message says; undefined if it says nothing. */
export function previewOf<Message>(entry: Entry<Message>, format: MessageFormat<Message>): string | undefined {
  if (!isMessageEntry(entry) || contentField(entry, 'message') === undefined) return undefined
  const text = takeApart(entry.message, entry.type, format).text.trim()
  return text === '' ? undefined : preview(text)
}
