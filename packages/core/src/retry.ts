import { markerStatus } from './entry-types.ts'
import type { Entry } from './entry.ts'

/** Where a turn is to be tried again. */
export interface RetryTarget<Message = unknown> {
  /** The id of the entry that the leaf moves to. */
  readonly entryId: string
  readonly source: 'save_point' | 'user'
  /** The failure that is tried again. */
  readonly failure?: Entry<Message>
}

/**
 * Finds where a retry starts, given a path **newest first**; undefined if there is nothing to retry (`NO_RETRY_TARGET`).
 *
 * Contract
 * - The newest save point of the turn that failed: the entry before it. Else the newest message of a user.
 * - A failure that a message of a user has followed is over: then that message is the target.
 * - Takes entries up to the newest message of a user, or the save point.
 */
export function retryTarget<Message>(newestFirst: Iterable<Entry<Message>>): RetryTarget<Message> | undefined {
  const search = new RetrySearch<Message>()
  for (const entry of newestFirst) if (!search.add(entry)) break
  return search.target()
}

/** {@link retryTarget} for entries that arrive one by one. */
export class RetrySearch<Message> {
  #failure: Entry<Message> | undefined
  #user: string | undefined
  /** The entry before the newest save point of the turn that failed. */
  #savePoint: string | undefined
  /** Whether the failed turn can have no save point any more. */
  #turnIsRead = false

  /** Takes the next older entry; false once no older one can change the target. */
  add(entry: Entry<Message>): boolean {
    if (this.#isDone()) return false
    if (entry.type === 'user_message') {
      this.#user ??= entry.id
    } else if (isFailure(entry)) {
      this.#failure ??= entry
    } else if (this.#failure && entry.turnId !== undefined && entry.turnId === this.#failure.turnId) {
      const status = markerStatus(entry)
      if (status === 'save_point') this.#savePoint = entry.parentId ?? undefined
      else if (status === 'started') this.#turnIsRead = true
    }
    return !this.#isDone()
  }

  /** The target, as far as the entries go that were taken. */
  target(): RetryTarget<Message> | undefined {
    const failure = this.#failure ? { failure: this.#failure } : {}
    if (this.#savePoint !== undefined) return { entryId: this.#savePoint, source: 'save_point', ...failure }
    return this.#user === undefined ? undefined : { entryId: this.#user, source: 'user', ...failure }
  }

  #isDone(): boolean {
    if (this.#savePoint !== undefined) return true
    const hasNoSavePoint = !this.#failure?.turnId || this.#turnIsRead
    return this.#user !== undefined && hasNoSavePoint
  }
}

const isFailure = (entry: { readonly type: string }) => entry.type === 'run_failure'
