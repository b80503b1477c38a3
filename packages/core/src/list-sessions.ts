import { checkIndex, isSegment } from './check.ts'
import { readDocument } from './document.ts'
import type { Environment } from './environment.ts'
import type { JsonObject } from './entry.ts'
import { SessionError } from './errors.ts'
import type { ScopeNames } from './names.ts'
import type { Signal } from './runtime.ts'
import { parseSessionDocument } from './session-document.ts'

/** Options of `sessions.list`. */
export interface ListSessionsOptions {
  /** At most so many. */
  readonly limit?: number | undefined
  /** Only sessions behind this one: the `cursor` of the last one of the page before. */
  readonly after?: string | undefined
  readonly signal?: Signal | undefined
}

/** What a list shows of a session. */
export interface SessionInfo {
  readonly id: string
  readonly createdAt: string
  readonly title: string | undefined
  readonly metadata: JsonObject
  /** Its place in the list, for `after`. */
  readonly cursor: string
  /** Why this session cannot be opened (`CORRUPT`, `FORMAT`); its `id` is then the encoded one. Damage never hides a session. */
  readonly problem: SessionError | undefined
}

// How many session documents a list reads side by side.
const READ_TOGETHER = 20

/** Checks the options of a list. */
export function checkListing({ limit = Infinity, after }: ListSessionsOptions): void {
  if (limit !== Infinity) checkIndex(limit, 'limit')
  if (after === undefined || (typeof after === 'string' && isSegment(after))) return
  throw new TypeError('after: expected the cursor of a listed session')
}

/** Streams the sessions of a scope, the newest first: a page of names, and one document each. */
export async function* listSessions(
  environment: Environment,
  names: ScopeNames,
  { limit = Infinity, after, signal }: ListSessionsOptions,
): AsyncGenerator<SessionInfo, void, void> {
  let left = limit
  if (left === 0) return
  const start = after === undefined ? undefined : `${names.index}/${after}`
  for await (const page of environment.adapter.keys(names.index, { after: start, signal })) {
    for (let at = 0; at < page.length;) {
      const entries = page.slice(at, at + Math.min(READ_TOGETHER, left))
      for (const info of await Promise.all(entries.map((entry) => readInfo(environment, names, entry, signal)))) {
        if (!info) continue
        yield info
        if (--left === 0) return
      }
      at += entries.length
    }
  }
}

async function readInfo(
  { adapter }: Environment,
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
    const { id, title, metadata = {} } = found.document
    return { id, createdAt: time, title, metadata, cursor, problem: undefined }
  } catch (error) {
    if (!SessionError.is(error, 'CORRUPT') && !SessionError.is(error, 'FORMAT')) throw error
    const id = key.slice(key.lastIndexOf('/') + 1)
    return { id, createdAt: time, title: undefined, metadata: {}, cursor, problem: error }
  }
}
