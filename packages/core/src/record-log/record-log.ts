import { readAround } from '../read-log.ts'
import type { Environment } from '../environment.ts'
import { ConflictError, CorruptError, SessionError } from '../errors.ts'
import type { InFlight } from '../in-flight.ts'
import { throwIfAborted, type Signal } from '../runtime.ts'
import { AppendQueue, type LogPlace } from './append-queue.ts'
import { Waiting } from './follow-log.ts'
import type { Derive } from './log-draft.ts'
import type { Foldable } from './log-fold.ts'
import { decodeValue, type StoredValue } from './stored-value.ts'
import type { Stop } from './stop.ts'

/** Which values of a {@link RecordLog} to read. */
export interface ValueRange {
  /** The first index wanted. Default 0. */
  readonly from?: number | undefined
  /** At most this many, counted from where reading starts. */
  readonly limit?: number | undefined
  /** Newest first. */
  readonly reverse?: boolean | undefined
  readonly signal?: Signal | undefined
}

/** What {@link RecordLog.readAround} yields: a value, or where one cannot be read. */
export type LogReading<Value> =
  | { readonly stored: StoredValue<Value> }
  /** `to` is undefined if nothing readable follows. */
  | {
      readonly damage: {
        readonly from: number
        readonly to: number | undefined
        readonly error: CorruptError | undefined
      }
    }

/** One incarnation of a log, as {@link RecordLog.snapshot} found it. Reads see what was appended to it since; once it is cleared they may see less, or reject with `CONFLICT`. */
export interface LogSnapshot<Value> {
  readonly incarnation: number
  readonly read: (range?: ValueRange) => AsyncGenerator<StoredValue<Value>, void, void>
}

/** What a record log works with; its home gives it. */
export interface RecordLogOptions extends Environment {
  readonly name: string
  readonly inFlight: InFlight
  readonly closed: Stop
  readonly locate: (signal?: Signal) => Promise<LogPlace>
  readonly finishClear: (incarnation: number) => Promise<void>
  readonly prepare: () => Promise<void>
}

/**
 * A dense log of JSON values on any adapter: appended by compare-and-append, read from either end, followed.
 *
 * `docs/decisions/0012-events-ledger-invocations.md` has the rules and the schedules behind them.
 */
export class RecordLog<Value> {
  readonly #options: RecordLogOptions
  readonly #appends: AppendQueue<Value>

  /** @internal `RecordHome.log` gives it. */
  constructor(options: RecordLogOptions) {
    this.#options = options
    this.#appends = new AppendQueue<Value>({ ...options, locate: () => options.locate() })
  }

  /**
   * Appends values, or what a function derives from what is there, and resolves with them as they are stored.
   *
   * Contract
   * - All or none become visible, behind exactly the values that `derive` saw. It is asked again whenever another writer was first; what
   *   it throws rejects the call, nothing written, and so does a value that JSON cannot keep (`TypeError`).
   * - A derive that appends nothing, or throws, has seen everything that was committed before the call.
   * - Calls take effect in call order. Those that wait share one append: at most 1,024 values or 8 MiB; a call's are never split.
   * - A definite failure of a shared append is retried call by call. `UNCERTAIN`: nobody can tell; the next call on this log finds out
   *   first.
   * - `signal`: until the values are handed to the adapter the call rejects with the reason, nothing written; afterwards `UNCERTAIN`.
   */
  append(values: readonly Value[] | Derive<Value>, signal?: Signal): Promise<readonly StoredValue<Value>[]> {
    return this.#appends.append(typeof values === 'function' ? values : () => values, signal)
  }

  /**
   * Streams values.
   *
   * Contract
   * - A consistent prefix: everything committed before the first pull, nothing that was cleared before it. Costs what it yields.
   * - A log that is cleared while it is read: `CONFLICT`. Damage: what is before it, then `CORRUPT`.
   */
  async *read(range: ValueRange = {}): AsyncGenerator<StoredValue<Value>, void, void> {
    const { signal } = range
    this.#assertOpen(signal)
    const place = await this.#options.locate(signal)
    yield* this.#readAt(place, range)
  }

