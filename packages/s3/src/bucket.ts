import {
  DeleteObjectCommand,
  DeleteObjectsCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  type S3Client,
} from '@aws-sdk/client-s3'
import { SessionError, throwIfAborted, type Signal } from '@sessiontree/core'
import { ATTEMPTS, Attempts, type AttemptOptions } from './attempts.ts'
import { analyse, errorOf, isNoSuchKey, uncertain } from './failure.ts'

export interface BucketOptions extends AttemptOptions {
  readonly client: Pick<S3Client, 'send'>
  /** Whether to send conditions. */
  readonly conditional: boolean
}

/** What must hold for a put: there is no such object, or it has this ETag. */
export type Condition = { readonly etag: string } | 'absent'

/**
 * How a put ended: `written`; `refused` by its condition, where an attempt before may still have been written; or
 * `open`, and `error` is what to reject with unless the object at the key tells more.
 */
export type PutResult =
  | { readonly kind: 'written'; readonly etag: string | undefined }
  | { readonly kind: 'refused'; readonly doubtful: boolean }
  | { readonly kind: 'open'; readonly error: SessionError }

export interface FetchedObject {
  readonly body: Uint8Array
  readonly etag: string | undefined
}

export interface ListedObject {
  readonly key: string
  readonly size: number
  readonly etag: string | undefined
}

export interface ListPage {
  readonly objects: readonly ListedObject[]
  readonly prefixes: readonly string[]
  readonly truncated: boolean
}

const MOST_KEYS = 1000

/** The requests to one bucket. Ours are repeated with the same bytes to the same key; the client may repeat them on its own. */
export class Bucket {
  readonly name: string
  readonly #client: Pick<S3Client, 'send'>
  readonly #conditional: boolean
  readonly #attempts: Attempts
  #keepsVersions: boolean | undefined
  #proven: ((signal: Signal | undefined) => Promise<void>) | undefined

  constructor(options: BucketOptions) {
    this.name = options.bucket
    this.#client = options.client
    this.#conditional = options.conditional
    this.#attempts = new Attempts(options)
  }

  /** Whether the bucket keeps what is replaced or deleted, as its answers to puts tell; undefined before the first. */
  get keepsVersions(): boolean | undefined {
    return this.#keepsVersions
  }

  /** Lets every put wait until `proven` resolves. */
  require(proven: (signal: Signal | undefined) => Promise<void>): void {
    this.#proven = proven
  }

  /**
   * Puts an object if the condition holds, once it is proven that conditions count. Of several attempts the least certain one decides, with those that the client hides;
   * so does a signal that is aborted under way.
   *
   * @throws {SessionError} when it is known that nothing was written.
   */
  async put(key: string, body: Uint8Array, condition: Condition, signal?: Signal): Promise<PutResult> {
    throwIfAborted(signal)
    await this.#proven?.(signal)
    return this.putUnproven(key, body, condition, signal)
  }

