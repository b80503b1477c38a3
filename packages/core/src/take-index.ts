import type { StorageAdapter } from './adapter.ts'
import { SessionError, UncertainError } from './errors.ts'
import type { JournalRecord } from './records.ts'
import { randomFraction, sleep, type Clock, type Random } from './runtime.ts'

/** What a batch is made of: texts that nobody else writes, so that they tell whose they are. */
export interface BatchRecord {
  readonly text: string
  /** Its id, for errors. */
  readonly record?: { readonly id: string }
}

/** Records that belong at one index, all or none. */
export interface Batch<Record extends BatchRecord = JournalRecord> {
  readonly at: number
  readonly records: readonly Record[]
}

/** What a handle knows of a log, as far as taking an index needs it. */
export interface IndexView<Record extends BatchRecord> {
  readonly log: string
  /** Takes over records that the log holds behind all that is known. */
  extend(records: readonly Record[]): void
  /** Reads what is new. */
  catchUp(): Promise<void>
  at(index: number): Promise<BatchRecord | undefined>
}

/** What became of a batch: stored there, or another writer holds its index, or nobody can tell. */
export type Taken =
  | { readonly outcome: 'stored' | 'lost' }
  | { readonly outcome: 'uncertain'; readonly error: UncertainError }

/** How often an index is tried before the outcome is called uncertain. */
export const SETTLE_TRIES = 6

/**
 * Takes an index with a batch, as often as the outcome is uncertain: an empty index proves nothing, since a late write may still
 * fill it; only a committed record there does. What it learns, the view knows.
 *
 * Contract
 * - Throws what the adapter threw only if no attempt can have taken effect.
 */
export async function takeIndex<Record extends BatchRecord>(
  { adapter, clock, random }: { readonly adapter: StorageAdapter; readonly clock: Clock; readonly random: Random },
  view: IndexView<Record>,
  batch: Batch<Record>,
): Promise<Taken> {
  const { at, records } = batch
  const texts = records.map(({ text }) => text)
  let uncertain: unknown
  for (let attempt = 0; attempt < SETTLE_TRIES; attempt++) {
    if (attempt > 0) await sleep(clock, randomFraction(random) * Math.min(1000, 10 * 2 ** attempt))
    try {
      await adapter.append(view.log, at, texts)
      view.extend(records)
      return { outcome: 'stored' }
    } catch (error) {
      if (SessionError.is(error, 'UNCERTAIN')) {
        uncertain = error
        continue
      }
      if (!SessionError.is(error, 'CONFLICT')) {
        // A failure now says nothing about the attempts before it.
        if (uncertain === undefined) throw error
        break
      }
      // Also without an uncertain answer: a network may send a request twice.
      try {
        await view.catchUp()
        return { outcome: (await holds(view, batch)) ? 'stored' : 'lost' }
      } catch (reason) {
        if (uncertain === undefined) throw reason
        uncertain = reason
        break
      }
    }
  }
  const message =
    `Nobody can tell whether records ${at} to ${at + records.length - 1} of log ${view.log} were written. ` +
    'The next call on this session finds out first; do not send the message again before it.'
  return {
    outcome: 'uncertain',
    error: new UncertainError(message, {
      cause: uncertain,
      ids: records.flatMap(({ record }) => (record ? [record.id] : [])),
    }),
  }
}

/** Whether a log holds exactly this batch. */
async function holds<Record extends BatchRecord>(
  view: IndexView<Record>,
  { at, records }: Batch<Record>,
): Promise<boolean> {
  for (const [i, { text }] of records.entries()) {
    if ((await view.at(at + i))?.text !== text) return false
  }
  return true
}
