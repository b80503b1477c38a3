import { bytesToHex } from '@noble/hashes/utils.js'
import type { StorageAdapter } from './adapter.ts'
import type { Json, JsonObject } from './entry.ts'
import { SessionError, UncertainError } from './errors.ts'
import { parseJson } from './parse-json.ts'
import { FORMAT } from './record.ts'
import { sleep, type Clock, type Random } from './runtime.ts'

/**
 * What decides everything about a session that must agree. Kept under `session/<id>`, replaced only by compare-and-swap.
 * Fields that this version does not know survive every patch.
 */
export interface SessionDocument {
  /** The version of the stored record and document; a newer one is refused with `FORMAT`. */
  readonly format: number
  /** Fresh in every put. */
  readonly rev: string
  /** The last 32 `rev`s before it: whoever put one of them knows that it took effect. */
  readonly revs: readonly string[]
  readonly state: 'live' | 'deleting' | 'tombstone'
  readonly id: string
  /** UTC, ISO 8601 with milliseconds. */
  readonly createdAt: string
  /** The log `session/<id>/<incarnation>` is this session's own. */
  readonly incarnation: number
  /** The number that positions in its own log have. Each segment of a lineage has another one, never used twice in it. */
  readonly segment: number
  /** The id of the {@link MessageFormat} that its messages have. */
  readonly messageFormat: string
  readonly title?: string
  readonly metadata?: JsonObject
  readonly [field: string]: Json | undefined
}

const TRIES = 5

/**
 * Creates a document at `key` unless there is one; resolves with whether it did. Settles an uncertain put by putting again: the
 * `rev` tells whose document stands there.
 */
export async function createDocument(
  adapter: StorageAdapter,
  key: string,
  document: { readonly rev?: string },
  clock: Clock,
): Promise<boolean> {
  const value = JSON.stringify(document)
  let uncertain: unknown
  for (let attempt = 0; attempt < TRIES; attempt++) {
    if (attempt > 0) await sleep(clock, 20 * 2 ** attempt)
    try {
      await adapter.put(key, value, { expect: 'absent' })
      return true
    } catch (error) {
      if (SessionError.is(error, 'UNCERTAIN')) {
        uncertain = error
        continue
      }
      if (uncertain === undefined) {
        if (SessionError.is(error, 'CONFLICT')) return false
        throw error
      }
      if (SessionError.is(error, 'CONFLICT')) {
        const found = await adapter.get(key).catch((reason: unknown) => ({ reason }))
        if (found && 'reason' in found) uncertain = found.reason
        else return found !== undefined && document.rev !== undefined && wasPut(found.value, document.rev)
      }
      break
    }
  }
  throw new UncertainError(`Nobody can tell whether document ${key} was created; the same call again finds out.`, {
    cause: uncertain,
  })
}

function wasPut(value: string, rev: string): boolean {
  const document = JSON.parse(value) as { rev?: unknown; revs?: readonly unknown[] }
  return document.rev === rev || document.revs?.includes(rev) === true
}

/** A fresh `rev`: 96 random bits. */
export function freshRev(random: Random): string {
  return bytesToHex(random.bytes(12))
}

/**
 * Reads a session's document.
 *
 * @throws {SessionError} `NOT_FOUND`, `DELETED`, `FORMAT` for a newer format, `CORRUPT` for anything that is no session's document.
 */
export async function readSessionDocument(
  adapter: StorageAdapter,
  key: string,
  id: string,
): Promise<{ readonly document: SessionDocument; readonly version: string }> {
  const stored = await adapter.get(key)
  if (!stored) {
    throw new SessionError(
      'NOT_FOUND',
      `There is no session ${JSON.stringify(id)}; create() or getOrCreate() makes one.`,
    )
  }
  const document = parseSessionDocument(stored.value, key)
  if (document.state !== 'live') {
    throw new SessionError('DELETED', `Session ${JSON.stringify(id)} was deleted; its id stays spent, choose another.`)
  }
  return { document, version: stored.version }
}

/** Parses the text of a session's document; see {@link readSessionDocument} for what it throws. */
export function parseSessionDocument(value: string, key: string): SessionDocument {
  let document: Partial<SessionDocument> | null
  try {
    document = parseJson(value) as Partial<SessionDocument> | null
  } catch (error) {
    throw new SessionError('CORRUPT', `Document ${key} is not JSON.`, { cause: error })
  }
  if (typeof document?.format === 'number' && document.format > FORMAT) {
    throw new SessionError(
      'FORMAT',
      `Document ${key} has format ${document.format}; this version reads up to ${FORMAT}. Update @sessiontree/core.`,
    )
  }
  const { format, state, id, createdAt, incarnation } = document ?? {}
  const isLive = typeof id === 'string' && typeof createdAt === 'string' && typeof incarnation === 'number'
  if (typeof format !== 'number' || typeof state !== 'string' || (state === 'live' && !isLive)) {
    throw new SessionError('CORRUPT', `Document ${key} is not the document of a session.`)
  }
  return document as SessionDocument
}
