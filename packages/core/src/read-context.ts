import { ancestors, chainOf, isBefore, pathFrom } from './ancestry.ts'
import { ContextProjection, type Context, type ContextOptions } from './context.ts'
import type { Position } from './entry.ts'
import { compactionOf, type JournalRecord, type Records } from './records.ts'
import type { Leaf } from './record.ts'
import type { Signal } from './runtime.ts'
import type { ReadOptions } from './session-options.ts'
import type { SessionState } from './session-state.ts'

// Reading on backwards is cheaper than a new read, up to about this many records.
const WORTH_A_NEW_READ = 256

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
  return readContextTo(state, leaf, options)
}

/** Projects the path to an entry. */
export function readContextTo<Message>(
  state: SessionState<Message>,
  leaf: Leaf | null,
  options: ContextOptions & ReadOptions,
): Promise<Context<Message>> {
  const { signal } = options
  return state.unlessMoved(() => {
    const { records } = state.journal
    const path = leaf ? ancestors(records, leaf, signal) : []
    return projectPath(state, path, options, (found) => compactionBefore(records, found, signal))
  })
}

/**
 * Projects a path that comes newest first, and takes no more of it than the context needs. `findCompaction` gives the newest compaction before an entry if that is worth it, so
 * that the path goes on there; what the entries between them hold makes no difference then.
 */
export async function projectPath<Message>(
  state: SessionState<Message>,
  newestFirst: AsyncIterable<JournalRecord> | readonly JournalRecord[],
  options: ContextOptions & ReadOptions,
  findCompaction?: (found: JournalRecord) => Promise<JournalRecord | undefined>,
): Promise<Context<Message>> {
  const projection = new ContextProjection(state.options.format, options)
  let mayJump = findCompaction !== undefined
  for (let path: typeof newestFirst | undefined = newestFirst; path;) {
    let rest: typeof newestFirst | undefined
    for await (const found of path) {
      if (!projection.add(state.entry(found))) break
      if (!projection.seeksCompaction) continue
      const position = compactionOf(found)
      if (position === null) break
      if (!mayJump || !position || isNear(found, position)) continue
      // What it names may be gone; then it is searched, and no other entry asked.
      mayJump = false
      const compaction = await findCompaction?.(found)
      if (!compaction) continue
      rest = pathFrom(chainOf(state.journal.records), compaction, options.signal)
      break
    }
    path = rest
  }
  return projection.build()
}

function isNear({ at, position }: JournalRecord, [segment, index]: Position): boolean {
  return segment === position[0] && at - index <= WORTH_A_NEW_READ
}

/** The compaction that an entry says is the newest before it; undefined if it is not there. */
async function compactionBefore(
  records: Records,
  found: JournalRecord,
  signal: Signal | undefined,
): Promise<JournalRecord | undefined> {
  const [segment, at] = compactionOf(found) ?? []
  const log = chainOf(records).find((one) => one.segment === segment)
  const compaction = at === undefined ? undefined : await log?.at(at, signal)
  const isThere = compaction?.record.content.type === 'compaction' && isBefore(records, compaction, found)
  return isThere ? compaction : undefined
}