  /** As {@link read} from the first value on, but goes on behind damage and says where it is. */
  async *readAround({ signal }: { readonly signal?: Signal | undefined } = {}): AsyncGenerator<
    LogReading<Value>,
    void,
    void
  > {
    this.#assertOpen(signal)
    const { log, incarnation } = await this.#options.locate(signal)
    for await (const part of readAround(this.#options.adapter, log, signal)) {
      if ('gap' in part) yield { damage: part.gap }
      else
        for (const [i, text] of part.batch.records.entries()) {
          const at = part.batch.at + i
          const reading = this.#tryDecode(text, { log, incarnation, at })
          if (!reading) return
          yield reading
        }
    }
  }

  /** Finds out which incarnation counts now, and resolves with how to read it, and only it. */
  async snapshot(signal?: Signal): Promise<LogSnapshot<Value>> {
    this.#assertOpen(signal)
    const place = await this.#options.locate(signal)
    return {
      incarnation: place.incarnation,
      read: (range = {}) => this.#readAt(place, range),
    }
  }

  /** All that is committed, for a `LogFold`. */
  async committed(signal?: Signal): Promise<Foldable<Value>> {
    const { incarnation, read } = await this.snapshot(signal)
    return { incarnation, read: (from, abort) => read({ from, signal: abort }) }
  }

  /**
   * Yields values as they are committed, from an index on, and waits for more; ends only with an error: the signal's reason, `CLOSED`,
   * or `CONFLICT` if the log is cleared, or was since `incarnation`.
   *
   * Contract
   * - Each value exactly once, in order. Nothing is held between pulls that blocks others.
   */
  async *follow(
    start: {
      readonly from?: number
      readonly incarnation?: number | undefined
      readonly signal?: Signal | undefined
    } = {},
  ): AsyncGenerator<StoredValue<Value>, never, void> {
    const { signal } = start
    this.#assertOpen(signal)
    const place = await this.#options.locate(signal)
    if (start.incarnation !== undefined && start.incarnation !== place.incarnation) throw cleared(start.incarnation)
    let next = start.from ?? 0
    let isFirst = true
    const waiting = new Waiting(this.#options, place.log, [signal, this.#options.closed])
    try {
      for (;;) {
        this.#assertOpen(signal)
        const before = next
        // The one before it shows that the log is still there.
        const from = Math.max(0, next - 1)
        let isThere = false
        let hasEnded = false
        for await (const stored of this.#readAt(place, { from, signal }, () => (hasEnded = true))) {
          isThere = true
          if (stored.at < next) continue
          next = stored.at + 1
          yield stored
          this.#assertOpen(signal)
        }
        if (isFirst && !isThere && next > 0) throw beyond(next - 1)
        isFirst = false
        // While its last value is there nothing of it was taken away, but it may have ended.
        if (!isThere || hasEnded) await this.#assertCurrent(place, signal)
        if (next !== before) waiting.reset()
        else await waiting.next()
      }
    } finally {
      waiting.end()
    }
  }

  /** @internal Rejects what waits and has not been handed to the adapter. */
  abandon(reason: unknown): void {
    this.#appends.abandon(reason)
  }

  async *#readAt(
    { log, incarnation }: LogPlace,
    { from, limit, reverse, signal }: ValueRange,
    onEnd?: () => void,
  ): AsyncGenerator<StoredValue<Value>, void, void> {
    // One more: the record that ends a log is none of its values.
    const range = { from, limit: limit === undefined ? undefined : limit + 1, reverse, signal }
    let left = limit ?? Infinity
    if (left <= 0) return
    // The index that the next record must have; backwards, the one that its batch must end before.
    let expected = reverse ? undefined : (from ?? 0)
    try {
      for await (const { at, records } of this.#options.adapter.read(log, range)) {
        this.#assertOpen(signal)
        if ((expected ?? at + records.length) !== (reverse ? at + records.length : at)) throw hole(log, expected ?? at)
        expected = reverse ? at : at + records.length
        const order = reverse ? records.keys().toArray().toReversed() : records.keys()
        for (const i of order) {
          const decoded = decodeValue(records[i] as string, at + i, log)
          if (!decoded) {
            onEnd?.()
            continue
          }
          yield { incarnation, at: at + i, value: decoded.value as Value }
          if (--left === 0) return
        }
      }
    } catch (error) {
      if (SessionError.is(error, 'DELETED')) throw cleared(incarnation, error)
      throw error
    }
  }

  #tryDecode(
    text: string,
    { log, incarnation, at }: LogPlace & { readonly at: number },
  ): LogReading<Value> | undefined {
    try {
      const decoded = decodeValue(text, at, log)
      return decoded && { stored: { incarnation, at, value: decoded.value as Value } }
    } catch (error) {
      if (!SessionError.is(error, 'CORRUPT')) throw error
      return { damage: { from: at, to: at + 1, error } }
    }
  }

  async #assertCurrent(place: LogPlace, signal: Signal | undefined): Promise<void> {
    const now = await this.#options.locate(signal)
    if (now.incarnation !== place.incarnation) throw cleared(place.incarnation)
  }

  #assertOpen(signal: Signal | undefined): void {
    throwIfAborted(signal)
    this.#options.inFlight.assertOpen()
  }
}

function cleared(incarnation: number, cause?: unknown): ConflictError {
  return new ConflictError(
    `The log was cleared: incarnation ${incarnation}, which this position belongs to, is gone. Start again from the beginning.`,
    { cause },
  )
}

function hole(log: string, at: number): CorruptError {
  return new CorruptError(`Log ${log} was read with a hole at record ${at}.`, { log, at })
}

function beyond(at: number): ConflictError {
  return new ConflictError(
    `The log does not reach index ${at}: the position is from before a clear, or of another log. Start again from the beginning.`,
  )
}
