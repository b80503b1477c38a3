import { utf8Length } from './check.ts'
import { SessionError, UncertainError } from './errors.ts'
import type { LineageSegment } from './forks/lineage.ts'
import type { InFlight } from './in-flight.ts'
import type { LogView } from './log-view.ts'
import {
  notStored,
  type Append,
  type Encode,
  type Gathered,
  type JournalAppendOptions,
  type Look,
} from './pending-append.ts'
import { Draft, type JournalRecord } from './records.ts'
import { randomFraction, sleep, type Clock, type Random, type Signal } from './runtime.ts'
import { SessionLog, type SessionLogOptions } from './session-log.ts'
import { SETTLE_TRIES, takeIndex, type Batch } from './take-index.ts'

/** What {@link Journal} works with. */
export interface JournalOptions extends SessionLogOptions {
  readonly clock: Clock
  readonly random: Random
  readonly inFlight: InFlight
}

/** A batch whose fate is unknown: decided, by taking its index, before anything else happens. */
interface Undecided extends Batch {
  readonly appends: readonly Append[]
  /** The log that it was meant for. */
  readonly log: string
}

const MAX_SHARED_RECORDS = 1024
const MAX_SHARED_BYTES = 8 * 1024 * 1024

/**
 * One session's records: serialises the calls of one handle, lets calls that wait share one append, settles what is uncertain,
 * and follows the session to another log.
 *
 * `docs/decisions/0008-journal.md` has the rules and the schedules behind them.
 */
export class Journal {
  readonly #options: JournalOptions
  readonly #queue: (Append | Look)[] = []
  #isRunning = false
  readonly #log: SessionLog
  #undecided: Undecided | undefined
  /** Of the calls under way the last one that decides where the next one goes, by what they lead. */
  readonly #leading = new Map<unknown, Append>()

  constructor(options: JournalOptions) {
    this.#options = options
    this.#log = new SessionLog(options)
  }

  /** What is known of the log. */
  get records(): LogView {
    return this.#log.view
  }

  get log(): string {
    return this.records.log
  }

  /** Notes that the session goes on in another log. */
  moveOn(): void {
    this.#log.moveOn()
  }

  /** Notes which logs of its ancestors the session's document names. */
  inherit(segments: readonly LineageSegment[]): void {
    this.#log.inherit(segments)
  }

  /** Reads what others appended since; the tail, the first time. Waits for this handle's own calls. */
  async refresh(signal?: Signal): Promise<void> {
    await this.#unlessAborted<void>(signal, (resolve, reject) => this.#enqueue({ resolve, reject }))
  }

