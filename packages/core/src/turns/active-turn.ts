import { ActiveTurnError, SessionError } from '../errors.ts'
import type { RecordState } from '../record.ts'
import { throwIfAborted, type Signal } from '../runtime.ts'
import type { SessionState } from '../session-state.ts'
import { leaseOf, turnInfo, type Lease, type TurnInfo } from './lease.ts'

/** Why a call that a turn keeps off is rejected: reads who holds the turn that is open in the log. */
export async function activeTurnError<Message>(
  state: SessionState<Message>,
  { turn, epoch }: Pick<RecordState, 'turn' | 'epoch'>,
): Promise<ActiveTurnError> {
  await state.readDocument()
  const lease = leaseOf(state.document)
  // A turn that begins at this moment is in the document, and not in the log yet.
  if (lease && lease.epoch >= epoch) {
    return heldError(state.id, lease, state.leases.isDead(lease) || (await state.leases.isAbandoned(lease)))
  }
  return new ActiveTurnError(
    `Turn ${JSON.stringify(turn)} of session ${JSON.stringify(state.id)} was left open, and nobody holds it: call recover() or ` +
      'beginTurn(), or pass force: true.',
    { turnId: turn ?? '', isExpired: true },
  )
}

/** The error that says who holds a session. */
export function heldError(session: string, lease: Lease, isExpired: boolean): ActiveTurnError {
  const { turn, owner, expiresAt } = lease
  const holder = `Turn ${JSON.stringify(turn)} of ${JSON.stringify(owner)} holds session ${JSON.stringify(session)}`
  return new ActiveTurnError(
    isExpired
      ? `${holder} and has expired: call recover() or beginTurn(), or pass force: true.`
      : `${holder} until ${expiresAt}, unless it is renewed. Append through the turn, try again later, or pass force: true.`,
    { turnId: turn, owner, expiresAt, isExpired },
  )
}

/** Reads which turn holds the session: see {@link Session.activeTurn}. */
export async function activeTurn<Message>(
  state: SessionState<Message>,
  signal: Signal | undefined,
): Promise<TurnInfo | undefined> {
  await state.readDocument(signal)
  const lease = leaseOf(state.document)
  return lease && turnInfo(lease, await state.leases.investigate(lease))
}

/** Takes a lease away that is this turn's and this owner's: see {@link Session.releaseTurn}. */
export async function releaseTurn<Message>(
  state: SessionState<Message>,
  { turnId, owner }: { readonly turnId: string; readonly owner: string },
  signal: Signal | undefined,
): Promise<boolean> {
  const lease = await takeAway(state, ({ turn, owner: holder }) => turn === turnId && holder === owner, signal)
  return lease !== undefined
}

/** Takes a lease away that was acquired before a moment: see {@link Session.clearExpired}. */
export async function clearExpired<Message>(
  state: SessionState<Message>,
  cutoff: Date | string | number,
  signal: Signal | undefined,
): Promise<TurnInfo | undefined> {
  const time = new Date(cutoff).getTime()
  if (Number.isNaN(time)) throw new TypeError(`cutoff: ${String(cutoff)} is not a time`)
  // One that does not say when it was acquired is older than any other.
  const acquired = ({ acquiredAt }: Lease) => (acquiredAt === '' ? 0 : Date.parse(acquiredAt))
  const lease = await takeAway(state, (held) => acquired(held) < time, signal)
  return lease && turnInfo(lease, true)
}

/** Removes the lease if `isMeant`; resolves with it, or undefined if it was left. */
export async function takeAway<Message>(
  state: SessionState<Message>,
  isMeant: (lease: Lease) => boolean,
  signal?: Signal,
): Promise<Lease | undefined> {
  throwIfAborted(signal)
  let taken: Lease | undefined
  const { changed } = await state.change((current) => {
    taken = leaseOf(current)
    if (!taken || !isMeant(taken)) return undefined
    const { lease: _lease, ...rest } = current
    return rest
  }, signal)
  return changed ? taken : undefined
}

/** The error of a turn that another one has taken over from. */
export function leaseLost(session: string, turn: string): SessionError {
  return new SessionError(
    'LEASE_LOST',
    `Turn ${JSON.stringify(turn)} no longer holds session ${JSON.stringify(session)}: another one took over, or somebody closed it. ` +
      'What it appended before is kept; nothing of this call was written.',
  )
}
