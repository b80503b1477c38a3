import type { StorageAdapter } from './adapter.ts'
import { randomFraction, sleep, type Clock, type Random, type Signal } from './runtime.ts'
import type { TurnLock } from './turns/turn-lock.ts'

/** What everything that reads and writes documents and logs is given. */
export interface Environment {
  readonly adapter: StorageAdapter
  readonly clock: Clock
  readonly random: Random
  readonly turnLock?: TurnLock | undefined
}

const LONGEST_PAUSE = 1000

/** Waits before attempt number `attempt`, at random and up to twice as long each time: who raced once does not race again in step. */
export function backOff({ clock, random }: Environment, attempt: number, signal?: Signal): Promise<void> {
  return sleep(clock, randomFraction(random) * Math.min(LONGEST_PAUSE, 10 * 2 ** attempt), signal)
}
