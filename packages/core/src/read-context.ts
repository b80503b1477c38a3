import { ancestors } from './ancestry.ts'
import { ContextProjection, type Context, type ContextOptions } from './context.ts'
import type { Leaf } from './record.ts'
import type { ReadOptions } from './session-options.ts'
import type { SessionState } from './session-state.ts'

/** Projects the path to what the model is shown: see {@link Session.context}. `looking` is a look that was begun when it was called. */
export async function readContext<Message>(
  state: SessionState<Message>,
  options: ContextOptions & ReadOptions,
  looking?: Promise<Leaf | null>,
): Promise<Context<Message>> {
  const { signal } = options
  // Nobody but the turn adds to its path.
  if (!looking && state.turn?.holdsLeaf) return state.turn.path.context(options)
  const leaf = await (looking ?? state.look(signal))
  return state.unlessMoved(async () => {
    const projection = new ContextProjection(state.options.format, options)
    if (leaf) {
      for await (const found of ancestors(state.journal.records, leaf, signal)) {
        if (!projection.add(state.entry(found))) break
      }
    }
    return projection.build()
  })
}