  /** As {@link put}, for what proves that conditions count. */
  async putUnproven(key: string, body: Uint8Array, condition: Condition, signal?: Signal): Promise<PutResult> {
    throwIfAborted(signal)
    const command = {
      Bucket: this.name,
      Key: key,
      Body: body,
      ContentType: 'text/plain; charset=utf-8',
      ...(this.#conditional && (condition === 'absent' ? { IfNoneMatch: '*' } : { IfMatch: condition.etag })),
    }
    let doubtful = false
    for (let attempt = 1; ; attempt++) {
      try {
        const { ETag, VersionId = 'null' } = await this.#attempts.once({
          operation: 'PutObject',
          key,
          size: body.length,
          signal,
          run: async (options) => {
            const output = await this.#client.send(new PutObjectCommand(command), options)
            return { output, bytes: body.length, metadata: output.$metadata }
          },
        })
        // "null" is what a bucket without versions, or one that suspended them, calls all that it writes.
        this.#keepsVersions ||= VersionId !== 'null'
        return { kind: 'written', etag: quoted(ETag) }
      } catch (error) {
        const failure = analyse(error)
        doubtful ||= !failure.sure
        if (failure.status === 412 || isNoSuchKey(failure)) return { kind: 'refused', doubtful }
        if (failure.passing && attempt < ATTEMPTS) {
          await this.#attempts.pause(attempt, signal).catch(() => undefined)
          if (!signal?.aborted) continue
        }
        if (doubtful) return { kind: 'open', error: uncertain(failure, 'PutObject', this.name) }
        if (failure.passing) throwIfAborted(signal)
        const definite = errorOf(failure, 'PutObject', this.name)
        if (!failure.passing) throw definite
        return { kind: 'open', error: definite }
      }
    }
  }

  /** Gets an object, or its first bytes. Undefined only if the store says that there is no such key. */
  async get(
    key: string,
    { signal, size = 0, first }: { signal?: Signal | undefined; size?: number; first?: number } = {},
  ): Promise<FetchedObject | undefined> {
    const range = first === undefined ? {} : { Range: `bytes=0-${first - 1}` }
    return this.#attempts.untilAnswered({
      operation: 'GetObject',
      key,
      size,
      signal,
      run: async (options) => {
        const output = await this.#client.send(new GetObjectCommand({ Bucket: this.name, Key: key, ...range }), options)
        const body = (await output.Body?.transformToByteArray()) ?? new Uint8Array()
        // A connection that ended early must not look like a damaged object.
        if (body.length !== (output.ContentLength ?? body.length)) throw new Error('The body ended early')
        return { output: { body, etag: quoted(output.ETag) }, bytes: body.length, metadata: output.$metadata }
      },
    })
  }

  /** Lists keys after `after`, in ascending order. Without continuation tokens: one can go on from any key. */
  async list(
    prefix: string,
    options: { after?: string | undefined; limit: number; delimiter?: string; signal: Signal | undefined },
  ): Promise<ListPage> {
    const query = {
      Bucket: this.name,
      Prefix: prefix,
      StartAfter: options.after,
      MaxKeys: Math.min(MOST_KEYS, options.limit),
      Delimiter: options.delimiter,
    }
    const page = await this.#attempts.untilAnswered({
      operation: 'ListObjectsV2',
      size: 0,
      signal: options.signal,
      run: async (sendOptions) => {
        const output = await this.#client.send(new ListObjectsV2Command(query), sendOptions)
        // Whatever else answers 200 would look like an empty bucket.
        if (output.Name === undefined) throw new Error('The answer to ListObjectsV2 is not one of S3')
        return { output, bytes: 0, metadata: output.$metadata }
      },
    })
    if (!page) throw new SessionError('UNAVAILABLE', `S3 bucket "${this.name}": ListObjectsV2 found no such key.`)
    const { Contents = [], CommonPrefixes = [], IsTruncated = false } = page
    return {
      objects: Contents.map(({ Key = '', Size = 0, ETag }) => ({ key: Key, size: Size, etag: quoted(ETag) })),
      prefixes: CommonPrefixes.map(({ Prefix = '' }) => Prefix),
      truncated: IsTruncated,
    }
  }

  /** Deletes one object if it still has this ETag; else nothing happens. */
  async delete(key: string, etag: string, signal?: Signal): Promise<void> {
    const command = { Bucket: this.name, Key: key, ...(this.#conditional && { IfMatch: etag }) }
    try {
      await this.#attempts.untilAnswered({
        operation: 'DeleteObject',
        key,
        size: 0,
        signal,
        run: async (options) => {
          const output = await this.#client.send(new DeleteObjectCommand(command), options)
          return { output, bytes: 0, metadata: output.$metadata }
        },
      })
    } catch (error) {
      if (!SessionError.is(error) || analyse(error.cause).status !== 412) throw error
    }
  }

  /** Deletes objects whatever they hold. */
  async deleteAll(keys: readonly string[], signal?: Signal): Promise<void> {
    for (let at = 0; at < keys.length; at += MOST_KEYS) {
      const Objects = keys.slice(at, at + MOST_KEYS).map((Key) => ({ Key }))
      const answer = await this.#attempts.untilAnswered({
        operation: 'DeleteObjects',
        size: 0,
        signal,
        run: async (options) => {
          const command = new DeleteObjectsCommand({ Bucket: this.name, Delete: { Objects, Quiet: true } })
          const output = await this.#client.send(command, options)
          return { output, bytes: 0, metadata: output.$metadata }
        },
      })
      const [failed] = answer?.Errors ?? []
      if (!failed) continue
      const code = failed.Code ?? 'UnknownError'
      const status = code === 'AccessDenied' ? 403 : 500
      throw errorOf(
        { status, code, attempts: 1, passing: true, sure: false, cause: failed },
        'DeleteObjects',
        this.name,
      )
    }
  }
}

/** An ETag as S3 writes it: some stores leave the quotes out here or there. */
function quoted(etag: string | undefined): string | undefined {
  return etag === undefined ? undefined : `"${etag.replaceAll('"', '')}"`
}
