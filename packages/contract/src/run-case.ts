import type { StorageAdapter } from '@sessiontree/core'
import type { ContractCase } from './case.ts'
import type { Harness } from './harness.ts'
import { losingNextAnswer } from './losing-answer.ts'

/**
 * Runs one case on a fresh store and resolves if the adapter kept its promise.
 *
 * Contract
 * - Whatever the case does, every handle that it opened is closed, and then the store is destroyed.
 * - Rejects with what went wrong; if closing or destroying failed too, with an `AggregateError` of all, the case's own first.
 */
export async function runCase(harness: Harness, contractCase: ContractCase): Promise<void> {
  const store = await harness.create()
  const handles: StorageAdapter[] = []
  const keep = (handle: StorageAdapter) => {
    handles.push(handle)
    return handle
  }
  const errors: unknown[] = []
  try {
    await contractCase.run({
      open: async () => keep(await store.open()),
      openLosingNextAnswer: async () =>
        keep(store.openLosingNextAnswer ? await store.openLosingNextAnswer() : losingNextAnswer(await store.open())),
    })
  } catch (error) {
    errors.push(error)
  }
  const closed = await Promise.allSettled(handles.map(async (handle) => handle.close()))
  const destroyed = await Promise.allSettled([(async () => store.destroy())()])
  for (const result of [...closed, ...destroyed]) if (result.status === 'rejected') errors.push(result.reason)
  if (errors.length === 1) throw errors[0]
  if (errors.length > 1) {
    throw new AggregateError(errors, `${contractCase.id} on ${harness.name}: ${errors.map(String).join('; then: ')}`)
  }
}
