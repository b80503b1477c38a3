import { ConflictError, CorruptError, SessionError, UncertainError, type Random, type Signal } from '@sessiontree/core'
import { encodeBody, encodeText } from './body.ts'
import type { PutResult } from './bucket.ts'
import { randomId } from './random-id.ts'
import { indexOfSlot } from './keys.ts'
import { PAGE, type LogListing } from './log-listing.ts'
import {
  encodeLogObject,
  encodeStub,
  endOfHeaderStart,
  HEADER_START_BYTES,
  isStubSize,
  type LogObject,
} from './log-object.ts'
import { BLOCK, cover, REPEAT_BYTES, wantedRepeats, type Held } from './overlap.ts'
import { inOrder } from './parallel.ts'
import { lastWithin, type Tail, type Tails } from './tails.ts'

// A listing of this many keys costs little more than one of one key.
const LOOK_UP_PAGE = 128
const DROP_TRIES = 100

/** Extends and drops logs. An object, once created, is never written again, and its key is never free while the log lives. */
export class LogWriter {
  readonly #listing: LogListing
  readonly #tails: Tails
  readonly #random: Random

  constructor(listing: LogListing, tails: Tails, random: Random) {
    this.#listing = listing
    this.#tails = tails
    this.#random = random
  }

  /**
   * Creating an object appends to the log only where one ends: in the middle of a batch or beyond the end it would succeed just the
   * same. So `at` must be an end that this handle has seen, or the log is looked up first.
   */
  async append(log: string, at: number, records: readonly string[], signal: Signal | undefined): Promise<void> {
    const known = this.#tails.get(log)
    const tail = known?.end === at ? known : await this.#lookUp(log, at, signal)
    const own = records.map(encodeText)
    const end = at + own.length
    const repeated = lastWithin(tail.records, wantedRepeats(at, end))
    const id = randomId(this.#random)
    const { bucket, keys } = this.#listing
    const result = await bucket.put(keys.slot(log, at), encodeLogObject(at, id, repeated, own), 'absent', signal)
    if (result.kind !== 'written') await this.#settle(log, at, id, result, signal)
    this.#tails.learn(log, { from: at, end, records: own })
  }

  /** The log's end as the store has it. */
  async #lookUp(log: string, at: number, signal: Signal | undefined): Promise<Tail> {
    const { dropped, objects } = await this.#listing.page(log, Infinity, LOOK_UP_PAGE, signal)
    const newest = objects[0]
    if (dropped) throw this.#conflict(log, at, 0)
    if (!newest) {
      if (at !== 0) throw this.#conflict(log, at, 0)
      return { end: 0, records: [] }
    }
    if (at <= newest.at) throw this.#conflict(log, at, newest.at + 1)
    // What the next object may have to repeat: back to the start of its block.
    const start = newest.at + 1 - ((newest.at + 1) % BLOCK)
    let reached: number | undefined
    const wanted = firstWithin(cover(objects, start, Infinity).picks.flatMap((pick) => pick.object ?? []))
    const fetched = inOrder(
      wanted,
      (object) => object.size,
      (object, stop) => this.#listing.fetch(log, object, stop),
      signal,
    )
    for await (const object of fetched) {
      // Without one of those before the newest, the next object repeats less: a matter of cost.
      if (typeof object === 'string' || (reached !== undefined && object.end < reached)) break
      this.#tails.learn(log, object)
      reached = object.from
    }
    const tail = this.#tails.get(log)
    if (reached === undefined || !tail) return this.#unreadable(log, newest.at, signal)
    if (tail.end !== at) throw this.#conflict(log, at, tail.end)
    return tail
  }

