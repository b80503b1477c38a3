import { checkIndex, isSegment } from './check.ts'
import { readDocument } from './document.ts'
import type { Environment } from './environment.ts'
import type { JsonObject } from './entry.ts'
import { hasFields } from './formats/content-parts.ts'
import type { SessionStatus } from './lifecycle.ts'
import { SessionError } from './errors.ts'
import type { ScopeNames } from './names.ts'
import type { Signal } from './runtime.ts'
import { checkId } from './record.ts'
import { parseSessionDocument, type SessionDocument } from './session-document.ts'
import { hasRunOut, leaseOf } from './turns/lease.ts'
import { summaryOf } from './turns/summary.ts'
import { labelsOf } from './update-session.ts'

/** Options of `sessions.list`. */
export interface ListSessionsOptions {
  /** At most so many. */
  readonly limit?: number | undefined
  /** Only sessions behind this one: the `cursor` of the last one of the page before. */
  readonly after?: string | undefined
  /** Whether archived ones are listed too. Default: false. */
  readonly archived?: boolean | undefined
  /** Only those that hang on this session, as sub-agents do. */
  readonly parent?: string | undefined
  readonly signal?: Signal | undefined
}

/** Where a session hangs on another one, or began in it. */
export interface SessionOrigin {
  readonly session: string
  readonly entry: string | null
}

/**
 * What a list shows of a session. `updatedAt`, `status` and `preview` are as of the last beginning or end of a turn, or `touch()`: opening the session gives
 * exact values.
 */
export interface SessionInfo {
  readonly id: string
  readonly createdAt: string
  readonly title: string | undefined
  readonly metadata: JsonObject
  /** When it changed last; `createdAt` for one that no turn has touched. */
  readonly updatedAt: string
  readonly archived: boolean
  readonly labels: readonly string[]
  /** A turn whose lease has expired shows as `interrupted`. */
  readonly status: SessionStatus
  /** The beginning of the newest message that says anything. */
  readonly preview: string | undefined
  /** Of a sub-agent's: the session that it hangs on, and the entry there. */
  readonly parent: SessionOrigin | undefined
  /** Of a fork: where it began; `entry` is null if it began empty. */
  readonly forkedFrom: SessionOrigin | undefined
  /** Its place in the list, for `after`. */
  readonly cursor: string
  /** Why this session cannot be opened (`CORRUPT`, `FORMAT`); its `id` is then the encoded one. Damage never hides a session. */
  readonly problem: SessionError | undefined
}

// How many session documents a list reads side by side.
const READ_TOGETHER = 20

/** Checks the options of a list. */
export function checkListing({ limit = Infinity, after, parent, archived = false }: ListSessionsOptions): void {
  if (limit !== Infinity) checkIndex(limit, 'limit')
  if (parent !== undefined) checkId(parent, 'parent')
  if (typeof archived !== 'boolean') throw new TypeError('archived: expected true or false')
  if (after === undefined || (typeof after === 'string' && isSegment(after))) return
  throw new TypeError('after: expected the cursor of a listed session')
}

/** Streams the sessions of a scope, the newest first: a page of names, and one document each. */
export async function* listSessions(
  environment: Environment,
  names: ScopeNames,
  { limit = Infinity, after, archived = false, parent, signal }: ListSessionsOptions,
): AsyncGenerator<SessionInfo, void, void> {
  let left = limit
  if (left === 0) return
  const start = after === undefined ? undefined : `${names.index}/${after}`
  const isWanted = (info: SessionInfo) =>
    (archived || !info.archived) && (parent === undefined || info.parent?.session === parent)
  for await (const page of environment.adapter.keys(names.index, { after: start, signal })) {
    for (let at = 0; at < page.length;) {
      const entries = page.slice(at, at + Math.min(READ_TOGETHER, left))
      for (const info of await Promise.all(entries.map((entry) => readInfo(environment, names, entry, signal)))) {
        if (!info || !isWanted(info)) continue
        yield info
        if (--left === 0) return
      }
      at += entries.length
    }
  }
}

async function readInfo(
  { adapter, clock }: Environment,
  names: ScopeNames,
  entry: string,
  signal: Signal | undefined,
): Promise<SessionInfo | undefined> {
  const { sessionKey: key, createdAt } = names.indexed(entry)
  // Something that another version put there.
  if (Number.isNaN(createdAt)) return undefined
  const time = new Date(createdAt).toISOString()
  const cursor = entry.slice(names.index.length + 1)
  try {
    const found = await readDocument(adapter, key, parseSessionDocument, signal)
    // Two creators may have left an entry each; the document says whose time counts.
    if (found?.document.state !== 'live' || found.document.createdAt !== time) return undefined
    return { ...infoOf(found.document, clock.now()), cursor, problem: undefined }
  } catch (error) {
    if (!SessionError.is(error, 'CORRUPT') && !SessionError.is(error, 'FORMAT')) throw error
    const id = key.slice(key.lastIndexOf('/') + 1)
    return { ...NOTHING_KNOWN, id, createdAt: time, updatedAt: time, cursor, problem: error }
  }
}

const NOTHING_KNOWN = Object.freeze({
  title: undefined,
  metadata: {},
  archived: false,
  labels: [],
  status: 'idle',
  preview: undefined,
  parent: undefined,
  forkedFrom: undefined,
} as const)

/** What a session's document says to whoever lists it. */
function infoOf(document: SessionDocument, now: number): Omit<SessionInfo, 'cursor' | 'problem'> {
  const { id, createdAt, title, metadata = {}, archived } = document
  const summary = summaryOf(document)
  const lease = leaseOf(document)
  const isHeld = lease !== undefined && !hasRunOut(lease, now)
  return {
    id,
    createdAt,
    updatedAt: summary?.updatedAt ?? createdAt,
    title,
    metadata,
    archived: archived === true,
    labels: labelsOf(document),
    // A turn that ended without saying so: its holder crashed.
    status: summary?.status === 'running' && !isHeld ? 'interrupted' : (summary?.status ?? 'idle'),
    preview: summary?.preview,
    parent: originIn(document['parent']),
    forkedFrom: originIn(document['forkedFrom']),
  }
}

function originIn(value: unknown): SessionOrigin | undefined {
  if (!hasFields(value)) return undefined
  const { session, entry } = value
  return typeof session === 'string' ? { session, entry: typeof entry === 'string' ? entry : null } : undefined
}
