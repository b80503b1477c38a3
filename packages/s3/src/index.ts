import type { S3Client } from '@aws-sdk/client-s3'
import {
  defineAdapter,
  systemClock,
  systemRandom,
  type Clock,
  type Random,
  type StorageAdapter,
} from '@sessiontree/core'
import type { S3Request } from './attempts.ts'
import { Bucket } from './bucket.ts'
import { ConditionProof } from './condition-proof.ts'
import { Documents } from './documents.ts'
import { storeKeys } from './keys.ts'
import { LogListing } from './log-listing.ts'
import { LogReader } from './log-reader.ts'
import { LogWriter } from './log-writer.ts'
import { OneAtATime } from './one-at-a-time.ts'
import { Tails } from './tails.ts'

export type { S3Request } from './attempts.ts'
export { RequestCounter, S3_STANDARD_PRICES, type S3Prices, type S3Usage } from './request-counter.ts'

/** Options of {@link s3}. */
export interface S3Options {
  /** Credentials, region, endpoint and retries are its business; it stays open when the adapter is closed. */
  readonly client: Pick<S3Client, 'send'>
  readonly bucket: string
  /** Where in the bucket the store lies: `""` or segments that end in `/`. Default `""`. */
  readonly prefix?: string | undefined
  /**
   * Called after every request, also those that failed. What it throws does not reach the operation. {@link RequestCounter} adds them
   * up.
   */
  readonly onRequest?: ((request: S3Request) => void) | undefined
  /**
   * For stores that do not honour conditional writes: sends none. Then this handle must be the only one that writes. Default
   * false.
   */
  readonly singleWriter?: boolean | undefined
  readonly clock?: Clock | undefined
  readonly random?: Random | undefined
}

/**
 * Opens a handle on sessions kept in a bucket of S3 or a compatible store.
 *
 * Contract
 * - Everything of `StorageAdapter`, with durability `"remote"` and sharing `"network"`: any number of handles, processes and machines.
 * - A warm append is one PUT. The tail of a log is one LIST and then GETs in parallel, whatever the log holds.
 * - Needs `If-None-Match: *` and `If-Match` on PutObject. Before its first write a handle looks for the proof that they count, which is kept in the
 *   bucket, and furnishes it if there is none. A store that takes no notice of them is `UNSUPPORTED`, unless `singleWriter` is set.
 *
 * @example
 * const adapter = s3({ client: new S3Client({ region: 'eu-central-1' }), bucket: 'my-agents' })
 */
export function s3(options: S3Options): StorageAdapter {
  const { client, bucket: name, onRequest, singleWriter = false } = options
  const { clock = systemClock, random = systemRandom } = options
  if (typeof client?.send !== 'function') throw new TypeError('client: expected an S3Client of @aws-sdk/client-s3')
  if (typeof name !== 'string' || name === '') throw new TypeError('bucket: expected the name of a bucket')
  const keys = storeKeys(options.prefix ?? '')
  const bucket = new Bucket({ client, bucket: name, clock, random, onRequest, conditional: !singleWriter })
  const proof = singleWriter ? undefined : new ConditionProof(bucket, keys.proof)
  if (proof) bucket.require((signal) => proof.proven(signal))
  const tails = new Tails()
  const listing = new LogListing(bucket, keys)
  const [writer, reader] = [new LogWriter(listing, tails, random), new LogReader(listing, tails)]
  const documents = new Documents(bucket, keys, random, !singleWriter)
  // Without conditions, two writes of this handle could each find the place free.
  const queue = singleWriter ? new OneAtATime() : undefined
  const write = <Result>(place: string, work: () => Promise<Result>) => {
    proof?.begin()
    return queue ? queue.run(place, work) : work()
  }
  return defineAdapter({
    name: 's3',
    capabilities: { durability: 'remote', sharing: singleWriter ? 'none' : 'network', watch: false },
    append: (log, at, records, signal) => write(keys.log(log), () => writer.append(log, at, records, signal)),
    read: (log, range) => reader.read(log, range),
    prepare: (log, range) => reader.prepare(log, range),
    drop: (log, forget, signal) => write(keys.log(log), () => writer.drop(log, forget, signal)),
    logs: (prefix, { after, limit, signal }) => listing.names(prefix, after, limit, signal),
    get: (key, signal) => {
      // Most who write get a document first.
      proof?.begin()
      return documents.get(key, signal)
    },
    put: (key, value, expect, signal) => write(keys.document(key), () => documents.put(key, value, expect, signal)),
    remove: (key, expect, forget, signal) =>
      write(keys.document(key), () => documents.remove(key, expect, forget, signal)),
    keys: (prefix, range) => documents.keys(prefix, range),
    // The client is the caller's.
    async close() {
      await Promise.all([listing.prepared.close(), proof?.close()])
    },
  })
}
