import { CorruptError, SessionError, type RecordBatch, type ResolvedRange, type Signal } from '@sessiontree/core'
import { decodeText } from './body.ts'
import { PAGE, upToOwner, type LogListing, type LogPage, type LogTop } from './log-listing.ts'
import type { LogObject } from './log-object.ts'
import { BLOCK, cover, roundEnd, type Held, type Pick } from './overlap.ts'
import { inOrder } from './parallel.ts'
import type { Tails } from './tails.ts'

// Enough for 64 KiB of small records one by one, and twice as fast as a listing of 1000.
const TAIL_PAGE = 256
const SMALLEST_RECORD = 256
// Later rounds fetch more: whoever reads on has shown that the first guess was too small.
const SMALLEST_ROUND = 64 * 1024
const LARGEST_ROUND = 8 * 1024 * 1024
const LISTINGS_AT_ONCE = 32

interface Reading {
  readonly log: string
  readonly range: ResolvedRange
  /** The first index wanted. */
  readonly low: number
  /** The index after the last one wanted; `Infinity` for the end of the log. */
  readonly high: number
  /** The index of the log's last object, if it is among those that matter. */
  readonly newest: number | undefined
}

/** A stretch of a pick: records; indices that it did not hold; or a place where two objects contradict each other. */
type Piece = RecordBatch | { readonly at: number; readonly to: number } | { readonly contradiction: number }

/** Reads logs: one listing tells what to fetch, and all of it is fetched in parallel. */
export class LogReader {
  readonly #listing: LogListing
  readonly #tails: Tails

  constructor(listing: LogListing, tails: Tails) {
    this.#listing = listing
    this.#tails = tails
  }

  /** Begins to fetch what a read of this range will want first, if it is one of the tail. */
  prepare(log: string, range: ResolvedRange): void {
    const { from, to, limit, reverse, readAhead } = range
    if (!reverse || to < Infinity) return
    const plan = async (signal: Signal) => {
      const top = await this.#listing.top(log, to, 0, firstPage(range, to), signal)
      if (top.absent) return []
      const { picks } = cover(top.objects, lowest(top, from, to, limit), to)
      return picks.slice(0, roundEnd(picks, 0, readAhead)).flatMap(({ object }) => object ?? [])
    }
    this.#listing.prepared.begin(log, range.signal, plan, (held, signal) => this.#listing.fetch(log, held, signal))
  }

  async *read(log: string, range: ResolvedRange): AsyncGenerator<RecordBatch> {
    try {
      yield* this.#read(log, range)
    } finally {
      this.#listing.prepared.forget(log)
    }
  }

