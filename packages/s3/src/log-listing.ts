import { MAX_INDEX, type Signal } from '@sessiontree/core'
import type { Bucket } from './bucket.ts'
import { indexOfSlot, type Keys } from './keys.ts'
import { decodeLogObject, heldBySize, isStubSize } from './log-object.ts'
import { BLOCK, type Held } from './overlap.ts'
import { Prepared, type Fetched } from './prepared.ts'

/** A part of a log's objects, newest first. */
export interface LogPage {
  readonly dropped: boolean
  readonly objects: readonly Held[]
  /** There are none older than the last. */
  readonly complete: boolean
}

/** What a read sees first. */
export interface LogTop extends LogPage {
  /** The log holds nothing: never written, or dropped. */
  readonly absent: boolean
  /** The index of the log's last object if that is the first of `objects`. */
  readonly newest: number | undefined
}

/** The most that one LIST returns. */
export const PAGE = 1000

/** The objects of logs as listings and GETs show them. */
export class LogListing {
  readonly bucket: Bucket
  readonly keys: Keys
  readonly prepared: Prepared = new Prepared()

  constructor(bucket: Bucket, keys: Keys) {
    this.bucket = bucket
    this.keys = keys
  }

  /** One LIST: the newest objects with `at < below`. Only without `below` does it see a drop marker. */
  async page(log: string, below: number, limit: number, signal: Signal | undefined): Promise<LogPage> {
    const prefix = this.keys.log(log)
    const after = below > MAX_INDEX ? undefined : this.keys.slot(log, below)
    const page = await this.bucket.list(prefix, { after, limit, signal })
    const objects: Held[] = []
    let dropped = false
    for (const { key, size, etag } of page.objects) {
      const at = indexOfSlot(key.slice(prefix.length))
      if (at === undefined) dropped ||= key === this.keys.marker(log)
      else if (isStubSize(size)) dropped = true
      else objects.push(heldBySize(at, size, etag))
    }
    return { dropped, objects, complete: !page.truncated }
  }

  /** As many LISTs as it takes to see all objects with `low ≤ at < below` and the one that holds `low`. */
  async range(log: string, low: number, below: number, signal: Signal | undefined): Promise<LogPage> {
    const objects: Held[] = []
    while (true) {
      const page = await this.page(log, objects.at(-1)?.at ?? below, PAGE, signal)
      objects.push(...page.objects)
      if (page.dropped || page.complete || page.objects.length === 0 || (objects.at(-1)?.at ?? 0) <= low) {
        return { ...page, objects: upToOwner(objects, low) }
      }
    }
  }

  /**
   * Where a read begins: the newest objects that matter for indices below `high`, which are those up to the end of its block, and
   * whether there is anything at all.
   *
   * @param length how many records the log is known to hold at least.
   */
  async top(log: string, high: number, length: number, limit: number, signal: Signal | undefined): Promise<LogTop> {
    const below = Math.ceil(high / BLOCK) * BLOCK
    if (below > MAX_INDEX) {
      const page = await this.page(log, Infinity, limit, signal)
      return { ...page, absent: page.dropped || page.objects.length === 0, newest: page.objects[0]?.at }
    }
    // Such a listing does not see a drop marker. Only beyond what is known the end matters too: a LIST costs twelve GETs.
    const [page, rest] = await Promise.all([
      this.page(log, below, limit, signal),
      length >= high ? this.bucket.get(this.keys.marker(log), { signal }) : this.page(log, Infinity, 1, signal),
    ])
    if (!rest || 'body' in rest) return { ...page, absent: page.dropped || rest !== undefined, newest: undefined }
    const [first, last] = [page.objects[0]?.at, rest.objects[0]?.at ?? -1]
    // A marker, which sorts first, is all that the one key can be.
    const absent = page.dropped || rest.objects.length === 0
    return { ...page, absent, newest: first !== undefined && first >= last ? first : undefined }
  }

  /** Whether there is a drop marker: a listing may come too late to show it, a GET does not. */
  async isDropped(log: string, signal: Signal | undefined): Promise<boolean> {
    return (await this.bucket.get(this.keys.marker(log), { signal })) !== undefined
  }

  /** Fetches a batch, unless it is on its way already; one that a drop took meanwhile is gone. `together`: bytes fetched at the same time. */
  async fetch(log: string, held: Held, signal: Signal | undefined, together: number = held.size): Promise<Fetched> {
    const object =
      (await this.prepared.take(log, held, signal)) ??
      (await this.fetchSlot(log, { at: held.at, size: together }, signal))
    return typeof object !== 'string' && object.end === object.at ? 'gone' : object
  }

  /** Fetches what stands at an index, be it a stub; `size` bytes are on their way with it. */
  async fetchSlot(log: string, { at, size }: Pick<Held, 'at'> & { size?: number }, signal?: Signal): Promise<Fetched> {
    const object = await this.bucket.get(this.keys.slot(log, at), { signal, size: size ?? 0 })
    return object ? (decodeLogObject(object.body, at) ?? 'damaged') : 'gone'
  }

  /** The names below a prefix: a key goes on with `!` only after a name. */
  async *names(
    prefix: string,
    after: string,
    limit: number,
    signal: Signal | undefined,
  ): AsyncGenerator<readonly string[]> {
    const { bucket, keys } = this
    const root = `${keys.logs}${prefix === '' ? '' : `${prefix}/`}`
    let last = after
    for (let left = limit; left > 0;) {
      // `0` sorts after everything that follows a name's `!`.
      const startAfter = `${keys.logs}${last}!0`
      const beyond = last !== '' && startAfter > root
      if (beyond && !startAfter.startsWith(root)) return
      const page = await bucket.list(root, {
        after: beyond ? startAfter : undefined,
        limit: left,
        delimiter: '!',
        signal,
      })
      const names = page.prefixes.map((key) => key.slice(keys.logs.length, -1))
      if (names.length > 0) yield names
      left -= names.length
      last = names.at(-1) ?? last
      if (!page.truncated || names.length === 0) return
    }
  }
}

/** What lies wholly below `low` is of no use for it. */
export function upToOwner(objects: readonly Held[], low: number): readonly Held[] {
  const owner = objects.findIndex((object) => object.at <= low)
  return owner < 0 ? objects : objects.slice(0, owner + 1)
}
