import { canonicalJson } from './canonical.ts'
import type { Environment } from './environment.ts'
import type { JsonObject } from './entry.ts'
import { parseJson } from './parse-json.ts'
import { changeSession, type SessionDocument, type SessionReference } from './session-document.ts'
import type { Signal } from './runtime.ts'

/** What `session.update` changes; what is left out stays. */
export interface SessionPatch {
  /** A new title of at most {@link MAX_TITLE_LENGTH} characters; null takes it away. */
  readonly title?: string | null | undefined
  /** Keys to set; null removes a key. A value replaces the one before it as a whole, also where both are objects. */
  readonly metadata?: JsonObject | undefined
}

/** Options of `session.update`. */
export interface UpdateOptions {
  readonly signal?: Signal | undefined
}

/** The longest title, in UTF-16 code units. */
export const MAX_TITLE_LENGTH: number = 1024

/**
 * Changes title and metadata of a live session; resolves with its document.
 *
 * Contract
 * - A bad title, or metadata that JSON cannot keep, is a `TypeError` before anything is read; so is a document of more than 1 MiB, before
 *   anything is written.
 * - Patches of several writers all take effect, each once; of two for the same key the later one counts. One that changes nothing writes nothing.
 * - Fields that this version does not know stay. The patch may be changed as soon as the call has returned its promise.
 */
export async function updateSession(
  environment: Environment,
  session: SessionReference,
  patch: SessionPatch,
  { signal }: UpdateOptions = {},
): Promise<SessionDocument> {
  const copy = checkPatch(patch)
  const { document } = await changeSession(environment, session, (current) => patchSession(current, copy), { signal })
  return document
}

/** The document with a checked patch, or undefined if that is what it holds already. */
function patchSession(document: SessionDocument, { title, metadata = {} }: SessionPatch): SessionDocument | undefined {
  // Entries and fromEntries: an own `__proto__` stays a key.
  const members = new Map(Object.entries(document.metadata ?? {}))
  for (const [key, member] of Object.entries(metadata)) {
    if (member === null) members.delete(key)
    else members.set(key, member)
  }
  const { title: before, metadata: old, ...rest } = document
  const after = title === undefined ? before : (title ?? undefined)
  const patched = {
    ...rest,
    ...(after === undefined ? {} : { title: after }),
    ...(members.size === 0 && old === undefined ? {} : { metadata: Object.fromEntries(members) }),
  } as SessionDocument
  return canonicalJson(patched) === canonicalJson(document) ? undefined : patched
}

/** Checks a title given by a caller. */
export function checkTitle(title: unknown): void {
  if (typeof title === 'string' && title.length <= MAX_TITLE_LENGTH) return
  throw new TypeError(`title: expected a string of at most ${MAX_TITLE_LENGTH} characters`)
}

/** Checks metadata given by a caller and returns a copy. */
export function copyMetadata(metadata: unknown): JsonObject {
  if (typeof metadata !== 'object' || metadata === null || Array.isArray(metadata)) {
    throw new TypeError('metadata: expected an object')
  }
  try {
    canonicalJson(metadata)
  } catch (error) {
    throw new TypeError(`metadata: ${(error as Error).message}`, { cause: error })
  }
  return parseJson(JSON.stringify(metadata)) as JsonObject
}

function checkPatch(patch: SessionPatch): SessionPatch {
  if (typeof patch !== 'object' || patch === null)
    throw new TypeError('update: expected an object with title or metadata')
  const { title, metadata, ...unknown } = patch
  const [field] = Object.keys(unknown)
  if (field !== undefined)
    throw new TypeError(`update: ${JSON.stringify(field)} cannot be changed; title and metadata can`)
  if (title !== undefined && title !== null) checkTitle(title)
  return { title, metadata: metadata === undefined ? undefined : copyMetadata(metadata) }
}