  async *#read(log: string, range: ResolvedRange): AsyncGenerator<RecordBatch> {
    const { from, to, limit, reverse, readAhead, salvage, signal } = range
    // A limit counts what is delivered: behind damage it may reach further.
    const reach = salvage ? Infinity : limit
    const high = reverse ? to : Math.min(to, from + reach)
    if (high <= from) return
    const known = this.#tails.get(log)?.end
    const isOpen = !reverse && to === Infinity
    const top = await this.#listing.top(log, high, known ?? 0, firstPage(range, high), signal)
    if (top.absent) {
      if (top.dropped) return
      this.#tails.learn(log, { from: 0, end: 0, records: [] })
      if (isOpen && from < (known ?? 0)) yield* this.#beyondListing(log, range, from, limit)
      return
    }
    // A boundary that this handle has seen, and nothing begins there or later.
    if (!reverse && from === known && top.newest !== undefined && top.newest < from) return
    const low = reverse ? lowest(top, from, high, reach) : from
    const reading: Reading = { log, range, low, high, newest: top.newest }
    let [budget, left, end] = [readAhead, limit, from]
    for await (const window of reverse ? this.#windowsDown(reading, top) : this.#windowsUp(reading, top)) {
      for (let start = 0; start < window.length;) {
        const next = roundEnd(window, start, budget)
        for await (const batch of this.#fetchRound(reading, window.slice(start, next))) {
          const cut = reverse ? batch.records.slice(-left) : batch.records.slice(0, left)
          yield reverse
            ? { at: batch.at + batch.records.length - cut.length, records: cut }
            : { at: batch.at, records: cut }
          left -= cut.length
          if (left === 0) return
          end = batch.at + batch.records.length
        }
        start = next
        budget = Math.max(budget, SMALLEST_ROUND, Math.min(budget * 2, LARGEST_ROUND))
      }
    }
    if (isOpen && end < (known ?? 0)) yield* this.#beyondListing(log, range, end, left)
  }

  /** What follows when this handle knew of more than the listing showed, one GET after the other: some stores list late what they give out at once. */
  async *#beyondListing(
    log: string,
    { signal }: ResolvedRange,
    from: number,
    limit: number,
  ): AsyncGenerator<RecordBatch> {
    let [at, left] = [from, limit]
    while (left > 0) {
      const object = await this.#listing.fetchSlot(log, { at }, signal)
      if (typeof object === 'string' || object.end === object.at) return
      this.#tails.learn(log, object)
      const records = object.records
        .slice(at - object.from)
        .slice(0, left)
        .map(decodeText)
      yield { at, records }
      at = object.end
      left -= records.length
    }
  }

  /** What to fetch, from high to low indices, listing by listing. */
  async *#windowsDown({ log, range, low, high }: Reading, top: LogTop): AsyncGenerator<readonly Pick[]> {
    let page: LogPage = top
    let objects = top.objects
    let reached = high
    while (true) {
      const covered = cover(objects, low, reached)
      yield covered.picks
      reached = covered.reached
      if (reached <= low) return
      if (page.complete || page.objects.length === 0)
        return yield [{ object: undefined, next: 0, from: low, to: reached }]
      page = await this.#listing.page(log, objects.at(-1)?.at ?? reached, PAGE, range.signal)
      objects = [...objects.filter((object) => object.at < reached + BLOCK), ...page.objects]
    }
  }

  /** What to fetch, from low to high indices: as many listings at a time as what is expected to be read needs. */
  async *#windowsUp({ log, range, low, high }: Reading, top: LogTop): AsyncGenerator<readonly Pick[]> {
    const ascending = (objects: readonly Held[], from: number, to: number) => {
      const { picks, reached } = cover(objects, from, to)
      return [...picks, ...(reached > from ? [{ object: undefined, next: 0, from, to: reached }] : [])].toReversed()
    }
    const bottom = top.objects.at(-1)?.at ?? 0
    if (bottom <= low || top.complete) return yield ascending(top.objects, low, high)
    // So that one listing shows all of a part, if the rest of the log is like what is known of it.
    const width = Math.max(PAGE, Math.floor(((top.objects[0]?.at ?? 0) - bottom) / top.objects.length) * PAGE)
    let [from, listed, atOnce] = [low, low, Math.ceil(range.readAhead / (width * SMALLEST_RECORD))]
    let objects: readonly Held[] = []
    while (listed < bottom) {
      const parts: { readonly low: number; readonly below: number }[] = []
      for (; listed < bottom && parts.length < Math.min(Math.max(1, atOnce), LISTINGS_AT_ONCE); listed += width) {
        parts.push({ low: listed, below: Math.min(listed + width, bottom) })
      }
      const pages = inOrder(
        parts,
        () => 0,
        async (part, signal) => ({ part, page: await this.#listing.range(log, part.low, part.below, signal) }),
        range.signal,
      )
      for await (const { part, page } of pages) {
        // The part before has shown its own and whoever holds its first index.
        const fresh = page.objects.filter(({ at }) => objects.length === 0 || at >= part.low)
        objects = [...fresh, ...upToOwner(objects, from)]
      }
      const below = parts.at(-1)?.below ?? bottom
      if (below === bottom) return yield ascending([...top.objects, ...objects], from, high)
      // Up to the end of a block: there one object holds it all.
      const to = below - (below % BLOCK)
      if (to > from) yield ascending(objects, from, to)
      from = Math.max(from, to)
      atOnce *= 2
    }
  }

  async *#fetchRound(reading: Reading, picks: readonly Pick[]): AsyncGenerator<RecordBatch> {
    const { log, range } = reading
    const fetched = inOrder(
      picks,
      (pick) => pick.object?.size ?? 0,
      async (pick, signal, together) => ({
        pick,
        object: pick.object ? await this.#listing.fetch(log, pick.object, signal, together) : ('gone' as const),
      }),
      range.signal,
    )
    for await (const { pick, object } of fetched) {
      const pieces = this.#pieces(reading, pick, object)
      for (const piece of range.reverse ? pieces.toReversed() : pieces) {
        if ('records' in piece) yield piece
        else if ('to' in piece) yield* this.#recover(reading, piece.at, piece.to)
        else if (!range.salvage) throw this.#corrupt(log, piece.contradiction)
      }
    }
  }

  /** What a fetched object gives of what it was picked for, from low to high indices. */
  #pieces({ log, range, high, newest }: Reading, pick: Pick, object: LogObject | 'gone' | 'damaged'): Piece[] {
    const isNewest = pick.object !== undefined && pick.object.at === newest
    if (typeof object === 'string') {
      // Nobody knows how much the newest would have held beside its first own record.
      const end = isNewest ? Math.max(pick.from, newest) + 1 : Infinity
      return [{ at: pick.from, to: Math.min(pick.to, high, end) }]
    }
    if (isNewest || range.reverse || object.from <= (this.#tails.get(log)?.end ?? 0)) this.#tails.learn(log, object)
    const from = Math.max(pick.from, object.from)
    const to = Math.min(pick.to, high, object.end)
    const wanted = isNewest ? to : Math.min(pick.to, high)
    const pieces: Piece[] = []
    if (from > pick.from) pieces.push({ at: pick.from, to: Math.min(from, wanted) })
    if (to > from) {
      const records = object.records.slice(from - object.from, to - object.from).map(decodeText)
      pieces.push({ at: from, records })
    }
    if (wanted > Math.max(to, from)) pieces.push({ at: Math.max(to, from), to: wanted })
    if (object.end > pick.next) pieces.push({ contradiction: pick.next })
    return pieces
  }

  /**
   * Looks again for indices that an object should have held: the listing was out of date, its sizes lied, or something is damaged. Lists
   * once more and fetches whatever may hold one of them in one round.
   */
  async *#recover({ log, range }: Reading, low: number, high: number): AsyncGenerator<RecordBatch> {
    const { signal, reverse, salvage } = range
    const above = Math.ceil(high / BLOCK) * BLOCK
    const [newest, { objects }] = await Promise.all([
      this.#listing.page(log, Infinity, 1, signal),
      this.#listing.range(log, low, above, signal),
    ])
    if (newest.dropped || newest.objects.length === 0) {
      throw this.#deleted(log)
    }
    const holders = objects.filter((object, i) => object.from < high && (objects[i - 1]?.at ?? Infinity) > low)
    const found = new Map<number, string>()
    for await (const object of inOrder(
      holders,
      (one) => one.size,
      (one, stop, together) => this.#listing.fetch(log, one, stop, together),
      signal,
    )) {
      if (typeof object === 'string') continue
      for (let index = Math.max(low, object.from); index < Math.min(high, object.end); index++) {
        const record = object.records[index - object.from]
        if (record) found.set(index, decodeText(record))
      }
    }
    let isDropped: boolean | undefined
    for (let i = 0; i < high - low; i++) {
      const at = reverse ? high - 1 - i : low + i
      const record = found.get(at)
      if (record !== undefined) yield { at, records: [record] }
      else if ((isDropped ??= await this.#listing.isDropped(log, signal))) throw this.#deleted(log)
      else if (!salvage) throw this.#corrupt(log, at)
    }
  }

  #deleted(log: string): SessionError {
    return new SessionError('DELETED', `Log ${log} was dropped while it was read.`)
  }

  #corrupt(log: string, at: number): CorruptError {
    const where = `s3://${this.#listing.bucket.name}/${this.#listing.keys.log(log)}`
    return new CorruptError(
      `Log ${log}: no object under ${where} holds record ${at} undamaged. Restore it from a backup or a version of the bucket, or read ` +
        `on with salvage.`,
      { log, at, where },
    )
  }
}

/** The first index that a read from the end wants, as far as the listing tells the end. */
function lowest(top: LogTop, from: number, high: number, limit: number): number {
  return Math.max(from, Math.min(high, (top.objects[0]?.at ?? -1) + 1) - limit)
}

/** How many keys the first listing asks for. */
function firstPage({ from, limit, reverse, readAhead }: ResolvedRange, high: number): number {
  const indices = reverse ? limit : high - from
  const expected = reverse ? Math.max(TAIL_PAGE, readAhead / SMALLEST_RECORD) : PAGE
  return Math.ceil(Math.min(indices + BLOCK, expected, PAGE))
}
