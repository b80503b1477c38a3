import { ancestors, leafOf } from './ancestry.ts'
import { checkIndex, utf8Length } from './check.ts'
import type { Entry } from './entry.ts'
import { PathIndex, type ForwardLog } from './forks/inherited-path.ts'
import type { Leaf } from './record.ts'
import type { JournalRecord } from './records.ts'
import type { Signal } from './runtime.ts'
import type { PathOptions } from './session-options.ts'
import type { SessionState } from './session-state.ts'

/** A path whose texts take more is read a second time instead of held. */
const HELD_BYTES = 4 * 1024 * 1024

/** Streams a path: see {@link Session.path}. */
export async function* readPath<Message>(
  state: SessionState<Message>,
  { leaf: end, last = Infinity, signal }: PathOptions,
): AsyncGenerator<Entry<Message>, void, void> {
  if (last !== Infinity) checkIndex(last, 'last')
  const shown = await state.look(signal)
  let given = 0
  for (;;) {
    const { lineage } = state.journal.records
    try {
      const leaf = end === undefined ? shown : leafOf(await state.find(end, signal))
      if (!leaf || last === 0) return
      const path = await measurePath(state, leaf, last, signal)
      for await (const found of path.forward(given, signal)) {
        yield state.entry(found)
        given++
      }
      return
    } catch (error) {
      // An ancestor was deleted meanwhile: what it shared lies elsewhere by now.
      if (state.journal.records.lineage === lineage) throw error
    }
  }
}

/** Goes from a leaf to the root, or `last` entries; the texts stay in memory if they are few. */
async function measurePath<Message>(
  state: SessionState<Message>,
  leaf: Leaf,
  last: number,
  signal: Signal | undefined,
): Promise<Pick<PathIndex, 'forward'>> {
  const { records } = state.journal
  const { logs } = records.lineage
  const own: ForwardLog = records
  const index = new PathIndex()
  let held: JournalRecord[] | undefined = []
  let bytes = 0
  for await (const found of ancestors(records, leaf, signal)) {
    index.prepend(found, logs.find(({ segment }) => segment === found.position[0]) ?? own)
    bytes += utf8Length(found.text)
    if (bytes > HELD_BYTES) held = undefined
    held?.push(found)
    if (index.length >= last) break
  }
  if (!held) return index
  const oldestFirst = held.toReversed()
  return {
    async *forward(from) {
      yield* oldestFirst.slice(from)
    },
  }
}
