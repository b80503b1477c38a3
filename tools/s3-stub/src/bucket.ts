import { createHash } from 'node:crypto'

/** An error as S3 answers it. */
export class S3Error extends Error {
  readonly status: number
  readonly code: string

  constructor(status: number, code: string, message: string) {
    super(message)
    this.status = status
    this.code = code
  }
}

export interface StoredObject {
  readonly body: Buffer
  /** With its quotes, as S3 writes it everywhere. */
  readonly etag: string
  readonly modified: Date
  /** Its version, in a bucket that keeps them. */
  readonly versionId: string | undefined
}

export interface Conditions {
  readonly ifMatch?: string | undefined
  readonly ifNoneMatch?: string | undefined
}

export interface ListQuery {
  readonly prefix: string
  readonly delimiter: string
  /** Keys up to this one are left out. */
  readonly after: string
  readonly limit: number
}

export interface ListResult {
  readonly objects: readonly (readonly [key: string, object: StoredObject])[]
  readonly prefixes: readonly string[]
  /** Where the next page goes on, if there is one. */
  readonly next: string | undefined
}

// Sorts after every key that starts with the same text: no key holds it, since it is not a character.
const LAST = '\u{10ffff}'

/** Listings that show the bucket as it was some time ago. */
export interface ListLag {
  readonly milliseconds: number
  /** Default: the time of day. */
  readonly now?: () => number
}

export interface StubBucketOptions {
  /** Keeps every version. Default false. */
  readonly versioning?: boolean
  /** What stands between the quotes of an ETag. Default: the MD5, as S3 has it. */
  readonly etagOf?: (body: Buffer) => string
  /** Default: a listing shows what is there. */
  readonly listLag?: ListLag | undefined
}

const md5 = (body: Buffer) => createHash('md5').update(body).digest('hex')

/** The objects of one bucket, with the answers that AWS gives to conditions. */
export class StubBucket {
  readonly #objects = new Map<string, StoredObject>()
  readonly #history: { readonly key: string; readonly object: StoredObject }[] = []
  readonly #versioning: boolean
  readonly #etagOf: (body: Buffer) => string
  readonly #listLag: ListLag | undefined
  /** Every change, if listings lag behind. */
  readonly #changes: { readonly time: number; readonly key: string; readonly object: StoredObject | undefined }[] = []
  #sorted: string[] = []

  constructor({ versioning = false, etagOf = md5, listLag }: StubBucketOptions = {}) {
    this.#versioning = versioning
    this.#etagOf = etagOf
    this.#listLag = listLag
  }

  /** All versions that the bucket keeps, oldest first; without versioning none. */
  get history(): readonly { readonly key: string; readonly object: StoredObject }[] {
    return this.#history
  }

  get size(): number {
    return this.#objects.size
  }

  get(key: string): StoredObject {
    const object = this.#objects.get(key)
    if (!object) throw noSuchKey()
    return object
  }

  put(key: string, body: Buffer, { ifMatch, ifNoneMatch }: Conditions): StoredObject {
    const current = this.#objects.get(key)
    if (ifNoneMatch !== undefined) {
      if (ifNoneMatch !== '*') throw notImplemented('If-None-Match on a write takes only *')
      if (current) throw preconditionFailed()
    }
    if (ifMatch !== undefined) assertMatch(current, ifMatch)
    const etag = `"${this.#etagOf(body)}"`
    const versionId = this.#versioning ? `stub-${this.#history.length + 1}` : undefined
    const object = { body, etag, modified: new Date(), versionId }
    this.#objects.set(key, object)
    if (this.#versioning) this.#history.push({ key, object })
    if (!current) this.#sorted.splice(this.#position(key), 0, key)
    this.#note(key, object)
    return object
  }

  delete(key: string, { ifMatch }: Conditions = {}): void {
    const current = this.#objects.get(key)
    if (ifMatch !== undefined) assertMatch(current, ifMatch)
    if (!this.#objects.delete(key)) return
    this.#sorted.splice(this.#position(key), 1)
    this.#note(key, undefined)
  }

  list(query: ListQuery): ListResult {
    return this.#listLag ? this.#before(this.#now - this.#listLag.milliseconds).#list(query) : this.#list(query)
  }

  get #now(): number {
    return this.#listLag?.now?.() ?? Date.now()
  }

  #note(key: string, object: StoredObject | undefined): void {
    if (this.#listLag) this.#changes.push({ time: this.#now, key, object })
  }

  /** The bucket as it was at a time. */
  #before(time: number): StubBucket {
    const past = new StubBucket()
    for (const change of this.#changes) {
      if (change.time > time) break
      if (change.object) past.#objects.set(change.key, change.object)
      else past.#objects.delete(change.key)
    }
    past.#sorted = [...past.#objects.keys()].toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
    return past
  }

  #list({ prefix, delimiter, after, limit }: ListQuery): ListResult {
    const objects: [string, StoredObject][] = []
    const prefixes: string[] = []
    let last: string | undefined
    let i = this.#position(prefix)
    if (after !== '') i = Math.max(i, this.#position(after))
    if (this.#sorted[i] === after) i++
    for (; ; i++) {
      const key = this.#sorted[i]
      if (key === undefined || !key.startsWith(prefix)) return { objects, prefixes, next: undefined }
      if (objects.length + prefixes.length >= limit) return { objects, prefixes, next: last }
      const cut = delimiter === '' ? -1 : key.indexOf(delimiter, prefix.length)
      if (cut < 0) {
        objects.push([key, this.get(key)])
        last = key
        continue
      }
      const group = key.slice(0, cut + delimiter.length)
      prefixes.push(group)
      last = group + LAST
      i = this.#position(last) - 1
    }
  }

  /** Where the key stands, or would stand, in the order of UTF-8 bytes. */
  #position(key: string): number {
    let [low, high] = [0, this.#sorted.length]
    const bytes = Buffer.from(key)
    while (low < high) {
      const middle = (low + high) >> 1
      if (Buffer.compare(Buffer.from(this.#sorted[middle] ?? ''), bytes) < 0) low = middle + 1
      else high = middle
    }
    return low
  }
}

function assertMatch(current: StoredObject | undefined, etag: string): void {
  if (!current) throw noSuchKey()
  if (etag !== '*' && unquoted(etag) !== unquoted(current.etag)) throw preconditionFailed()
}

const unquoted = (etag: string) => etag.replaceAll('"', '')

const noSuchKey = () => new S3Error(404, 'NoSuchKey', 'The specified key does not exist.')

const preconditionFailed = () =>
  new S3Error(412, 'PreconditionFailed', 'At least one of the pre-conditions you specified did not hold')

export const notImplemented = (message: string): S3Error => new S3Error(501, 'NotImplemented', message)
