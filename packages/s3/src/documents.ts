import {
  ConflictError,
  CorruptError,
  SessionError,
  throwIfAborted,
  UncertainError,
  type Document,
  type Random,
  type Removal,
  type ResolvedListing,
  type Signal,
} from '@sessiontree/core'
import type { Bucket } from './bucket.ts'
import {
  decodeDocument,
  encodeDocument,
  isTombstoneSize,
  successor,
  verdict,
  type StoredDocument,
  type StoredHeader,
} from './document-object.ts'
import type { Keys } from './keys.ts'
import { randomId } from './random-id.ts'

// Each takes about 3 KB.
const HEADERS = 1000
// Room in a page for tombstones between the documents wanted.
const SPARE_KEYS = 64

/** Documents: one object per key, replaced on its ETag. */
export class Documents {
  readonly #bucket: Bucket
  readonly #keys: Keys
  readonly #random: Random
  readonly #conditional: boolean
  // In the order of their last use. A put names what it replaces, and the caller has only a version.
  readonly #headers = new Map<string, StoredHeader>()

  constructor(bucket: Bucket, keys: Keys, random: Random, conditional: boolean) {
    this.#bucket = bucket
    this.#keys = keys
    this.#random = random
    this.#conditional = conditional
  }

  async get(key: string, signal: Signal | undefined): Promise<Document | undefined> {
    const found = await this.#fetch(key, signal)
    return found?.value === undefined ? undefined : { value: found.value, version: found.header.etag }
  }

  async put(key: string, value: string, expect: string, signal: Signal | undefined): Promise<string> {
    if (expect !== 'absent') return this.#replace(key, value, await this.#current(key, expect, signal), signal)
    // Where conditions do not count, looking first has to do.
    const found = this.#conditional ? undefined : await this.#fetch(key, signal)
    if (found?.header.live) throw conflict(key, expect)
    return this.#replace(key, value, found?.header, signal)
  }

