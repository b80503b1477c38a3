import { changeDocument, freshRev, readDocument } from './document.ts'
import { endLog } from './end-log.ts'
import type { Environment } from './environment.ts'
import { SessionError } from './errors.ts'
import { ancestorsOf, initialState } from './forks/lineage.ts'
import { releaseForks, type DeleteProgress } from './forks/release-forks.ts'
import type { ScopeNames } from './names.ts'
import { throwIfAborted, type Signal } from './runtime.ts'
import { liveDocument, parseSessionDocument, type SessionDocument } from './session-document.ts'
import { sideBySide } from './side-by-side.ts'
import {
  assertIdleSubAgents,
  assertNoSubAgents,
  deleteSubAgents,
  releaseSubAgents,
  type SubAgents,
} from './sub-agents.ts'
import { heldError } from './turns/active-turn.ts'
import { holderOf } from './turns/holder.ts'
import { hasRunOut, isSameLease, leaseOf, type Lease } from './turns/lease.ts'

/** Options of `sessions.delete`. */
export interface DeleteOptions {
  /**
   * What becomes of its sub-agents' sessions: `"refuse"` (default) is `CONFLICT` if there are any, `"delete"` deletes them too, with theirs, `"keep"` lets them
   * go on without it.
   */
  readonly subAgents?: SubAgents | undefined
  /** Also while a turn holds it, or one of the sub-agents' sessions that go with it. Default: `ACTIVE_TURN` then. */
  readonly force?: boolean | undefined
  /** Called after each fork that was seen to, and each batch that was copied for one. */
  readonly onProgress?: ((progress: DeleteProgress) => void) | undefined
  /** Honoured between two steps: what is left to do is then done by the next `delete` of the session, or by `sweep`. */
  readonly signal?: Signal | undefined
}

/**
 * Deletes a session: its records, title and metadata go, its id stays spent. Forks of it get a copy of what they share.
 *
 * Contract
 * - From its first write on nobody lists, opens, creates or forks the session. Its second write ends the log: from then on handles that have it open are told `DELETED`.
 * - Every step can be repeated by anyone, also at the same time: interrupted anywhere it is finished by the next call or by a sweep.
 * - A session that is deleted already resolves; `NOT_FOUND` if there never was one, `CONFLICT` if sub-agents' sessions hang on it, `ACTIVE_TURN` while a
 *   turn holds it: one that has ended in the log does not, whatever its lease says.
 */
export async function deleteSession(
  environment: Environment,
  names: ScopeNames,
  id: string,
  options: DeleteOptions = {},
): Promise<void> {
  const { subAgents = 'refuse', force = false, signal } = options
  if (!['refuse', 'delete', 'keep'].includes(subAgents)) {
    throw new TypeError(`subAgents: expected "refuse", "delete" or "keep", got ${JSON.stringify(subAgents)}`)
  }
  if (subAgents !== 'keep') await assertDeletable(environment, names, id, { subAgents, force, signal })
  const deleted = new Date(environment.clock.now()).toISOString()
  const deleteId = freshRev(environment.random)
  const policy = subAgents === 'refuse' ? {} : { subAgents }
  let gone: Lease | undefined
  for (;;) {
    let held: SessionDocument | undefined
    const begin = (current: SessionDocument | undefined) => {
      held = undefined
      if (current?.state === 'tombstone') return undefined
      // Written again: that somebody's write can be read does not mean that it lasts, and what comes next cannot be undone.
      if (current?.state === 'deleting') return { ...current, ...policy }
      const live = liveDocument(current, id)
      const lease = leaseOf(live)
      if (!force && lease && !isSameLease(lease, gone) && !hasRunOut(lease, environment.clock.now())) {
        held = live
        return undefined
      }
      return { ...withoutContent(live), state: 'deleting', deleted, deleteId, ...policy }
    }
    const begun = await changeDocument(environment, names.session(id), begin, { parse: parseSessionDocument, signal })
    if (!held) {
      if (begun.document?.state === 'deleting') await finishDelete(environment, names, begun.document, options)
      return
    }
    const holder = await holderOf(environment, names, held, signal)
    if (holder) throw heldError(id, holder, false)
    gone = leaseOf(held)
  }
}

/** Throws if sub-agents' sessions keep a session that lives from being deleted: what is deleting already cannot turn back. */
async function assertDeletable(
  environment: Environment,
  names: ScopeNames,
  id: string,
  { subAgents, force, signal }: Required<Pick<DeleteOptions, 'force'>> & Pick<DeleteOptions, 'subAgents' | 'signal'>,
): Promise<void> {
  try {
    if (subAgents === 'refuse') await assertNoSubAgents(environment, names, id, signal)
    else if (!force) await assertIdleSubAgents(environment, names, id, signal)
  } catch (error) {
    if (!SessionError.is(error, 'CONFLICT') && !SessionError.is(error, 'ACTIVE_TURN')) throw error
    const found = await readDocument(environment.adapter, names.session(id), parseSessionDocument, signal)
    if (found?.document.state === 'live') throw error
  }
}

/**
 * Does what is left of a deletion whose first write lasts.
 *
 * The log ends with a record that says so before anything else: a writer who comes late meets that, or garbage that no document names. Forks get what they
 * share before it is dropped. The index entry and references go before the tombstone comes: a sweep finds what is left by the document's
 * state alone.
 */
async function finishDelete(
  environment: Environment,
  names: ScopeNames,
  document: SessionDocument,
  { signal, onProgress }: DeleteOptions,
): Promise<void> {
  const { adapter } = environment
  const { id, createdAt, incarnation, segment, lineage, parent, deleteId = '', subAgents } = document
  const key = names.session(id)
  await endLog(environment, names.log(id, incarnation), { segment, initial: initialState(lineage), signal }).catch(
    (error: unknown) => {
      // Others keep being first: the drop is still a fence at the end of the log.
      if (!SessionError.is(error, 'BUSY')) throw error
    },
  )
  await releaseForks(environment, names, { id, deleteId }, { signal, onProgress })
  if (subAgents === 'delete') {
    const remove = (child: string) => deleteSession(environment, names, child, { subAgents, force: true, signal })
    await deleteSubAgents(environment, names, id, { signal, remove })
  } else if (subAgents === 'keep') await releaseSubAgents(environment, names, id, signal)
  throwIfAborted(signal)
  await sideBySide(adapter.logs(key, { signal }), signal, async (log) => void (await adapter.drop(log)))
  throwIfAborted(signal)
  for (const ancestor of ancestorsOf(lineage, id)) {
    await adapter.remove(names.reference(ancestor, id), { forget: true })
  }
  if (parent) await adapter.remove(names.subAgent(parent.session, id), { forget: true })
  await adapter.remove(names.indexEntry(id, Date.parse(createdAt)), { forget: true })
  await changeDocument(environment, key, tombstoneOf, { parse: parseSessionDocument, signal, forget: true })
}

/** What a session's document says about what was in it goes at once. */
function withoutContent({
  title: _title,
  titleState: _titleState,
  metadata: _metadata,
  labels: _labels,
  summary: _summary,
  lease: _lease,
  ...rest
}: SessionDocument): Omit<SessionDocument, 'state'> {
  return rest
}

/** Nothing but the key tells what session it was. */
function tombstoneOf(current: SessionDocument | undefined): SessionDocument | undefined {
  if (current?.state !== 'deleting') return undefined
  const { format, rev, revs, deleted, incarnation } = current
  return { format, rev, revs, state: 'tombstone', deleted, incarnation } as unknown as SessionDocument
}
