import type { StorageAdapter } from './adapter.ts'
import { SessionError, UncertainError } from './errors.ts'
import type { LogView } from './log-view.ts'
import type { JournalRecord } from './records.ts'
import { randomFraction, sleep, type Clock, type Random } from './runtime.ts'

/** Records that belong at one index, all or none. */
export interface Batch {
  readonly at: number
  readonly records: readonly JournalRecord[]
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
export async function takeIndex(
  { adapter, clock, random }: { readonly adapter: StorageAdapter; readonly clock: Clock; readonly random: Random },
  view: LogView,
  batch: Batch,
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
    error: new UncertainError(message, { cause: uncertain, ids: records.map(({ record }) => record.id) }),
  }
}

/** Whether a log holds exactly this batch. */
async function holds(view: LogView, { at, records }: Batch): Promise<boolean> {
  for (const [i, { text }] of records.entries()) {
    if ((await view.at(at + i))?.text !== text) return false
  }
  return true
}
