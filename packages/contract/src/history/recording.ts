import { SessionError, type RecordBatch, type StorageAdapter } from '@sessiontree/core'
import { delegate } from '../delegate.ts'
import type { Answer, HistoryEvent, Request } from './event.ts'

/** Options of {@link recording}. */
export interface RecordingOptions {
  /** Who calls: unique among all recorders of one history, also of other processes and of a process that was restarted. */
  readonly actor: string
  /**
   * The time that orders the events. In one process: `sequence()`, shared by all recorders. For several: one clock that never goes back
   * and is the same for all, such as `Number(process.hrtime.bigint() / 1000n)` on one machine. Equal times count as "at once".
   */
  readonly time: () => number
  /** Takes an event, before the call goes on: `events.push(event)`, or a synchronous write to a file. */
  readonly write: (event: HistoryEvent) => void
}

/** A time for the recorders of one process: each call is later than the one before. */
export function sequence(): () => number {
  let time = 0
  return () => ++time
}

/**
 * Wraps an adapter so that its calls on logs and documents are written down for `checkHistory`.
 *
 * Contract
 * - The start is written before the store is asked, the end after it has answered: the interval on record covers the moment at which the
 *   call took effect.
 * - A read is one call, from its first pull to its end, and its records are kept until then.
 * - Listings are not written down. Everything is passed on unchanged: the contract suite passes through it.
 *
 * @example
 * const events: HistoryEvent[] = []
 * const time = sequence()
 * const writer = recording(memory({ store }), { actor: 'writer', time, write: (event) => events.push(event) })
 * const reader = recording(memory({ store }), { actor: 'reader', time, write: (event) => events.push(event) })
 */
export function recording(adapter: StorageAdapter, options: RecordingOptions): StorageAdapter {
  const { actor, time, write } = options
  let calls = 0
  const start = (started: Request) => {
    const call = ++calls
    write({ actor, call, time: time(), started })
    return (ended: Answer) => write({ actor, call, time: time(), ended })
  }
  const record = async <Result>(
    request: Request,
    run: () => Promise<Result>,
    answer: (result: Result) => Omit<Answer, 'outcome'> = () => ({}),
  ): Promise<Result> => {
    const end = start(request)
    try {
      const result = await run()
      end({ outcome: 'ok', ...answer(result) })
      return result
    } catch (error) {
      end(failure(error))
      throw error
    }
  }
  return delegate(adapter, {
    append: (log, at, records, rest) => {
      // Copied now: the caller may change its array. What is no array is the adapter's to refuse.
      const copy = Array.isArray(records) ? [...(records as readonly string[])] : []
      return record({ operation: 'append', log, at, records: copy }, () => adapter.append(log, at, records, rest))
    },
    async *read(log, range = {}) {
      const { from = 0, to = Infinity, limit = Infinity, reverse = false, salvage = false } = range
      const end = start({
        operation: 'read',
        log,
        from,
        to: to === Infinity ? null : to,
        limit: limit === Infinity ? null : limit,
        reverse,
        salvage,
      })
      const batches: RecordBatch[] = []
      let answer: Answer = { outcome: 'left' }
      try {
        for await (const batch of adapter.read(log, range)) {
          batches.push({ at: batch.at, records: [...batch.records] })
          yield batch
        }
        answer = { outcome: 'ok' }
      } catch (error) {
        answer = failure(error)
        throw error
      } finally {
        end({ ...answer, batches })
      }
    },
    drop: (log, rest) => record({ operation: 'drop', log }, () => adapter.drop(log, rest)),
    get: (key, rest) =>
      record(
        { operation: 'get', key },
        () => adapter.get(key, rest),
        (document) => ({ document: document ? { value: document.value, version: document.version } : null }),
      ),
    put: (key, value, rest) =>
      record(
        { operation: 'put', key, value, expect: rest?.expect },
        () => adapter.put(key, value, rest),
        (version) => ({ version }),
      ),
    remove: (key, rest) =>
      record({ operation: 'remove', key, expect: rest?.expect ?? null }, () => adapter.remove(key, rest)),
  })
}

function failure(error: unknown): Answer {
  if (SessionError.is(error)) return { outcome: error.written === 'no' ? 'failed' : 'uncertain', code: error.code }
  return { outcome: 'failed', code: error instanceof Error ? error.name : String(error) }
}
