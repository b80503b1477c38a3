import type { StorageAdapter } from './adapter.ts'
import {
  changeDocument,
  parseDocument,
  readDocument,
  type DocumentFields,
  type StoredDocument,
  type VersionedDocument,
} from './document.ts'
import type { Environment } from './environment.ts'
import type { Json, JsonObject } from './entry.ts'
import { CorruptError, SessionError } from './errors.ts'
import type { LineageSegment } from './forks/lineage.ts'
import type { Signal } from './runtime.ts'
import type { SessionParent } from './sub-agents.ts'

/**
 * What decides everything about a session that must agree. Kept under `session/<id>`, replaced only by compare-and-swap. A tombstone
 * holds `format`, `rev`, `revs`, `state`, `deleted` and `incarnation`, and nothing else; one that is blocked not even the last two.
 */
export interface SessionDocument extends StoredDocument {
  /** It only ever goes on: blocked (a fork that nobody may make until its source is looked at again), live, deleting, tombstone. */
  readonly state: 'blocked' | 'live' | 'deleting' | 'tombstone'
  readonly id: string
  /** UTC, ISO 8601 with milliseconds. */
  readonly createdAt: string
  /** The log `session/<id>/<incarnation>` is this session's own. It only ever rises. */
  readonly incarnation: number
  /** The highest incarnation that was ever handed out for a copy of the log. Absent: `incarnation`. */
  readonly reserved?: number
  /** Copies up to this number may have been dropped by a sweep: none of them can become the session's log any more. Absent: none. */
  readonly discarded?: number
  /** When `incarnation` last rose. */
  readonly switchedAt?: string
  /** The number that positions in its own log have. Each segment of a lineage has another one, never used twice in it. */
  readonly segment: number
  /** What it sees of its ancestors' logs, oldest first. Absent: it has none. */
  readonly lineage?: readonly LineageSegment[]
  /** Of a fork: where it began. `entry` is the last one that it shares, null if it began empty. */
  readonly forkedFrom?: ForkOrigin
  /** Of a sub-agent's session: the one that it belongs to. */
  readonly parent?: SessionParent
  /** Names this deletion: the copies that its forks get are called after it. */
  readonly deleteId?: string
  /** What its deletion does with its sub-agents' sessions. */
  readonly subAgents?: 'delete' | 'keep'
  /** What its maker called the request that made it. */
  readonly requestId?: string
  /** The id of the {@link MessageFormat} that its messages have. */
  readonly messageFormat: string
  readonly title?: string
  readonly metadata?: JsonObject
  /** Whether lists leave it out. */
  readonly archived?: boolean
  readonly labels?: readonly string[]
  /** How the title was made: see {@link titleStateOf}. */
  readonly titleState?: Json
  /** The highest epoch that a turn of this session was given. It never falls. Absent: 0. */
  readonly epoch?: number
  /** The turn that holds the session: see {@link leaseOf}. */
  readonly lease?: Json
  /** What the log held when somebody wrote it down last: see {@link summaryOf}. */
  readonly summary?: Json
  /** When it was deleted. */
  readonly deleted?: string
  readonly [field: string]: Json | undefined
}

/** Where a fork began. */
export type ForkOrigin = {
  readonly session: string
  readonly entry: string | null
}

/** Where a session's document lies, and what its owner calls it. */
export interface SessionReference {
  readonly key: string
  readonly id: string
}

/** Options of what changes a session's document. */
export interface ChangeSessionOptions {
  readonly signal?: Signal | undefined
  /** See {@link ChangeDocumentOptions.known}. */
  readonly known?: VersionedDocument<SessionDocument> | undefined
}

/** A session's document as a change found or left it. */
export interface ChangedSession {
  readonly document: SessionDocument
  readonly version: string | undefined
  readonly changed: boolean
}

/**
 * Reads the document of a live session.
 *
 * @throws {SessionError} `NOT_FOUND`, `DELETED`, `FORMAT` for a newer format, `CORRUPT` for anything that is no session's document.
 */
export async function readSessionDocument(
  adapter: StorageAdapter,
  key: string,
  id: string,
  signal?: Signal,
): Promise<VersionedDocument<SessionDocument>> {
  const found = await readDocument(adapter, key, parseSessionDocument, signal)
  const document = liveDocument(found?.document, id)
  return { document, version: found?.version as string }
}

/** The document if it is that of a live session; else throws `NOT_FOUND` or `DELETED`. */
export function liveDocument(document: SessionDocument | undefined, id: string): SessionDocument {
  const name = JSON.stringify(id)
  if (!document || document.state === 'blocked') {
    throw new SessionError('NOT_FOUND', `There is no session ${name}; create() or getOrCreate() makes one.`)
  }
  if (document.state !== 'live') {
    throw new SessionError('DELETED', `Session ${name} was deleted; its id stays spent, choose another.`)
  }
  return document
}

