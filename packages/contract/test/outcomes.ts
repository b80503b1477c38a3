import { SessionError } from '@sessiontree/core'
import { memory, type MemoryStore } from '@sessiontree/memory'

/** How a call ended: what it resolved with, `done`, or the code of its error. */
export function outcome(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    (value) => value ?? 'done',
    (error: unknown) => (SessionError.is(error) ? error.code : String(error)),
  )
}

/** The records that a store holds. */
export async function recordsOf(store: MemoryStore, log = 'log'): Promise<string[]> {
  const batches = await Array.fromAsync(memory({ store }).read(log))
  return batches.flatMap((batch) => batch.records)
}
