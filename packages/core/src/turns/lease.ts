import type { Environment } from '../environment.ts'
import { hasFields } from '../formats/content-parts.ts'
import type { RecordState } from '../record.ts'
import type { SessionDocument } from '../session-document.ts'

/** How long a lease lasts, in milliseconds, unless it is renewed. */
export const LEASE_TIME = 30_000

/** How long after its end a lease still counts: two clocks may differ by as much. */
export const LEASE_SKEW = 5_000

/** Who holds a session, as its document says: the field `lease`. */
export interface Lease {
  readonly turn: string
  readonly owner: string
  readonly epoch: number
  /** UTC, ISO 8601 with milliseconds; empty if the document does not tell. */
  readonly acquiredAt: string
  /** As {@link acquiredAt}. */
  readonly expiresAt: string
  /** The name of the {@link TurnLock} that its holder holds. */
  readonly lock?: string
}

/** What is known of the turn that holds a session. */
export interface TurnInfo {
  /** Empty if the lease does not tell, as each of the texts. */
  readonly turnId: string
  readonly owner: string
  readonly epoch: number
  /** UTC, ISO 8601. */
  readonly acquiredAt: string
  /** Until when it holds the session, unless it renews its lease: UTC, ISO 8601. */
  readonly expiresAt: string
  /** Whether the next turn may take over. */
  readonly isExpired: boolean
}

/**
 * The lease in a session's document; undefined if there is none.
 *
 * Contract
 * - Never throws: of a lease that somebody else left there, in parts or with other types, it gives what can be read. What cannot has expired.
 */
export function leaseOf({ lease }: Pick<SessionDocument, 'lease'>): Lease | undefined {
  if (lease === undefined || lease === null) return undefined
  const fields = hasFields(lease) ? lease : {}
  const text = (field: string) => (typeof fields[field] === 'string' ? fields[field] : '')
  const time = (field: string) => (Number.isNaN(Date.parse(text(field))) ? '' : text(field))
  return {
    turn: text('turn'),
    owner: text('owner'),
    epoch: count(fields['epoch']),
    acquiredAt: time('acquiredAt'),
    expiresAt: time('expiresAt'),
    ...(text('lock') === '' ? {} : { lock: text('lock') }),
  }
}

/** The highest epoch that a session's document names. */
export function epochOf(document: SessionDocument): number {
  return Math.max(count(document.epoch), leaseOf(document)?.epoch ?? 0)
}

/** Whether a lease has run out by the clock, its {@link LEASE_SKEW} included. */
export function hasRunOut({ expiresAt }: Lease, now: number): boolean {
  return expiresAt === '' || now > Date.parse(expiresAt) + LEASE_SKEW
}

/** Whether somebody holds a session by this lease, as far as the clock and the lock tell that came with it. */
export async function isHeld(
  { clock, turnLock }: Pick<Environment, 'clock' | 'turnLock'>,
  lease: Lease,
): Promise<boolean> {
  if (hasRunOut(lease, clock.now())) return false
  return lease.lock === undefined || turnLock === undefined || turnLock.isHeld(lease.lock)
}

/**
 * Whether a log that leaves this behind says that the turn of a lease is over: ended, closed or overtaken. Whoever was interrupted between the end of a turn and the
 * release of its lease leaves such a lease. A turn that is in no log yet is about to begin.
 */
export function isOver({ epoch, turn }: Pick<RecordState, 'epoch' | 'turn'>, lease: Lease): boolean {
  return epoch > lease.epoch || (epoch === lease.epoch && turn !== lease.turn)
}

/** Whether both say the same about the same turn: it was not renewed in between. */
export function isSameLease(a: Lease | undefined, b: Lease | undefined): boolean {
  return a?.turn === b?.turn && a?.epoch === b?.epoch && a?.owner === b?.owner && a?.expiresAt === b?.expiresAt
}

/** What a caller is told of a lease. */
export function turnInfo({ turn, owner, epoch, acquiredAt, expiresAt }: Lease, isExpired: boolean): TurnInfo {
  return { turnId: turn, owner, epoch, acquiredAt, expiresAt, isExpired }
}

function count(value: unknown): number {
  return Number.isSafeInteger(value) && (value as number) >= 0 ? (value as number) : 0
}