/**
 * Changes the document of a live session; resolves with it, and whether this call changed it. See {@link changeDocument}.
 *
 * @throws {SessionError} what {@link readSessionDocument} throws, with nothing written.
 */
export async function changeSession(
  environment: Environment,
  { key, id }: SessionReference,
  change: (current: SessionDocument) => DocumentFields | undefined,
  { signal, known }: ChangeSessionOptions = {},
): Promise<ChangedSession> {
  const { document, version, changed } = await changeDocument(
    environment,
    key,
    (current: SessionDocument | undefined) => change(liveDocument(current, id)),
    { parse: parseSessionDocument, signal, known },
  )
  return { document: document as SessionDocument, version, changed }
}

/**
 * Hands out the number of a fresh log for a copy of a session's records; resolves with it and the document that names the log in use.
 *
 * Contract
 * - No number is handed out twice. A sweep may discard a copy as soon as a higher number was handed out.
 */
export async function reserveIncarnation(
  environment: Environment,
  session: SessionReference,
  options: ChangeSessionOptions = {},
): Promise<{ readonly incarnation: number; readonly document: SessionDocument }> {
  const next = (current: SessionDocument) => ({ ...current, reserved: highestIncarnation(current) + 1 })
  const { document } = await changeSession(environment, session, next, options)
  return { incarnation: highestIncarnation(document), document }
}

/**
 * Makes the log of number `to` the session's own in place of number `from`; resolves with whether it is, by this call or before.
 *
 * Contract
 * - Of several copies the first one to be switched to counts, whatever their order. False, and nothing changes, if the session's log is
 *   another one than `from` by now, or a sweep discarded the copy.
 */
export async function switchIncarnation(
  environment: Environment,
  session: SessionReference,
  { from, to }: { readonly from: number; readonly to: number },
  options: ChangeSessionOptions = {},
): Promise<boolean> {
  const { document } = await changeSession(
    environment,
    session,
    (current) => {
      const isUsable = to > Math.max(from, current.discarded ?? 0) && to <= highestIncarnation(current)
      if (current.incarnation !== from || !isUsable) return undefined
      return { ...current, incarnation: to, switchedAt: new Date(environment.clock.now()).toISOString() }
    },
    options,
  )
  return document.incarnation === to
}

/**
 * Makes sure that no copy but the newest one ever becomes the session's log; resolves with the document. A repair that is still at work on an older one
 * finds out at its end, and starts over.
 */
export async function discardCopies(
  environment: Environment,
  session: SessionReference,
  options: ChangeSessionOptions = {},
): Promise<SessionDocument> {
  const { document } = await changeSession(
    environment,
    session,
    (current) => {
      const last = highestIncarnation(current) - 1
      return last <= (current.discarded ?? current.incarnation) ? undefined : { ...current, discarded: last }
    },
    options,
  )
  return document
}

/** The highest number that a log of this session may have. */
export function highestIncarnation({
  incarnation,
  reserved = incarnation,
}: Pick<SessionDocument, 'incarnation' | 'reserved'>): number {
  return Math.max(incarnation, reserved)
}

/** Parses the text of a session's document; see {@link readSessionDocument} for what it throws. */
export function parseSessionDocument(value: string, key: string): SessionDocument {
  const document = parseDocument(value, key)
  const { state, id, createdAt, incarnation, reserved = incarnation, lineage } = document as Partial<SessionDocument>
  const isWhole =
    state === 'tombstone' ||
    state === 'blocked' ||
    ((state === 'live' || state === 'deleting') &&
      typeof id === 'string' &&
      isTime(createdAt) &&
      isCount(incarnation) &&
      isCount(reserved) &&
      isLineage(lineage))
  if (!isWhole) throw new CorruptError(`Document ${key} is not the document of a session.`)
  return document as SessionDocument
}

function isLineage(value: unknown): boolean {
  if (value === undefined) return true
  const isSegment = ({ session, log, segment, upTo, tip }: Partial<LineageSegment>) =>
    [session, log, tip].every((text) => typeof text === 'string') && isCount(segment) && isCount(upTo)
  return Array.isArray(value) && value.every((one) => typeof one === 'object' && one !== null && isSegment(one))
}

function isTime(value: unknown): boolean {
  const time = typeof value === 'string' ? Date.parse(value) : NaN
  return time >= 0 && new Date(time).toISOString() === value
}

function isCount(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 0
}