  /**
   * Appends what `encode` gives and resolves with the records.
   *
   * Contract
   * - Calls take effect in call order and never conflict with each other. Those that wait while an append is under way share the
   *   next one: at most 1,024 records or 8 MiB, but a single call's are never split.
   * - When another handle was first, all of a batch are encoded again, in order, behind what that one left.
   * - A definite failure of a shared append is retried call by call, so that each call gets its own error.
   * - An uncertain outcome is settled by taking the same index with the same batch; what cannot be settled rejects with
   *   `UNCERTAIN`, and the next operation settles it first.
   * - `signal`: until the batch is handed to the adapter, the call rejects with the reason and writes nothing; afterwards with `UNCERTAIN`,
   *   while the batch goes on.
   */
  append(encode: Encode, options: JournalAppendOptions): Promise<readonly JournalRecord[]> {
    const { signal } = options
    let append: Append | undefined
    return this.#unlessAborted<readonly JournalRecord[]>(
      signal,
      (resolve, reject) => {
        const behind = options.follows === undefined ? undefined : this.#leading.get(options.follows)
        append = {
          encode,
          options,
          behind,
          calledAt: this.#log.tick(),
          isAlone: false,
          isHandedOver: false,
          drafted: [],
          resolve,
          reject,
        }
        if (options.leads !== undefined) this.#leading.set(options.leads, append)
        this.#enqueue(append)
      },
      () => {
        if (!append?.isHandedOver) return signal?.reason
        const message =
          'The call was aborted when its records were on their way; the next call on this session finds out.'
        return new UncertainError(message, { ids: options.ids, cause: signal?.reason })
      },
    )
  }

  /** Starts an operation and counts it until it has ended, also when an abort lets the caller go before. */
  #unlessAborted<Result>(
    signal: Signal | undefined,
    start: (resolve: (result: Result) => void, reject: (error: unknown) => void) => void,
    reason: () => unknown = () => signal?.reason,
  ): Promise<Result> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason)
      const abort = () => reject(reason())
      const ended = this.#options.inFlight.run(() => new Promise<Result>(start))
      signal?.addEventListener('abort', abort, { once: true })
      ended.then(resolve, reject).finally(() => signal?.removeEventListener('abort', abort))
    })
  }

  #enqueue(operation: Append | Look): void {
    this.#queue.push(operation)
    if (!this.#isRunning) void this.#run()
  }

  async #run(): Promise<void> {
    this.#isRunning = true
    for (let next = this.#queue[0]; next; next = this.#queue[0]) {
      if ('encode' in next) await this.#appendTogether()
      else await this.#look()
    }
    this.#isRunning = false
  }

  /** Answers those at the head of the queue that only want to know: one look is enough for all. */
  async #look(): Promise<void> {
    const end = this.#queue.findIndex((operation) => 'encode' in operation)
    const looks = this.#queue.splice(0, end < 0 ? this.#queue.length : end) as Look[]
    try {
      await this.#settle()
      await this.#log.catchUp()
      for (const look of looks) look.resolve()
    } catch (error) {
      for (const look of looks) look.reject(error)
    }
  }

  /** Appends the calls at the head of the queue, until none of those that were taken together is left. */
  async #appendTogether(): Promise<void> {
    for (let attempt = 0; ; attempt++) {
      // Whoever is at the head is told what fails below: a look that waits behind has its own turn.
      if (!this.#queue[0] || !('encode' in this.#queue[0])) return
      let gathered: Gathered
      try {
        await this.#settle()
        // Also where it was empty: index 0 of a log that was dropped since may be free again.
        if (this.records.length === 0) await this.#log.catchUp()
        if (this.records.isClosed) await this.#log.leave()
        gathered = await this.#gather()
      } catch (error) {
        const head = this.#queue.shift()
        if (head && 'encode' in head) this.#fail(head, error)
        return
      }
      const { draft, appends } = gathered
      if (appends.length === 0) return
      const { length: at } = this.records
      try {
        if (await this.#take({ at, records: draft.added }, appends)) {
          let from = 0
          for (const [append, count] of gathered.counts) {
            this.#succeed(append, draft.added.slice(from, (from += count)))
          }
          return
        }
      } catch (error) {
        await this.#failTogether(appends, error)
        return
      }
      this.#putBack(appends.filter((append) => !this.#isThere(append, at)))
      if (this.records.length === at) await this.#doubt(at, attempt)
      await this.#pause(attempt)
    }
  }

  /** Encodes calls from the head of the queue for one append. Those that reject, and those with nothing to append, end here. */
  async #gather(): Promise<Gathered> {
    const gathered: Gathered = { draft: new Draft(this.records), appends: [], counts: new Map() }
    const { draft, appends, counts } = gathered
    let bytes = 0
    for (let next = this.#queue[0]; next && 'encode' in next; next = this.#queue[0]) {
      if (appends.length > 0 && (next.isAlone || appends[0]?.isAlone)) break
      const outcome = await this.#encode(next, draft)
      if (outcome === 'look again') {
        if (appends.length > 0) break
        // It may have ended, or moved: that is looked at before anything is encoded.
        await this.#log.catchUp()
        break
      }
      if (outcome === 'rejected') {
        this.#queue.shift()
        continue
      }
      const size = outcome.reduce((sum, text) => sum + utf8Length(text), 0)
      const isFull = draft.added.length + outcome.length > MAX_SHARED_RECORDS || bytes + size > MAX_SHARED_BYTES
      if (appends.length > 0 && isFull) break
      this.#queue.shift()
      if (outcome.length === 0 && draft.added.length === 0) {
        const hasMoved = await this.#conclude(next)
        if (hasMoved) {
          this.#queue.unshift(next)
          return this.#gather()
        }
        continue
      }
      // A call that found its entries in the draft shares their fate.
      next.drafted = draft.add(outcome)
      bytes += size
      appends.push(next)
      counts.set(next, outcome.length)
    }
    // An abort while others were encoded: what follows in the draft builds on it.
    if (appends.some(({ options }) => options.signal?.aborted)) {
      this.#putBack(appends)
      return this.#gather()
    }
    // In the same step as the look at the signals: no abort comes in between.
    for (const append of appends) append.isHandedOver = true
    return gathered
  }

  /**
   * Ends a call that has nothing to append, so that no append tells it that the session is gone: the document does. Resolves with whether the
   * session went on in another log, where there may be something to append.
   */
  async #conclude(append: Append): Promise<boolean> {
    try {
      if (await this.#log.follow()) return true
      this.#succeed(append, [])
    } catch (error) {
      this.#fail(append, error)
    }
    return false
  }

  async #encode(append: Append, draft: Draft): Promise<readonly string[] | 'look again' | 'rejected'> {
    const { signal } = append.options
    const { lineage } = this.records
    try {
      if (signal?.aborted) throw signal.reason
      if (append.behind?.failure) throw append.behind.failure.error
      if (append.options.recognise) await this.records.widen()
      const fresh = this.records.lookedAt > append.calledAt
      return (await append.encode(draft, fresh)) ?? 'look again'
    } catch (error) {
      // An ancestor was deleted meanwhile, and what it shared lies elsewhere.
      if (this.records.lineage !== lineage) return this.#encode(append, draft)
      this.#fail(append, error)
      return 'rejected'
    }
  }

  /** Appends one batch; resolves with whether it is stored. */
  async #take(batch: Batch, appends: readonly Append[]): Promise<boolean> {
    const taken = await takeIndex(this.#options, this.records, batch)
    if (taken.outcome === 'uncertain') {
      this.#undecided = { ...batch, appends, log: this.log }
      throw taken.error
    }
    return taken.outcome === 'stored'
  }

  async #settle(): Promise<void> {
    const undecided = this.#undecided
    if (!undecided) return
    // Nothing is ever appended to a log that the session has left: the copy tells what became of the batch.
    const hasMoved = undecided.log !== this.log
    const isStored = hasMoved ? await this.#wasCopied(undecided) : await this.#decide(undecided)
    this.#undecided = undefined
    for (const append of undecided.appends) {
      append.failure = isStored ? undefined : { error: notStored(append) }
      if (isStored && append.drafted.length > 0) append.options.stored?.(append.drafted)
    }
  }

  async #wasCopied({ at, records }: Undecided): Promise<boolean> {
    await this.#log.catchUp()
    return (await this.records.at(at))?.text === records[0]?.text
  }

  async #decide(undecided: Undecided): Promise<boolean> {
    for (let attempt = 0; ; attempt++) {
      const taken = await takeIndex(this.#options, this.records, undecided)
      if (taken.outcome === 'uncertain') throw taken.error
      if (taken.outcome === 'stored') return true
      if (this.records.length > undecided.at) return false
      if (await this.#log.follow()) return this.#wasCopied(undecided)
      if (attempt === SETTLE_TRIES) throw this.#log.refused(undecided.at)
      await this.#pause(attempt)
    }
  }

  /** Whether a call's records are among those that were missed: an answer, or a look, may come too late to be believed. */
  #isThere(append: Append, from: number): boolean {
    const missed = new Map(this.records.recent().map((found) => [found.text, found]))
    const found = append.drafted.map(({ text }) => missed.get(text))
    if (found.length === 0 || !found.every((record) => record !== undefined && record.at >= from)) return false
    this.#succeed(append, found as JournalRecord[])
    return true
  }

  #succeed(append: Append, records: readonly JournalRecord[]): void {
    if (records.length > 0) append.options.stored?.(records)
    this.#end(append)
    append.resolve(records)
  }

  #fail(append: Append, error: unknown): void {
    append.failure = { error }
    this.#end(append)
    append.reject(error)
  }

  #end(append: Append): void {
    append.behind = undefined
    const { leads } = append.options
    if (this.#leading.get(leads) === append) this.#leading.delete(leads)
  }

  async #failTogether(appends: readonly Append[], error: unknown): Promise<void> {
    if (SessionError.is(error, 'CORRUPT')) {
      const hasMoved = await this.#log.follow().catch(() => false)
      if (hasMoved) return this.#putBack(appends)
    }
    if (SessionError.is(error, 'UNCERTAIN')) {
      for (const append of appends) {
        this.#fail(append, new UncertainError(error.message, { ids: append.options.ids, cause: error.cause }))
      }
      return
    }
    if (appends.length === 1) return this.#fail(appends[0] as Append, error)
    for (const append of appends) append.isAlone = true
    this.#putBack(appends)
  }

  #putBack(appends: readonly Append[]): void {
    for (const append of appends) append.isHandedOver = false
    this.#queue.unshift(...appends)
  }

  /** The index is refused and nobody holds it: the log may have been dropped. */
  async #doubt(at: number, attempt: number): Promise<void> {
    try {
      if (!(await this.#log.follow()) && attempt >= SETTLE_TRIES) throw this.#log.refused(at)
    } catch (error) {
      this.#failAll(error)
    }
  }

  /** Rejects what waits at the head of the queue. */
  #failAll(error: unknown): void {
    for (let next = this.#queue[0]; next && 'encode' in next; next = this.#queue[0]) {
      this.#queue.shift()
      this.#fail(next, error)
    }
  }

  #pause(attempt: number): Promise<void> {
    const { clock, random } = this.#options
    return sleep(clock, randomFraction(random) * Math.min(1000, 10 * 2 ** attempt))
  }
}
