import { SessionError, type Signal } from '@sessiontree/core'
import { decodeBody, encodeBody } from './body.ts'
import type { Bucket, PutResult } from './bucket.ts'
import { createAbort, waitFor } from './parallel.ts'

/** What the object of the proof says now. */
type Found = { readonly isProven: boolean; readonly etag: string } | 'absent'

/** An ETag that no content has. */
const NO_ETAG = '"00000000000000000000000000000000"'
const TRIES = 8
// The same whatever it says: an ETag must tell more than the size.
const SIZE = { residue: 0, least: 256 }

/**
 * Proof that the store honours conditions on PutObject, kept in the bucket so that it is furnished once.
 *
 * Invariant: until it is there, this handle writes nothing but the object of the proof. That object is a place like any other, so whoever proves
 * beside others, or was interrupted, only repeats what the store refuses anyway.
 */
export class ConditionProof {
  readonly #bucket: Bucket
  readonly #key: string
  readonly #ended = createAbort(undefined)
  #looking: Promise<Found> | undefined
  #proving: Promise<void> | undefined
  #isProven = false

  constructor(bucket: Bucket, key: string) {
    this.#bucket = bucket
    this.#key = key
  }

  /** Looks for the proof, beside whatever the handle does first. */
  begin(): void {
    if (this.#isProven || this.#looking || this.#proving) return
    this.#looking = this.#look()
    // Whoever writes finds out; readers need no proof.
    this.#looking.catch(() => undefined)
  }

  /**
   * Resolves once it is proven that conditions count; furnishes the proof if there is none.
   *
   * @throws {SessionError} `UNSUPPORTED` if they do not count.
   */
  async proven(signal: Signal | undefined): Promise<void> {
    if (this.#isProven) return
    // Others wait for it too: nobody's abort ends it.
    this.#proving ??= this.#prove().finally(() => (this.#proving = undefined))
    await waitFor(this.#proving, signal)
  }

  /** Ends what is under way. */
  async close(): Promise<void> {
    this.#ended.abort(new Error('The handle was closed'))
    await Promise.allSettled([this.#looking, this.#proving])
  }

  async #prove(): Promise<void> {
    let found = await this.#firstLook()
    let ignored = 0
    for (let tries = 0; tries < TRIES; tries++) {
      if (found === 'absent') {
        const created = await this.#put(false, 'absent')
        if (created.kind !== 'written') {
          found = await this.#look()
          continue
        }
        found = { isProven: false, etag: this.#etagOf(created) }
      }
      if (found.isProven) {
        this.#isProven = true
        return
      }
      const [again, stale] = await Promise.all([this.#put(false, 'absent'), this.#put(false, { etag: NO_ETAG })])
      const heedless = [again.kind === 'written' && 'If-None-Match: *', stale.kind === 'written' && 'If-Match'].filter(
        (header) => header !== false,
      )
      if (heedless.length > 0) {
        // Once it may be that somebody deleted the object in between.
        if (++ignored === 2) throw await this.#refuse(`takes no notice of ${heedless.join(' and of ')}`)
        found = await this.#look()
        continue
      }
      const { etag } = found
      const replaced = await this.#put(true, { etag })
      if (replaced.kind === 'written') {
        if (this.#etagOf(replaced) === etag) throw await this.#refuse('gives two contents one ETag')
        this.#isProven = true
        return
      }
      found = await this.#look()
      if (found !== 'absent' && !found.isProven && found.etag === etag && !replaced.doubtful) {
        throw await this.#refuse('refuses If-Match with the very ETag that it gave out')
      }
    }
    throw new SessionError(
      'BUSY',
      `S3 bucket "${this.#bucket.name}": ${this.#key} changes too fast to find out whether PutObject honours conditions; try again.`,
      { retry: true },
    )
  }

  async #firstLook(): Promise<Found> {
    const begun = this.#looking
    this.#looking = undefined
    return (await begun?.catch(() => undefined)) ?? this.#look()
  }

  async #look(): Promise<Found> {
    const object = await this.#bucket.get(this.#key, { signal: this.#ended.signal })
    if (!object) return 'absent'
    const header = decodeBody(object.body)?.header
    // A copy of the bucket elsewhere proves nothing there.
    const isProven = header?.['conditions'] === 'proven' && header['bucket'] === this.#bucket.name
    return { isProven, etag: this.#etagOf(object) }
  }

  async #put(isProven: boolean, condition: { readonly etag: string } | 'absent'): Promise<Exclude<PutResult, Open>> {
    const body = encodeBody({ conditions: isProven ? 'proven' : 'unknown', bucket: this.#bucket.name }, [], SIZE)
    let result: PutResult
    try {
      result = await this.#bucket.putUnproven(this.#key, body, condition, this.#ended.signal)
    } catch (error) {
      if (!SessionError.is(error, 'UNSUPPORTED')) throw error
      throw await this.#refuse(`knows no ${condition === 'absent' ? 'If-None-Match: *' : 'If-Match'}`, error.cause)
    }
    if (result.kind !== 'open') return result
    // Of what the caller wants to write nothing was sent.
    throw new SessionError(
      'UNAVAILABLE',
      `S3 bucket "${this.#bucket.name}": PutObject was not answered often enough to find out whether it honours conditions; try again.`,
      { cause: result.error.cause, retry: true },
    )
  }

  #etagOf({ etag }: { readonly etag: string | undefined }): string {
    if (etag !== undefined) return etag
    throw new SessionError(
      'UNSUPPORTED',
      `S3 bucket "${this.#bucket.name}": the answer for ${this.#key} has no ETag. In a browser, let the bucket's CORS rules expose it.`,
    )
  }

  /** The error for a store where several writers would overwrite one another. Leaves nothing behind if it can. */
  async #refuse(what: string, cause?: unknown): Promise<SessionError> {
    const found = await this.#look().catch(() => undefined)
    if (found && found !== 'absent') await this.#bucket.delete(this.#key, found.etag).catch(() => undefined)
    return new SessionError(
      'UNSUPPORTED',
      `S3 bucket "${this.#bucket.name}": on PutObject this store ${what}, so writers would overwrite one another; nothing was written. ` +
        'Use a store with conditional writes (docs/s3.md lists some), or pass singleWriter: true if this handle is the only writer there is.',
      { cause },
    )
  }
}

type Open = { readonly kind: 'open' }
