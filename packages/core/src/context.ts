import { ContextProjection, type Context, type ContextOptions } from './context/projection.ts'
import type { Entry } from './entry.ts'
import type { MessageFormat } from './message-format.ts'

export type { Budget } from './context/budget.ts'
export {
  ContextProjection,
  type Context,
  type ContextOptions,
  type ContextPurpose,
  type UnansweredCall,
} from './context/projection.ts'
export type { Segment, SegmentKind } from './context/segment.ts'

/** Projects a path that is at hand, oldest entry first, to what the model is shown: see {@link ContextProjection}. */
export function buildContext<Message>(
  path: readonly Entry<Message>[],
  format: MessageFormat<Message>,
  options?: ContextOptions,
): Context<Message> {
  const projection = new ContextProjection(format, options)
  for (const entry of path.toReversed()) if (!projection.add(entry)) break
  return projection.build()
}
