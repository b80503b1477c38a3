import {
  ConflictError,
  CorruptError,
  SessionError,
  UncertainError,
  type Random,
  type Removal,
  type Signal,
} from '@sessiontree/core'
import { encodeBody, encodeText } from './body.ts'
import type { ListedObject, PutResult } from './bucket.ts'
import { randomId } from './random-id.ts'
import { indexOfSlot } from './keys.ts'
import { PAGE, type LogListing } from './log-listing.ts'
import {
  decodeHeaderStart,
  encodeLogObject,
  encodeStub,
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

/** Extends and drops logs. While a log lives, no object of it is written again and no key of it is free. */
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
      (object, stop, together) => this.#listing.fetch(log, object, stop, together),
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
    if (dropped || objects.length === 0 || (await this.#listing.isDropped(log, signal))) {
      throw this.#conflict(log, at, 0)
    }
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
      found = await this.#listing.fetchSlot(log, { at })
    } catch (cause) {
      if (result.kind === 'open') throw result.error
      if (SessionError.is(cause, 'FORMAT')) throw cause
      throw new UncertainError(`Log ${log}: index ${at} is taken, but not even a GET tells by whom.`, { cause })
    }
    if (found === 'gone') {
      // An empty slot decides nothing: the put may still arrive.
      if (result.kind === 'open') throw result.error
      this.#tails.forget(log)
      if (!result.doubtful) throw this.#conflict(log, at, 0)
      throw new UncertainError(`Log ${log}: index ${at} was taken, perhaps by this append, and then dropped.`)
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
   * writer who knows its length is refused, and that of its last batch, for one who missed only that. All three stay, unless the name is to be
   * forgotten. What never held a record leaves nothing.
   */
  async drop(log: string, forget: boolean, signal: Signal | undefined): Promise<Removal> {
    this.#tails.forget(log)
    const { bucket, keys } = this.#listing
    const marker = keys.marker(log)
    const [first] = (await bucket.list(keys.log(log), { limit: 1, signal })).objects
    if (!first) return { bytes: 0 }
    if (first.key !== marker) await this.#mark(marker, signal)
    // The log is empty from here on: an abort must not say that nothing happened.
    const { stub, bytes } = await this.#seal(log, forget)
    // Traces count as content only where they go, and this drop's own never do.
    let removed = bytes + (forget && first.key === marker ? first.size : 0)
    let after = marker
    while (true) {
      const page = await bucket.list(keys.log(log), { after, limit: PAGE, signal: undefined })
      const doomed = page.objects.filter(({ size }) => forget || !isStubSize(size))
      await bucket.deleteAll(doomed.map(({ key }) => key))
      for (const { key, size } of doomed) if (key !== stub) removed += size
      const last = page.objects.at(-1)
      if (!page.truncated || !last) break
      after = last.key
    }
    if (forget) await bucket.deleteAll([marker])
    return { bytes: removed, keepsVersions: bucket.keepsVersions }
  }

  async #mark(marker: string, signal: Signal | undefined): Promise<void> {
    const { bucket } = this.#listing
    const result = await bucket.put(marker, encodeBody({ dropped: true }, []), 'absent', signal)
    if (result.kind !== 'open') return
    // A GET that fails tells nothing about the put.
    const found = signal?.aborted ? undefined : await bucket.get(marker).catch(() => undefined)
    if (!found) throw result.error
  }

  /**
   * Takes the index after the last record, then, unless all is to be forgotten, that of the last batch; both may be taken already. Resolves with
   * the bytes of the batch and the key of the stub that it put behind it.
   */
  async #seal(log: string, forget: boolean): Promise<{ stub?: string; bytes: number }> {
    const { bucket, keys } = this.#listing
    for (let tries = 0; tries < DROP_TRIES; tries++) {
      const newest = await this.#nextObject(log, keys.marker(log))
      if (newest && isStubSize(newest.size)) {
        if (forget) return { bytes: 0 }
        // Whoever put it may have been stopped before it took the last batch. What ends elsewhere came late.
        const last = await this.#nextObject(log, newest.key)
        const start = last && !isStubSize(last.size) ? await this.#startOf(last) : undefined
        const ends = start?.end === undefined || start.end === newest.at
        return { bytes: last && start && ends ? await this.#hollow(last, start) : 0 }
      }
      const start = newest && (await this.#startOf(newest))
      // Somebody else is dropping it too.
      if (newest && !start) continue
      const end = newest ? start?.end : 0
      const hollow = async () => (newest && start && !forget ? this.#hollow(newest, start) : 0)
      // Nobody can have seen an end that cannot be read.
      if (end === undefined) return { bytes: await hollow() }
      const stub = keys.slot(log, end)
      const result = await bucket.put(stub, encodeStub(end, randomId(this.#random)), 'absent')
      if (result.kind === 'open') throw result.error
      if (result.kind === 'written') return { stub, bytes: await hollow() }
    }
    throw new SessionError('BUSY', `Log ${log}: others append to it faster than it can be dropped; try again.`)
  }

  /** The first object behind a key, and the index that it begins at. */
  async #nextObject(log: string, after: string): Promise<SlotObject | undefined> {
    const { bucket, keys } = this.#listing
    const [object] = (await bucket.list(keys.log(log), { after, limit: 1, signal: undefined })).objects
    return object && { ...object, at: indexOfSlot(object.key.slice(keys.log(log).length)) }
  }

  /** What the first bytes of an object tell. Undefined if it is gone. */
  async #startOf({ key, at = -1 }: SlotObject): Promise<Start | undefined> {
    const start = await this.#listing.bucket.get(key, { first: HEADER_START_BYTES })
    return start && { ...decodeHeaderStart(start.body, at), etag: start.etag }
  }

  /**
   * Puts a stub in the place of a batch; resolves with the bytes that it took away. The stub keeps the batch's id: its writer may not have been
   * answered yet, and must not be told that nothing was written.
   */
  async #hollow({ key, at, size }: SlotObject, { id, etag }: Start): Promise<number> {
    if (at === undefined || etag === undefined) return 0
    const result = await this.#listing.bucket.put(key, encodeStub(at, id ?? randomId(this.#random)), { etag })
    if (result.kind === 'open') throw result.error
    // Refused for certain: another drop was here before.
    return result.kind === 'written' || result.doubtful ? size : 0
  }
}

/** `at` is undefined for an object that is not ours. */
type SlotObject = ListedObject & { readonly at: number | undefined }

type Start = ReturnType<typeof decodeHeaderStart> & { readonly etag: string | undefined }

/** As many of the objects as an object may repeat of, by their sizes. */
function firstWithin(objects: readonly Held[]): readonly Held[] {
  let bytes = 0
  const past = objects.findIndex((object) => (bytes += object.size) > REPEAT_BYTES)
  return past < 0 ? objects : objects.slice(0, past + 1)
}
