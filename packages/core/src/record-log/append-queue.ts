import { utf8Length } from '../check.ts'
import { backOff, type Environment } from '../environment.ts'
import { CorruptError, SessionError, UncertainError } from '../errors.ts'
import type { InFlight } from '../in-flight.ts'
import { throwIfAborted, type Signal } from '../runtime.ts'
import { SETTLE_TRIES, takeIndex, type Batch } from '../take-index.ts'
import { draftOf, storedFrom, type Derive } from './log-draft.ts'
import { encodeValue, freshBy, isBy, type StoredValue } from './stored-value.ts'
import { TextView, type TextRecord } from './text-view.ts'

/** Where a record log lies now. */
export interface LogPlace {
  readonly log: string
  readonly incarnation: number
}

/** What an {@link AppendQueue} works with. */
export interface AppendQueueOptions extends Environment {
  readonly inFlight: InFlight
  /** Looks where the log lies now; rejects if there is none any more. */
  readonly locate: () => Promise<LogPlace>
  /** Finishes a clear that ended the logs of this incarnation. */
  readonly finishClear: (incarnation: number) => Promise<void>
  /** Creates what must be there before the first record is. */
  readonly prepare: () => Promise<void>
}

/** One call's part of a batch. */
interface Append<Value> {
  readonly derive: Derive<Value>
  readonly signal: Signal | undefined
  readonly by: string
  readonly calledAt: number
  /** Whether it must go alone, because a batch that it shared was refused. */
  isAlone: boolean
  isHandedOver: boolean
  texts: readonly string[]
  readonly resolve: (values: readonly StoredValue<Value>[]) => void
  readonly reject: (error: unknown) => void
}

interface Undecided extends Batch<TextRecord> {
  readonly view: TextView
}

const MAX_SHARED_RECORDS = 1024
const MAX_SHARED_BYTES = 8 * 1024 * 1024

/**
 * The appends of one handle to one record log: serialised, shared, settled, and carried over a clear.
 *
 * `docs/decisions/0012-events-ledger-invocations.md` has the rules; they are the journal's (0008) without leaf and parents.
 */
export class AppendQueue<Value> {
  readonly #options: AppendQueueOptions
  readonly #queue: Append<Value>[] = []
  #isRunning = false
  #isAbandoned = false
  #view: TextView | undefined
  #undecided: Undecided | undefined
  #ticks = 0

  constructor(options: AppendQueueOptions) {
    this.#options = options
  }

