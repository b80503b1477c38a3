import { changeDocument } from './document.ts'
import { endLog } from './end-log.ts'
import type { Environment } from './environment.ts'
import { SessionError } from './errors.ts'
import type { ScopeNames } from './names.ts'
import { throwIfAborted, type Signal } from './runtime.ts'
import { liveDocument, parseSessionDocument, type SessionDocument } from './session-document.ts'
import { sideBySide } from './side-by-side.ts'

/** Options of `sessions.delete`. */
export interface DeleteOptions {
  /** Honoured between two steps: what is left to do is then done by the next `delete` of the session, or by `sweep`. */
  readonly signal?: Signal | undefined
}

/**
 * Deletes a session: its records, title and metadata go, its id stays spent.
 *
 * Contract
 * - From its first write on nobody lists, opens or creates the session; handles that have it open are told `DELETED`.
 * - Every step can be repeated by anyone, also at the same time: interrupted anywhere it is finished by the next call or by a sweep.
 * - A session that is deleted already resolves; `NOT_FOUND` if there never was one.
 */
export async function deleteSession(
  environment: Environment,
  names: ScopeNames,
  id: string,
  { signal }: DeleteOptions = {},
): Promise<void> {
  const deleted = new Date(environment.clock.now()).toISOString()
  const { document } = await changeDocument(
    environment,
    names.session(id),
    (current: SessionDocument | undefined) => {
      if (current?.state === 'tombstone') return undefined
      // Written again: that somebody's write can be read does not mean that it lasts, and what comes next cannot be undone.
      if (current?.state === 'deleting') return current
      const { title: _title, metadata: _metadata, ...rest } = liveDocument(current, id)
      return { ...rest, state: 'deleting', deleted }
    },
    { parse: parseSessionDocument, signal },
  )
  if (document?.state === 'deleting') await finishDelete(environment, names, document, { signal })
}

/**
 * Does what is left of a deletion whose first write lasts.
 *
 * The log ends with a record that says so before it is dropped: a writer who comes late meets that, or garbage that no document names. The index entry
 * goes before the tombstone comes: a sweep finds what is left by the document's state alone.
 */
async function finishDelete(
  environment: Environment,
  names: ScopeNames,
  { id, createdAt, incarnation, segment }: SessionDocument,
  { signal }: DeleteOptions = {},
): Promise<void> {
  const { adapter } = environment
  const key = names.session(id)
  await endLog(environment, names.log(id, incarnation), { segment, signal }).catch((error: unknown) => {
    // Others keep being first: the drop is still a fence at the end of the log.
    if (!SessionError.is(error, 'BUSY')) throw error
  })
  throwIfAborted(signal)
  await sideBySide(adapter.logs(key, { signal }), signal, async (log) => void (await adapter.drop(log)))
  throwIfAborted(signal)
  await adapter.remove(names.indexEntry(id, Date.parse(createdAt)), { forget: true })
  await changeDocument(environment, key, tombstoneOf, { parse: parseSessionDocument, signal, forget: true })
}

/** Nothing but the key tells what session it was. */
function tombstoneOf(current: SessionDocument | undefined): SessionDocument | undefined {
  if (current?.state !== 'deleting') return undefined
  const { format, rev, revs, deleted, incarnation } = current
  return { format, rev, revs, state: 'tombstone', deleted, incarnation } as unknown as SessionDocument
}
