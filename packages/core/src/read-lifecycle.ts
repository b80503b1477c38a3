import { ancestors } from './ancestry.ts'
import { LifecycleDerivation, type Lifecycle, type LifecycleOptions } from './lifecycle.ts'
import type { ReadOptions } from './session-options.ts'
import type { SessionState } from './session-state.ts'

/** Derives where a session stands from the markers on its path: reads from the leaf backwards, no further than the newest turn. */
export async function readLifecycle<Message>(
  state: SessionState<Message>,
  { signal, ...options }: ReadOptions & LifecycleOptions,
): Promise<Lifecycle> {
  const leaf = await state.look(signal)
  const openTurnId = state.journal.records.state.turn
  const derivation = new LifecycleDerivation(state.options.format, { openTurnId, ...options })
  if (leaf) {
    for await (const found of ancestors(state.journal.records, leaf, signal)) {
      if (!derivation.add(state.entry(found))) break
    }
  }
  return derivation.status()
}