  /** Appends what `derive` gives and resolves with it, as it is stored. See `RecordLog.append`. */
  append(derive: Derive<Value>, signal?: Signal): Promise<readonly StoredValue<Value>[]> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason)
      let append: Append<Value> | undefined
      const ended = this.#options.inFlight.run(
        () =>
          new Promise<readonly StoredValue<Value>[]>((succeed, fail) => {
            append = {
              derive,
              signal,
              by: freshBy(this.#options.random),
              calledAt: this.#tick(),
              isAlone: false,
              isHandedOver: false,
              texts: [],
              resolve: succeed,
              reject: fail,
            }
            this.#queue.push(append)
            if (!this.#isRunning) void this.#run()
          }),
      )
      const abort = () => {
        if (!append?.isHandedOver) return reject(signal?.reason)
        const message = 'The call was aborted when its records were on their way; the next call on this log finds out.'
        reject(new UncertainError(message, { cause: signal?.reason }))
      }
      signal?.addEventListener('abort', abort, { once: true })
      ended.then(resolve, reject).finally(() => signal?.removeEventListener('abort', abort))
    })
  }

  /** Rejects what waits and has not been handed to the adapter, now and from now on. */
  abandon(reason: unknown): void {
    this.#isAbandoned = true
    for (const append of this.#queue.splice(0)) append.reject(reason)
  }

  #tick(): number {
    return ++this.#ticks
  }

  async #run(): Promise<void> {
    this.#isRunning = true
    while (this.#queue.length > 0) await this.#appendTogether()
    this.#isRunning = false
  }

  /** Appends the calls at the head of the queue together. */
  async #appendTogether(): Promise<void> {
    for (let attempt = 0; this.#queue.length > 0; attempt++) {
      let view: TextView
      let appends: readonly Append<Value>[]
      try {
        await this.#settle()
        view = await this.#look()
        appends = await this.#gather(view)
      } catch (error) {
        this.#queue.shift()?.reject(error)
        return
      }
      if (appends.length === 0) return
      const { length: at } = view
      const began = this.#tick()
      const records = appends.flatMap(({ texts }) => texts.map((text) => ({ text })))
      try {
        if (at === 0) await this.#options.prepare()
        if (await this.#take(view, { at, records })) {
          if (at === 0 && !(await this.#isStillThere(view))) {
            this.#putBack(appends)
            continue
          }
          view.lookedAt = began
          let next = at
          for (const append of appends) {
            this.#succeed(append, view, next)
            next += append.texts.length
          }
          return
        }
      } catch (error) {
        this.#failTogether(appends, error)
        return
      }
      this.#putBack(appends.filter((append) => !this.#isThere(append, view, at)))
      if (view.length === at && !view.isEnded) await this.#doubt(view, attempt)
      // The one that was first has been seen: whoever loses again and again gives way.
      if (attempt > 0) await backOff(this.#options, Math.min(attempt, 3))
    }
  }

  /** The log as it is known, of an incarnation that takes records. */
  async #look(): Promise<TextView> {
    for (let attempt = 0; ; attempt++) {
      const { adapter, locate, finishClear } = this.#options
      this.#view ??= new TextView(adapter, await locate(), () => this.#tick())
      const view = this.#view
      if (!view.isKnown) await view.catchUp()
      if (!view.isEnded) return view
      if (attempt > 0) await backOff(this.#options, Math.min(attempt, 3))
      await finishClear(view.incarnation)
      this.#view = undefined
    }
  }

  /** Takes calls from the head of the queue for one append. Those that reject, and those with nothing to append, end here. */
  async #gather(view: TextView): Promise<readonly Append<Value>[]> {
    const appends: Append<Value>[] = []
    const drafted: StoredValue<Value>[] = []
    let bytes = 0
    for (let next = this.#queue[0]; next; next = this.#queue[0]) {
      if (appends.length > 0 && (next.isAlone || appends[0]?.isAlone)) break
      const texts = await this.#encode(next, view, drafted)
      // Taken away meanwhile, when the handle was closed.
      if (this.#queue[0] !== next) continue
      if (texts === 'look again') {
        if (appends.length > 0) break
        await view.catchUp()
        if (view.isEnded) break
        continue
      }
      if (texts === 'rejected') {
        this.#queue.shift()
        continue
      }
      const size = texts.reduce((sum, text) => sum + utf8Length(text), 0)
      const isFull = drafted.length + texts.length > MAX_SHARED_RECORDS || bytes + size > MAX_SHARED_BYTES
      if (appends.length > 0 && isFull) break
      this.#queue.shift()
      next.texts = texts
      if (texts.length === 0 && drafted.length === 0) {
        next.resolve([])
        continue
      }
      const { log, incarnation, length } = view
      for (const text of texts) {
        drafted.push(storedFrom(text, { log, incarnation, at: length + drafted.length }))
      }
      bytes += size
      appends.push(next)
    }
    // An abort while others were encoded: what follows in the draft was derived from it.
    if (appends.some(({ signal }) => signal?.aborted)) {
      this.#putBack(appends)
      return this.#gather(view)
    }
    // In the same step as the look at the signals: no abort comes in between.
    for (const append of appends) append.isHandedOver = true
    return appends
  }

  async #encode(
    append: Append<Value>,
    view: TextView,
    drafted: readonly StoredValue<Value>[],
  ): Promise<readonly string[] | 'look again' | 'rejected'> {
    // What decides for nothing must have seen everything: no append at a stale index would tell.
    const isFresh = view.lookedAt > append.calledAt
    try {
      throwIfAborted(append.signal)
      const values = await append.derive(draftOf(view, [...drafted]))
      if (values.length === 0 && !isFresh) return 'look again'
      return values.map((value) => encodeValue(append.by, value))
    } catch (error) {
      if (!isFresh && !append.signal?.aborted && !(error instanceof TypeError)) return 'look again'
      append.reject(error)
      return 'rejected'
    }
  }

  async #take(view: TextView, batch: Batch<TextRecord>): Promise<boolean> {
    const taken = await takeIndex(this.#options, view, batch)
    if (taken.outcome === 'uncertain') {
      this.#undecided = { ...batch, view }
      throw taken.error
    }
    return taken.outcome === 'stored'
  }

  /** Index 0 of a log that was dropped since may have been free again: then nobody will read what was just written. */
  async #isStillThere({ log }: TextView): Promise<boolean> {
    try {
      if ((await this.#options.locate()).log === log) return true
      this.#view = undefined
      return false
    } catch (cause) {
      if (SessionError.is(cause, 'DELETED') || SessionError.is(cause, 'NOT_FOUND')) throw cause
      const message = `Nobody can tell whether log ${log} was cleared before its first record was written.`
      throw new UncertainError(message, { cause })
    }
  }

  async #settle(): Promise<void> {
    for (let attempt = 0; this.#undecided; attempt++) {
      const { view, at } = this.#undecided
      const taken = await takeIndex(this.#options, view, this.#undecided)
      if (taken.outcome === 'uncertain') throw taken.error
      if (taken.outcome === 'stored' || view.length > at || view.isEnded) this.#undecided = undefined
      else {
        await this.#assertThere(view, attempt)
        // Cleared: what was under way there nobody will read.
        if (this.#view !== view) this.#undecided = undefined
        else await backOff(this.#options, attempt)
      }
    }
  }

  /** Whether a call's records are among those that were missed: an answer may come too late to be believed. */
  #isThere(append: Append<Value>, view: TextView, from: number): boolean {
    const recent = view.recent(from)
    const first = recent.findIndex((text) => isBy(text, append.by))
    if (first < 0) return false
    this.#succeed(append, view, view.length - recent.length + first)
    return true
  }

  #succeed(append: Append<Value>, { log, incarnation }: TextView, at: number): void {
    append.resolve(append.texts.map((text, i) => storedFrom<Value>(text, { log, incarnation, at: at + i })))
  }

  #failTogether(appends: readonly Append<Value>[], error: unknown): void {
    if (SessionError.is(error, 'UNCERTAIN') || appends.length === 1) {
      for (const append of appends) append.reject(error)
      return
    }
    for (const append of appends) append.isAlone = true
    this.#putBack(appends)
  }

  #putBack(appends: readonly Append<Value>[]): void {
    for (const append of appends) append.isHandedOver = false
    if (!this.#isAbandoned) this.#queue.unshift(...appends)
    else
      for (const append of appends)
        append.reject(new SessionError('CLOSED', 'This handle was closed before the call was written.'))
  }

  async #doubt(view: TextView, attempt: number): Promise<void> {
    try {
      await this.#assertThere(view, attempt)
    } catch (error) {
      for (const append of this.#queue.splice(0)) append.reject(error)
    }
  }

  /** The index is refused and nobody holds it: the log may have been dropped. */
  async #assertThere(view: TextView, attempt: number): Promise<void> {
    const { log, incarnation } = await this.#options.locate()
    if (log !== view.log) this.#view = undefined
    else if (attempt >= SETTLE_TRIES) {
      const message = `Log ${log} (incarnation ${incarnation}) refuses index ${view.length} but shows no record there.`
      throw new CorruptError(message, { log, at: view.length })
    }
  }
}
