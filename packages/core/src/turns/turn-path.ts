import { ancestors, leafOf } from '../ancestry.ts'
import type { Context, ContextOptions } from '../context.ts'
import { projectPath } from '../read-context.ts'
import type { JournalRecord } from '../records.ts'
import type { Signal } from '../runtime.ts'
import type { SessionState } from '../session-state.ts'

/**
 * The path of an open turn. From the first context on it is kept in memory, as far back as somebody wanted it: nobody but the turn adds to it, so that
 * a context is read once and costs nothing from then on.
 */
export class TurnPath<Message> {
  readonly #state: SessionState<Message>
  /** Oldest first, without a gap up to the end of the turn. */
  #newer: JournalRecord[]
  /** Behind the first of those, newest first. */
  #older: JournalRecord[] = []
  #reachesRoot = false
  #isKept = false

  constructor(state: SessionState<Message>, started: JournalRecord) {
    this.#state = state
    this.#newer = [started]
  }

  /** Takes an entry that the turn has appended. */
  add(stored: JournalRecord): void {
    const parentAt = this.#newer.findLastIndex(({ record }) => record.id === stored.record.parentId)
    if (this.#isKept && parentAt >= 0) {
      // One that follows an earlier entry leaves those behind it.
      this.#newer.length = parentAt + 1
      this.#newer.push(stored)
      return
    }
    this.#newer = [stored]
    this.#older = []
    this.#reachesRoot = false
  }

  /** Projects the path to what the model is shown: see {@link Turn.context}. */
  async context(options: ContextOptions & { readonly signal?: Signal | undefined }): Promise<Context<Message>> {
    this.#isKept = true
    // Without a jump to the compaction: what is kept has no gap.
    return this.#state.unlessMoved(() => projectPath(this.#state, this.#newestFirst(options.signal), options))
  }

  async *#newestFirst(signal: Signal | undefined): AsyncGenerator<JournalRecord, void, void> {
    // As they are now: the turn may go on while somebody reads.
    const [newer, older] = [this.#newer.toReversed(), this.#older]
    const kept = [...newer, ...older]
    yield* kept
    if (this.#reachesRoot) return
    let at = older.length
    const oldest = kept.at(-1) as JournalRecord
    let isBehind = false
    for await (const found of ancestors(this.#state.journal.records, leafOf(oldest), signal)) {
      if (isBehind) {
        // Two contexts at once read the same; and what was kept may have been given up meanwhile.
        if (this.#older === older && older.length === at) older.push(found)
        at++
        yield found
      }
      isBehind = true
    }
    if (this.#older === older) this.#reachesRoot = true
  }
}
