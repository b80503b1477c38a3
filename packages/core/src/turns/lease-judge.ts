import type { Environment } from '../environment.ts'
import type { Journal } from '../journal.ts'
import type { SessionDocument } from '../session-document.ts'
import { hasRunOut, isOver, isSameLease, LEASE_TIME, leaseOf, type Lease } from './lease.ts'

/**
 * Judges whether the holder of a lease is gone. A wrong verdict costs a turn, never an entry: what keeps two turns apart is the epoch in the log.
 *
 * A lease is dead when its time is past by the wall clock; when this handle has watched it for as long by its own monotonic clock and it was not
 * renewed; when the lock that its holder holds is free; and when the log says that its turn has ended.
 */
export class LeaseJudge {
  readonly #environment: Environment
  readonly #journal: Journal
  #watched: { readonly lease: Lease; readonly since: number } | undefined
  /** One that was found to be dead by more than its times. */
  #dead: Lease | undefined

  constructor(environment: Environment, journal: Journal) {
    this.#environment = environment
    this.#journal = journal
  }

  /** Notes what a session's document says now. */
  saw(document: SessionDocument): void {
    const lease = leaseOf(document)
    if (lease && isSameLease(this.#watched?.lease, lease)) return
    this.#watched = lease && { lease, since: this.#environment.clock.elapsed() }
  }

  /** Whether it is dead, as far as this handle can tell without asking anybody. */
  isDead(lease: Lease): boolean {
    const { clock } = this.#environment
    if (hasRunOut(lease, clock.now()) || this.#isKnownDead(lease)) return true
    const watched = this.#watched
    return isSameLease(watched?.lease, lease) && clock.elapsed() - (watched?.since ?? Infinity) > LEASE_TIME
  }

  /** Asks the lock and the log; resolves with whether it is dead. */
  async investigate(lease: Lease): Promise<boolean> {
    if (this.isDead(lease)) return true
    if ((await this.isAbandoned(lease)) || (await this.#hasEnded(lease))) this.#dead = lease
    return this.#isKnownDead(lease)
  }

  /** Whether the lock that came with it is free. */
  async isAbandoned({ lock }: Lease): Promise<boolean> {
    const { turnLock } = this.#environment
    return lock !== undefined && turnLock !== undefined && !(await turnLock.isHeld(lock))
  }

  async #hasEnded(lease: Lease): Promise<boolean> {
    await this.#journal.refresh()
    return isOver(this.#journal.records.state, lease)
  }

  #isKnownDead({ turn, epoch }: Lease): boolean {
    return this.#dead?.turn === turn && this.#dead.epoch === epoch
  }
}