  /** The newest object was listed, but gone or damaged when it was fetched. */
  async #unreadable(log: string, at: number, signal: Signal | undefined): Promise<never> {
    const { dropped, objects } = await this.#listing.page(log, Infinity, 1, signal)
    if (dropped || objects.length === 0) throw this.#conflict(log, at, 0)
    const where = `s3://${this.#listing.bucket.name}/${this.#listing.keys.slot(log, at)}`
    throw new CorruptError(
      `Log ${log}: its newest object ${where} is damaged, so nothing can be appended. Restore it.`,
      {
        log,
        at,
        where,
      },
    )
  }

  /** Somebody holds the slot, or may: only the object there tells who. */
  async #settle(
    log: string,
    at: number,
    id: string,
    result: Exclude<PutResult, { kind: 'written' }>,
    signal: Signal | undefined,
  ): Promise<void> {
    if (result.kind === 'open' && signal?.aborted) throw result.error
    const { bucket, keys } = this.#listing
    let found: LogObject | 'gone' | 'damaged'
    try {
      found = await this.#listing.fetch(log, { at })
    } catch (cause) {
      if (result.kind === 'open') throw result.error
      if (SessionError.is(cause, 'FORMAT')) throw cause
      throw new UncertainError(`Log ${log}: index ${at} is taken, but not even a GET tells by whom.`, { cause })
    }
    if (found === 'gone') {
      // An empty slot decides nothing: the put may still arrive.
      if (result.kind === 'open') throw result.error
      this.#tails.forget(log)
      throw this.#conflict(log, at, 0)
    }
    if (found === 'damaged') {
      const where = `s3://${bucket.name}/${keys.slot(log, at)}`
      throw new CorruptError(`Log ${log}: ${where} is damaged. Restore it.`, { log, at, where, written: 'unknown' })
    }
    if (found.id === id) return
    if (found.end === at) {
      this.#tails.forget(log)
      throw this.#conflict(log, at, 0)
    }
    this.#tails.learn(log, found)
    throw this.#conflict(log, at, found.end)
  }

  #conflict(log: string, at: number, atLeast: number): ConflictError {
    return new ConflictError(
      `Log ${log} does not hold exactly ${at} records (at least ${atLeast}, or it was dropped); read the new ones, then append again.`,
      { atLeast },
    )
  }

  /**
   * The marker comes first: from then on the log is empty whatever is left of it or arrives late. Then its next index is taken, so that a
   * writer who knows its length is refused. Both stay, unless the name is to be forgotten. What never held a record leaves nothing.
   */
  async drop(log: string, forget: boolean, signal: Signal | undefined): Promise<void> {
    this.#tails.forget(log)
    const { bucket, keys } = this.#listing
    const marker = keys.marker(log)
    const [first] = (await bucket.list(keys.log(log), { limit: 1, signal })).objects
    if (!first) return
    if (first.key !== marker) {
      const result = await bucket.put(marker, encodeBody({ dropped: true }, []), 'absent', signal)
      if (result.kind === 'open' && !(await bucket.get(marker, { signal }))) throw result.error
    }
    const last = await this.#takeNext(log, signal)
    let after: string | undefined
    do {
      const page = await bucket.list(keys.log(log), { after, limit: PAGE, signal })
      const doomed = page.objects.map(({ key }) => key)
      await bucket.deleteAll(
        doomed.filter((key) => key !== marker && (forget || key !== last)),
        signal,
      )
      after = page.truncated ? doomed.at(-1) : undefined
    } while (after !== undefined)
    if (forget) await bucket.deleteAll([marker], signal)
  }

  /** Puts a stub at the index after the last record, unless one is there; resolves with the stub's key. */
  async #takeNext(log: string, signal: Signal | undefined): Promise<string | undefined> {
    const { bucket, keys } = this.#listing
    for (let tries = 0; tries < DROP_TRIES; tries++) {
      const { objects } = await bucket.list(keys.log(log), { after: keys.marker(log), limit: 1, signal })
      const [newest] = objects
      if (newest && isStubSize(newest.size)) return newest.key
      const at = newest && indexOfSlot(newest.key.slice(keys.log(log).length))
      const start = newest && (await bucket.get(newest.key, { first: HEADER_START_BYTES, signal }))
      // Somebody else is dropping it too.
      if (newest && !start) continue
      const end = start ? endOfHeaderStart(start.body, at ?? -1) : 0
      // Nobody can have seen an end that cannot be read.
      if (end === undefined) return undefined
      const key = keys.slot(log, end)
      const result = await bucket.put(key, encodeStub(end, randomId(this.#random)), 'absent', signal)
      if (result.kind === 'written') return key
      if (result.kind === 'open') throw result.error
    }
    throw new SessionError('BUSY', `Log ${log}: others append to it faster than it can be dropped; try again.`)
  }
}

/** As many of the objects as an object may repeat of, by their sizes. */
function firstWithin(objects: readonly Held[]): readonly Held[] {
  let bytes = 0
  const past = objects.findIndex((object) => (bytes += object.size) > REPEAT_BYTES)
  return past < 0 ? objects : objects.slice(0, past + 1)
}
