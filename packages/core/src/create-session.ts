import { checkDocument } from './check.ts'
import { changeDocument, createDocument, freshRev } from './document.ts'
import type { JsonObject } from './entry.ts'
import type { Environment } from './environment.ts'
import type { ScopeNames } from './names.ts'
import { checkId, FORMAT } from './record.ts'
import type { Signal } from './runtime.ts'
import { parseSessionDocument, type SessionDocument } from './session-document.ts'
import { checkTitle, copyMetadata } from './update-session.ts'

/** Options of `sessions.create`. */
export interface CreateOptions {
  /** At most 1,024 characters. */
  readonly title?: string | undefined
  readonly metadata?: JsonObject | undefined
  /** Default: now. */
  readonly createdAt?: Date | string | undefined
  /** Honoured between two steps. */
  readonly signal?: Signal | undefined
}

/** What a new session's document is made of. */
export interface NewSession {
  readonly id: string
  readonly messageFormat: string
  /** Names that tell whether the id and the time fit. */
  readonly names: ScopeNames
}

/** The document of a new session; a `TypeError` for everything that cannot be stored. */
export function newSessionDocument(
  { clock, random }: Environment,
  { id, messageFormat, names }: NewSession,
  options: CreateOptions,
): SessionDocument {
  checkId(id)
  const { title, metadata, createdAt = clock.now() } = options
  const time = new Date(createdAt)
  if (Number.isNaN(time.getTime())) throw new TypeError(`createdAt: ${String(createdAt)} is not a time`)
  names.indexEntry(id, time.getTime())
  if (title !== undefined) checkTitle(title)
  const document: SessionDocument = {
    format: FORMAT,
    rev: freshRev(random),
    revs: [],
    state: 'live',
    id,
    createdAt: time.toISOString(),
    incarnation: 0,
    segment: 0,
    messageFormat,
    ...(title === undefined ? {} : { title }),
    ...(metadata === undefined ? {} : { metadata: copyMetadata(metadata) }),
  }
  checkDocument(JSON.stringify(document))
  return document
}

/**
 * Stores a new session unless there is one of this id; resolves with whether it did.
 *
 * The index entry first: an entry without its session is skipped by every list, a session without its entry would be lost to it.
 */
export async function putSession(
  environment: Environment,
  names: ScopeNames,
  document: SessionDocument,
): Promise<boolean> {
  const { id, createdAt } = document
  const key = names.session(id)
  const entry = names.indexEntry(id, Date.parse(createdAt))
  await createDocument(environment, entry, {})
  if (await createDocument(environment, key, document)) return true
  const inPlace = (current: SessionDocument | undefined) => (current?.state === 'blocked' ? document : undefined)
  const replaced = await changeDocument(environment, key, inPlace, { parse: parseSessionDocument })
  if (replaced.changed) return true
  const winner = replaced.document
  // The entry that this call made is nobody's, unless both were made in one millisecond.
  if (winner && winner.createdAt !== createdAt) await environment.adapter.remove(entry, { forget: true })
  return false
}
