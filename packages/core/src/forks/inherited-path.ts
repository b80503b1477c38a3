import { inherited } from '../ancestry.ts'
import type { JournalRecord } from '../records.ts'
import type { Signal } from '../runtime.ts'
import type { SessionState } from '../session-state.ts'
import type { AncestorLog } from './ancestor-log.ts'
import type { Lineage } from './lineage.ts'

/** A log that can be read from one index to another. */
export interface ForwardLog {
  forward(from: number, to: number, signal?: Signal): AsyncGenerator<JournalRecord, void, void>
}

/** Records of one log that follow one another on a path. */
interface Run {
  readonly log: ForwardLog
  first: number
  readonly last: number
}

/** Where the records of a path lie: as small as the path is straight. */
export class PathIndex {
  /** Newest first. */
  readonly #runs: Run[] = []
  length = 0

  /** Takes in the record before all others. */
  prepend({ at }: JournalRecord, log: ForwardLog): void {
    this.length++
    const run = this.#runs.at(-1)
    if (run?.log === log && at === run.first - 1) run.first = at
    else this.#runs.push({ log, first: at, last: at })
  }

  /** Streams the records from number `from` of the path on, oldest first. */
  async *forward(from: number, signal?: Signal): AsyncGenerator<JournalRecord, void, void> {
    let skip = from
    for (const { log, first, last } of this.#runs.toReversed()) {
      const length = last + 1 - first
      if (skip < length) yield* log.forward(first + skip, last + 1, signal)
      skip = Math.max(0, skip - length)
    }
  }
}

/** Finds out where the records lie that ancestors hand down. */
export async function indexInherited({ logs }: Lineage, signal?: Signal): Promise<PathIndex> {
  const index = new PathIndex()
  for await (const found of inherited(logs, signal)) {
    index.prepend(found, logs.find(({ segment }) => segment === found.position[0]) as AncestorLog)
  }
  return index
}

/** Streams what a session's ancestors hand down, oldest first; goes on in the copy if one of them is deleted meanwhile. */
export async function* readInherited<Message>(
  state: SessionState<Message>,
  signal?: Signal,
): AsyncGenerator<JournalRecord, void, void> {
  let shown = 0
  for (;;) {
    const { lineage } = state.journal.records
    try {
      const index = await indexInherited(lineage, signal)
      for await (const found of index.forward(shown, signal)) {
        yield found
        shown++
      }
      return
    } catch (error) {
      if (state.journal.records.lineage === lineage) throw error
    }
  }
}
