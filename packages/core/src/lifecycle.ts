import { questionOf } from './context/control-call.ts'
import { takeApart } from './context/visible.ts'
import { contentField, markerStatus } from './entry-types.ts'
import { isMessageEntry, type Entry } from './entry.ts'
import { hasFields } from './formats/content-parts.ts'
import type { MessageFormat } from './message-format.ts'

/** Where a session stands. */
export type SessionStatus = 'idle' | 'running' | 'interrupted' | 'completed' | 'waiting' | 'failed' | 'cancelled'

/** What the markers of a path say about the session. */
export interface Lifecycle {
  readonly status: SessionStatus
  /** The turn that decided it. */
  readonly turnId?: string
  /** Of a session that waits: the question; empty if the call's arguments are not as expected. They are never shown themselves. */
  readonly prompt?: string
  /** Whether a crash ended the turn, so that it can be taken up again. */
  readonly recoverable: boolean
  /** Whether a user's message may follow as things are: idle, completed or waiting. */
  readonly canAppend: boolean
}

/** What the path itself does not tell. */
export interface LifecycleOptions {
  /** The turn that holds the session: that whose lease is alive. */
  readonly activeTurnId?: string | undefined
  /** The turn that the log says is open, null for none: any other has ended, if not on this path. Default: the path alone counts. */
  readonly openTurnId?: string | null | undefined
}

/**
 * Derives where a session stands from the markers on its path, **newest first**; it is never stored.
 *
 * Contract
 * - Takes no more entries than the newest turn has, and for a path without markers all.
 * - A turn that started and did not end is running while it is the active one, else interrupted.
 */
export function deriveStatus<Message>(
  newestFirst: Iterable<Entry<Message>>,
  format: MessageFormat<Message>,
  options: LifecycleOptions = {},
): Lifecycle {
  const derivation = new LifecycleDerivation(format, options)
  for (const entry of newestFirst) if (!derivation.add(entry)) break
  return derivation.status()
}

/** {@link deriveStatus} for entries that arrive one by one. */
export class LifecycleDerivation<Message> {
  readonly #format: MessageFormat<Message>
  readonly #options: LifecycleOptions
  /** The newest marker that is no save point. */
  #decisive: Entry<Message> | undefined
  #prompt: string | undefined
  readonly #ended = new Set<string | undefined>()
  #interrupted: Entry<Message> | undefined
  #done = false

  constructor(format: MessageFormat<Message>, options: LifecycleOptions = {}) {
    this.#format = format
    this.#options = options
  }

  /** Takes the next older entry; false once no older one can change the status. */
  add(entry: Entry<Message>): boolean {
    if (this.#done) return false
    const status = markerStatus(entry)
    if (status === undefined) this.#lookForPrompt(entry)
    else if (status === 'started') {
      // The latest turn counts, even if an older one ended after it.
      const isOpen = !this.#ended.has(entry.turnId) && !this.#endedElsewhere(entry)
      if (isOpen) this.#interrupted = entry
      if (!this.#endedElsewhere(entry)) this.#decisive ??= entry
      this.#done = true
    } else if (status !== 'save_point') {
      this.#ended.add(entry.turnId)
      this.#decisive ??= entry
    }
    return !this.#done
  }

  /** What the entries taken so far say. */
  status(): Lifecycle {
    if (this.#interrupted) {
      const { turnId } = this.#interrupted
      const isRunning = turnId !== undefined && turnId === this.#options.activeTurnId
      return lifecycle(isRunning ? 'running' : 'interrupted', turnId, !isRunning)
    }
    const marker = this.#decisive
    if (!marker) return lifecycle('idle')
    switch (markerStatus(marker)) {
      case 'completed':
        return lifecycle('completed', marker.turnId)
      case 'waiting':
        return { ...lifecycle('waiting', marker.turnId), prompt: this.#prompt ?? '' }
      case 'failed':
        return lifecycle('failed', marker.turnId)
      default:
        return isRecoverable(marker)
          ? lifecycle('interrupted', marker.turnId, true)
          : lifecycle('cancelled', marker.turnId)
    }
  }

  // On a branch that was left, or by the cut of a fork.
  #endedElsewhere({ turnId }: Entry<Message>): boolean {
    const { openTurnId } = this.#options
    return turnId !== undefined && openTurnId !== undefined && !this.#ended.has(turnId) && openTurnId !== turnId
  }

  #lookForPrompt(entry: Entry<Message>): void {
    const marker = this.#decisive
    if (this.#prompt !== undefined || !marker || markerStatus(marker) !== 'waiting') return
    if (!isMessageEntry(entry) || entry.turnId !== marker.turnId || !entry.message) return
    const { calls } = takeApart(entry.message, entry.type, this.#format)
    const call = calls.findLast(({ name }) => name === 'ask_user')
    if (call) this.#prompt = questionOf(call) ?? ''
  }
}

function lifecycle(status: SessionStatus, turnId?: string, recoverable = false): Lifecycle {
  const canAppend = status === 'idle' || status === 'completed' || status === 'waiting'
  return { status, ...(turnId === undefined ? {} : { turnId }), recoverable, canAppend }
}

/** Whether an `aborted` marker says that a crash ended the turn. */
export function isRecoverable(marker: Entry): boolean {
  const metadata = contentField(marker, 'metadata')
  const recoverable = hasFields(metadata) ? metadata['recoverable'] : undefined
  return recoverable === true || recoverable === 'true'
}
