import { findLeaf } from '../ancestry.ts'
import { entryIds, entryTime } from '../append.ts'
import { markerStatus } from '../entry-types.ts'
import { SessionError } from '../errors.ts'
import { isRecoverable } from '../lifecycle.ts'
import type { RecordState } from '../record.ts'
import type { Draft } from '../records.ts'
import type { Signal } from '../runtime.ts'
import type { SessionState } from '../session-state.ts'
import { heldError } from './active-turn.ts'
import { closeOpenTurn, type RecoveredTurn } from './close-open-turn.ts'
import { isSameLease, leaseOf, type Lease } from './lease.ts'
import { touch } from './standing.ts'
import { summaryField, summaryOf } from './summary.ts'
import { unknownCalls } from './unknown-calls.ts'

/** What {@link Session.recover} found. */
export interface Recovery {
  /** The turn that a crash left open, closed by now: the newest of the session, as long as nothing follows it. Empty if there is none. */
  readonly recovered: readonly RecoveredTurn[]
}

const TRIES = 8

/**
 * Closes a turn whose holder is gone: takes its lease away, then appends what ends it.
 *
 * Each of the two can be repeated by anyone. Whoever is interrupted between them leaves an open turn that nobody holds.
 */
export async function recover<Message>(state: SessionState<Message>, signal: Signal | undefined): Promise<Recovery> {
  for (let attempt = 0; attempt < TRIES; attempt++) {
    await state.readDocument(signal)
    await state.journal.refresh(signal)
    const open = state.journal.records.state
    const lease = leaseOf(state.document)
    if (lease && !(await state.leases.investigate(lease))) throw heldError(state.id, lease, false)
    if (lease && !(await expel(state, lease, signal))) continue
    if (open.turn === null) {
      // Its turn has ended, or never began: lists are told what the log says.
      if (lease) await touch(state, signal)
      return { recovered: await lastInterrupted(state, signal) }
    }
    const recovered = await close(state, open, signal)
    if (recovered) return { recovered: [recovered] }
  }
  throw new SessionError('BUSY', `Others keep beginning turns in session ${JSON.stringify(state.id)}; try again.`)
}

/** Takes a dead lease away; resolves with false if there is another one by now, or its holder lives after all. */
async function expel<Message>(
  state: SessionState<Message>,
  lease: Lease,
  signal: Signal | undefined,
): Promise<boolean> {
  let isSame = false
  await state.change((current) => {
    const { lease: _lease, ...rest } = current
    isSame = isSameLease(leaseOf(current), lease)
    if (!isSame) return undefined
    const before = summaryOf(current)
    return { ...rest, ...(before && { summary: summaryField({ ...before, status: 'interrupted' }) }) }
  }, signal)
  return isSame
}

/** Appends what ends the open turn; undefined if another one ended it. */
async function close<Message>(
  state: SessionState<Message>,
  open: RecordState,
  signal: Signal | undefined,
): Promise<RecoveredTurn | undefined> {
  const ids = entryIds(2, undefined, state.options) as [string, string]
  const createdAt = entryTime(undefined, state.options.clock)
  const shown = state.shown.now
  let recovered: RecoveredTurn | undefined
  const encode = async (draft: Draft) => {
    const { turn, epoch } = draft.state
    recovered = undefined
    if (turn === null || turn !== open.turn || epoch !== open.epoch) return []
    const closing = await closeOpenTurn(state, draft, { turnId: turn, epoch, createdAt, ids })
    ;({ recovered } = closing)
    return closing.texts
  }
  await state.journal.append(encode, {
    ids,
    stored: (records) => state.shown.wrote(shown, records),
    leads: 'leaf',
    signal,
  })
  return recovered
}

/** The turn that the leaf says was interrupted: somebody closed it, and nobody has gone on since. */
async function lastInterrupted<Message>(
  state: SessionState<Message>,
  signal: Signal | undefined,
): Promise<readonly RecoveredTurn[]> {
  const { records } = state.journal
  const { leaf } = records.state
  // What an ancestor left open is no business of a fork.
  if (leaf?.position[0] !== records.segment) return []
  const end = await findLeaf(records, leaf, signal)
  const entry = state.entry(end)
  const { turnId } = entry
  if (turnId === undefined || markerStatus(entry) !== 'aborted' || !isRecoverable(entry)) return []
  return [{ turnId, unknownCalls: await unknownCalls(state, records, { turnId, end }, signal) }]
}
