import { idOf, type EntryReference } from '../ancestry.ts'
import { encodeEntry, entryIds, entryTime, findParent, parentFrom, type Parent } from '../append.ts'
import type { JsonObject, Position } from '../entry.ts'
import { ActiveTurnError, SessionError } from '../errors.ts'
import { checkId, contentHash } from '../record.ts'
import type { Draft, JournalRecord } from '../records.ts'
import { throwIfAborted, type Signal } from '../runtime.ts'
import type { SessionState } from '../session-state.ts'
import { copyMetadata } from '../session-fields.ts'
import { heldError } from './active-turn.ts'
import { closeOpenTurn, type RecoveredTurn } from './close-open-turn.ts'
import { epochOf, LEASE_TIME, leaseOf, type Lease } from './lease.ts'
import { summaryField, summaryOf, type Summary } from './summary.ts'
import type { HeldLock } from './turn-lock.ts'

/** Options of {@link Session.beginTurn}. */
export interface BeginTurnOptions {
  /** Unique in the session. Default: a UUIDv7. */
  readonly turnId?: string | undefined
  /** Who runs it, for others to see. Default: a UUIDv7. */
  readonly owner?: string | undefined
  /** The entry that the turn follows; null to start a new root. Default: the leaf. A retry begins from its target. */
  readonly from?: EntryReference | null | undefined
  /** Take over from a turn that is still running: it can append nothing from then on. */
  readonly force?: boolean | undefined
  /** Kept with the marker that says that the turn started. */
  readonly metadata?: JsonObject | undefined
  /** Aborted before the turn has begun, the call rejects with its reason; what was begun is ended in the background. */
  readonly signal?: Signal | undefined
}

/** A turn that has begun. */
export interface BegunTurn {
  readonly id: string
  readonly owner: string
  readonly epoch: number
  readonly started: JournalRecord
  readonly recovered: readonly RecoveredTurn[]
  readonly lock: HeldLock | undefined
}

/** A turn that asks for the session. */
interface Request {
  readonly id: string
  readonly owner: string
  readonly force: boolean
  readonly lock: string | undefined
}

const BEGIN_TRIES = 8

/** The log holds a higher epoch than the lease that was just taken. */
class Overtaken extends Error {}

/**
 * Takes the lease, then appends `started`, and before it what closes a turn that was left open.
 *
 * The lease says who may try, the record who has begun: between the two another one may take over, and the log has only one place for both.
 */
export async function beginTurn<Message>(
  state: SessionState<Message>,
  { turnId, owner, from, force = false, metadata, signal }: BeginTurnOptions,
): Promise<BegunTurn> {
  const [newId, newOwner] = entryIds(2, undefined, state.options) as [string, string]
  const id = turnId ?? newId
  checkId(id, 'turnId')
  if (owner !== undefined) checkId(owner, 'owner')
  const content = { type: 'turn_marker', status: 'started', ...(metadata && { metadata: copyMetadata(metadata) }) }
  throwIfAborted(signal)
  const parent = from === undefined ? undefined : await findStart(state, from, signal)

  const lockName = `${state.key}/${id}`
  const lock = await state.options.turnLock?.acquire(lockName, signal)
  try {
    const request = { id, owner: owner ?? newOwner, force, lock: lock && lockName }
    for (let attempt = 0; attempt < BEGIN_TRIES; attempt++) {
      const { lease, before } = await takeLease(state, request, signal)
      try {
        throwIfAborted(signal)
        const { started, recovered } = await appendStarted(state, { lease, content, parent })
        return { id, owner: lease.owner, epoch: lease.epoch, started, recovered, lock }
      } catch (error) {
        // Where nobody can tell, the turn may be open: then lists show it as interrupted.
        await giveBack(state, lease, SessionError.is(error, 'UNCERTAIN') ? undefined : { before })
        if (!(error instanceof Overtaken)) throw error
      }
      const other = leaseOf(state.document)
      if (other) throw heldError(state.id, other, false)
    }
    throw new SessionError('BUSY', `Others keep beginning turns in session ${JSON.stringify(state.id)}; try again.`)
  } catch (error) {
    await lock?.[Symbol.asyncDispose]()
    throw error
  }
}

/** Where a turn starts that was told; known before anything is written. */
async function findStart<Message>(
  state: SessionState<Message>,
  from: EntryReference | null,
  signal: Signal | undefined,
): Promise<Parent | null> {
  if (from === null) return null
  const { journal, id: session } = state
  return state.unlessMoved(async () => {
    const found = journal.records.isKnown
      ? await findParent(journal.records, from, { fresh: false, session })
      : 'look again'
    if (found !== 'look again') return found
    await journal.refresh(signal)
    const record = await state.find(from, signal)
    if (record.record.id !== idOf(from)) throw await state.notFound(from)
    return parentFrom(record)
  })
}

