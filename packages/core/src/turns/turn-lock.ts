import type { Signal } from '../runtime.ts'

/** A lock that is held until it is disposed of. */
export interface HeldLock {
  [Symbol.asyncDispose](): PromiseLike<void>
}

/**
 * Locks that a runtime frees by itself when their holder is gone: a tab that was closed, a worker that was stopped. A turn holds one of its own, so
 * that others need not wait for its lease to run out. They spare a wait; that no two turns write at once does not depend on them.
 */
export interface TurnLock {
  /** Takes the lock without waiting; undefined if somebody else holds it. */
  acquire(name: string, signal?: Signal): Promise<HeldLock | undefined>
  /** Whether anybody holds it. */
  isHeld(name: string): Promise<boolean>
}