  /** Leaves a tombstone: after a DELETE, a create that comes late would bring the document back. */
  async remove(key: string, expect: string | undefined, forget: boolean, signal: Signal | undefined): Promise<Removal> {
    const { found, tombstone } = await this.#bury(key, expect, signal)
    const bytes = found?.live || forget ? (found?.size ?? 0) : 0
    if (forget && tombstone !== undefined) {
      // The document is removed: an abort must not say that nothing happened.
      await this.#bucket.delete(this.#keys.document(key), tombstone)
      this.#headers.delete(key)
    }
    return { bytes, keepsVersions: this.#bucket.keepsVersions }
  }

  /** Sees to it that there is a tombstone or nothing; resolves with what was there before and the tombstone's ETag. */
  async #bury(
    key: string,
    expect: string | undefined,
    signal: Signal | undefined,
  ): Promise<{ found: StoredHeader | undefined; tombstone: string | undefined }> {
    if (expect !== undefined) {
      const found = await this.#current(key, expect, signal)
      return { found, tombstone: await this.#replace(key, undefined, found, signal) }
    }
    while (true) {
      const found = (await this.#fetch(key, signal))?.header
      if (!found?.live) return { found, tombstone: found?.etag }
      try {
        return { found, tombstone: await this.#replace(key, undefined, found, signal) }
      } catch (error) {
        if (!SessionError.is(error, 'CONFLICT')) throw error
        throwIfAborted(signal)
      }
    }
  }

  async *keys(prefix: string, listing: ResolvedListing): AsyncGenerator<readonly string[]> {
    const { limit, signal } = listing
    const root = `${this.#keys.documents}${prefix === '' ? '' : `${prefix}/`}`
    const first = this.#keys.document(listing.after)
    const beyond = listing.after !== '' && first > root
    if (beyond && !first.startsWith(root)) return
    let after = beyond ? first : undefined
    for (let left = limit; left > 0;) {
      const page = await this.#bucket.list(root, { after, limit: left + SPARE_KEYS, signal })
      const live = page.objects.filter(({ key, size }) => key.endsWith('!') && !isTombstoneSize(size))
      const named = live.slice(0, left).map(({ key }) => key.slice(this.#keys.documents.length, -1))
      if (named.length > 0) yield named
      if (!page.truncated) return
      left -= named.length
      after = page.objects.at(-1)?.key
    }
  }

  /** The header of the version expected; one more GET if this handle did not see that version. */
  async #current(key: string, expect: string, signal: Signal | undefined): Promise<StoredHeader> {
    const known = this.#headers.get(key)
    if (known?.live && known.etag === expect) return known
    const found = await this.#fetch(key, signal)
    if (!found?.header.live || found.header.etag !== expect) throw conflict(key, expect)
    return found.header
  }

  async #replace(
    key: string,
    value: string | undefined,
    base: StoredHeader | undefined,
    signal: Signal | undefined,
  ): Promise<string> {
    const token = randomId(this.#random)
    let target = base
    while (true) {
      const header = successor(target, token, value !== undefined)
      const condition = target ? { etag: target.etag } : 'absent'
      const body = encodeDocument(header, value)
      const result = await this.#bucket.put(this.#keys.document(key), body, condition, signal)
      if (result.kind === 'written') {
        const etag = this.#version(key, result.etag, 'yes')
        this.#remember(key, { ...header, etag, size: body.length })
        return etag
      }
      if (result.kind === 'open' && signal?.aborted) throw result.error
      const found = await this.#look(key, result)
      const answer = found && verdict(found, token, target)
      if (answer?.kind === 'mine') return answer.version
      if (answer?.kind === 'lost') throw conflict(key, target?.etag ?? 'absent')
      if (answer?.kind === 'tombstone') {
        target = found
        continue
      }
      if (result.kind === 'open') throw result.error
      if (!found && !result.doubtful) throw conflict(key, target?.etag ?? 'absent')
      throw new UncertainError(
        `Document ${key}: a put was refused, but what is there now does not tell whether an attempt before took effect.`,
      )
    }
  }

  /** What is there after a put that was refused or not answered. Never cut short: the outcome hangs on it. */
  async #look(
    key: string,
    result: { kind: 'refused' } | { kind: 'open'; error: SessionError },
  ): Promise<StoredHeader | undefined> {
    try {
      return (await this.#fetch(key, undefined))?.header
    } catch (cause) {
      if (result.kind === 'open') throw result.error
      throw new UncertainError(`Document ${key}: a put was refused, but a GET does not tell why.`, { cause })
    }
  }

  async #fetch(key: string, signal: Signal | undefined): Promise<StoredDocument | undefined> {
    const object = await this.#bucket.get(this.#keys.document(key), { signal })
    if (!object) {
      this.#headers.delete(key)
      return undefined
    }
    const document = decodeDocument(object.body, this.#version(key, object.etag))
    if (document) {
      this.#remember(key, document.header)
      return document
    }
    const where = `s3://${this.#bucket.name}/${this.#keys.document(key)}`
    throw new CorruptError(
      `Document ${key}: ${where} is damaged. Restore it from a backup or a version of the bucket.`,
      {
        where,
      },
    )
  }

  #version(key: string, etag: string | undefined, written: 'no' | 'yes' = 'no'): string {
    if (etag !== undefined) return etag
    throw new SessionError(
      'UNSUPPORTED',
      `Document ${key}: the store's answer has no ETag. In a browser, let the bucket's CORS rules expose it.`,
      { written },
    )
  }

  #remember(key: string, header: StoredHeader): void {
    this.#headers.delete(key)
    this.#headers.set(key, header)
    for (const oldest of this.#headers.keys()) {
      if (this.#headers.size <= HEADERS) break
      this.#headers.delete(oldest)
    }
  }
}

function conflict(key: string, expect: string): ConflictError {
  const needed = expect === 'absent' ? 'exists already' : 'is no longer at the version expected'
  return new ConflictError(`Document ${key} ${needed}; read it again, then decide.`)
}
