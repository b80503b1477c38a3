import { checkDocument } from './check.ts'
import { changeDocument, createDocument, freshRev, putNewDocument, readDocument, type SettledPut } from './document.ts'
import type { JsonObject } from './entry.ts'
import type { Environment } from './environment.ts'
import { putMark } from './forks/put-mark.ts'
import type { ScopeNames } from './names.ts'
import { checkId, FORMAT } from './record.ts'
import type { Signal } from './runtime.ts'
import { parseSessionDocument, readSessionDocument, type SessionDocument } from './session-document.ts'
import type { SessionParent } from './sub-agents.ts'
import { checkTitle, copyMetadata } from './session-fields.ts'

/** Options of `sessions.create`. */
export interface CreateOptions {
  /** At most 1,024 characters. */
  readonly title?: string | undefined
  readonly metadata?: JsonObject | undefined
  /** Default: now. */
  readonly createdAt?: Date | string | undefined
  /** The session that it belongs to, as a sub-agent's does, and the entry that called for it. */
  readonly parent?: SessionParent | undefined
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
  const { title, metadata, createdAt = clock.now(), parent } = options
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
    ...(parent === undefined ? {} : { parent: checkParent(parent) }),
    ...(title === undefined ? {} : { title }),
    ...(metadata === undefined ? {} : { metadata: copyMetadata(metadata) }),
  }
  checkDocument(JSON.stringify(document))
  return document
}

function checkParent(parent: SessionParent): SessionParent {
  if (typeof parent !== 'object' || parent === null) throw new TypeError('parent: expected { session, entry? }')
  const { session, entry } = parent
  checkId(session, 'parent.session')
  if (entry === undefined) return { session }
  checkId(entry, 'parent.entry')
  return { session, entry }
}

/**
 * Stores a new session unless there is one of this id; resolves with whether it did, and its document's version. `NOT_FOUND` or `DELETED` for an owner that is not there.
 *
 * The index entry first: an entry without its session is skipped by every list, a session without its entry would be lost to it. A sub-agent's session
 * is made known to its owner before that one is looked at: whoever deletes it does it the other way round.
 */
export async function putSession(
  environment: Environment,
  names: ScopeNames,
  document: SessionDocument,
  signal?: Signal,
): Promise<SettledPut> {
  const { id, createdAt, parent } = document
  const { adapter } = environment
  const entry = names.indexEntry(id, Date.parse(createdAt))
  const lookAtOwner = async () =>
    parent && void (await readSessionDocument(adapter, names.session(parent.session), parent.session, signal))
  await lookAtOwner()
  await createDocument(environment, entry, {})
  let blocked: string | undefined
  for (;;) {
    if (parent) await putMark(environment, names.subAgent(parent.session, id), signal)
    await lookAtOwner()
    const put = await createInPlace(environment, names.session(id), document, blocked)
    if (put.tookEffect) return put
    const winner = (await readDocument(adapter, names.session(id), parseSessionDocument))?.document
    if (winner?.state === 'blocked') {
      blocked = winner.rev
      continue
    }
    // The entry that this call made is nobody's, unless both were made in one millisecond.
    if (winner && winner.createdAt !== createdAt) await adapter.remove(entry, { forget: true })
    const isOwners = winner?.state === 'deleting' || winner?.parent?.session === parent?.session
    if (parent && winner && !isOwners) await adapter.remove(names.subAgent(parent.session, id), { forget: true })
    return put
  }
}

/**
 * Creates a session's document where there is none, or in place of one that keeps the id free until somebody has looked again (its `rev`);
 * resolves with whether it did, and its version. Whoever blocks an id anew puts another `rev`.
 */
export async function createInPlace(
  environment: Environment,
  key: string,
  document: SessionDocument,
  blocked: string | undefined,
): Promise<SettledPut> {
  if (blocked === undefined) return putNewDocument(environment, key, document)
  const replace = (current: SessionDocument | undefined) =>
    current?.state === 'blocked' && current.rev === blocked ? document : undefined
  const { changed, version } = await changeDocument(environment, key, replace, { parse: parseSessionDocument })
  return { tookEffect: changed, version }
}