/** Makes this turn the holder of the session by one compare-and-swap, if nobody holds it; resolves also with what lists were shown before. */
async function takeLease<Message>(
  state: SessionState<Message>,
  { id, owner, force, lock }: Request,
  signal: Signal | undefined,
): Promise<{ readonly lease: Lease; readonly before: Summary | undefined }> {
  const { clock } = state.options
  for (;;) {
    let held: Lease | undefined
    let before: Summary | undefined
    try {
      const { document } = await state.change((current) => {
        held = leaseOf(current)
        // What this handle remembers says nothing about what is there now.
        if (current !== state.document) state.leases.saw(current)
        if (held && !force && !state.leases.isDead(held)) throw heldError(state.id, held, false)
        const { records } = state.journal
        const now = clock.now()
        const lease = {
          turn: id,
          owner,
          epoch: 1 + Math.max(epochOf(current), records.state.epoch),
          acquiredAt: new Date(now).toISOString(),
          expiresAt: new Date(now + LEASE_TIME).toISOString(),
          ...(lock === undefined ? {} : { lock }),
        }
        before = summaryOf(current)
        const summary = summaryField({
          ...before,
          updatedAt: lease.acquiredAt,
          status: 'running',
          records: records.isKnown ? records.length : (before?.records ?? 0),
        })
        return { ...current, epoch: lease.epoch, lease, summary }
      }, signal)
      return { lease: leaseOf(document) as Lease, before }
    } catch (error) {
      if (!(error instanceof ActiveTurnError) || !held || !(await state.leases.investigate(held))) throw error
    }
  }
}

async function appendStarted<Message>(
  state: SessionState<Message>,
  {
    lease: { turn: turnId, epoch },
    content,
    parent,
  }: {
    readonly lease: Lease
    readonly content: { readonly type: string; readonly metadata?: JsonObject }
    readonly parent: Parent | null | undefined
  },
): Promise<{ readonly started: JournalRecord; readonly recovered: readonly RecoveredTurn[] }> {
  const ids = entryIds(3, undefined, state.options) as [string, string, string]
  const createdAt = entryTime(undefined, state.options.clock)
  const hash = contentHash(content)
  const shown = state.shown.now
  let recovered: readonly RecoveredTurn[] = []
  const encode = async (draft: Draft) => {
    const { turn, epoch: highest } = draft.state
    if (highest >= epoch) throw new Overtaken()
    const closing =
      turn === null
        ? undefined
        : await closeOpenTurn(state, draft, { turnId: turn, epoch, createdAt, ids: [ids[0], ids[1]] })
    recovered = closing ? [closing.recovered] : []
    const texts = closing?.texts ?? []
    const leaf = closing?.tookLeaf ? closing.end : await leafParent(state, draft)
    const position: Position = [draft.segment, draft.length + texts.length]
    const { text } = encodeEntry({
      id: ids[2],
      turnId,
      createdAt,
      content,
      hash,
      position,
      parent: parent === undefined ? leaf : parent,
      leaf: 'self',
      state: { epoch, turn: turnId },
    })
    return [...texts, text]
  }
  const stored = await state.journal.append(encode, {
    ids,
    stored: (records) => state.shown.wrote(shown, records),
    leads: 'leaf',
  })
  return { started: stored.at(-1) as JournalRecord, recovered }
}

async function leafParent<Message>(state: SessionState<Message>, draft: Draft): Promise<Parent | null> {
  return (await findParent(draft, undefined, { fresh: true, session: state.id })) as Parent | null
}

/** Leaves nobody waiting for a turn that never began, and lists as they were; if it cannot be done, the lease runs out. */
async function giveBack<Message>(
  state: SessionState<Message>,
  { turn, epoch }: Lease,
  restore: { readonly before: Summary | undefined } | undefined,
): Promise<void> {
  const giving = state.change((current) => {
    const held = leaseOf(current)
    if (held?.turn !== turn || held.epoch !== epoch) return undefined
    const { lease: _lease, ...others } = current
    if (!restore) return others
    const { summary: _summary, ...rest } = others
    return { ...rest, ...(restore.before && { summary: summaryField(restore.before) }) }
  })
  await giving.catch(() => undefined)
}
