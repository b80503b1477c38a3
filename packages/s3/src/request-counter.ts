import type { S3Request } from './attempts.ts'

/** What one request costs, in dollars. DELETE is free everywhere that we know of. */
export interface S3Prices {
  /** PUT and LIST. */
  readonly write: number
  /** GET. */
  readonly read: number
}

/** List prices of S3 Standard in us-east-1: $5 for a million PUTs or LISTs, $0.40 for a million GETs. Transfer within the region is free. */
export const S3_STANDARD_PRICES: S3Prices = Object.freeze({ write: 5e-6, read: 0.4e-6 })

/** What a handle asked of its store. */
export interface S3Usage {
  /** By operation, with those that the client repeated on its own, and those that were not answered: they may be billed. */
  readonly requests: Readonly<Record<S3Request['operation'], number>>
  /** The longest chain of requests that each began after the one before had ended: how often the network's latency was waited for. */
  readonly roundTrips: number
  readonly bytesSent: number
  readonly bytesReceived: number
  /** Requests that were answered with an error, or not at all; a refused condition (412) and a key that is not there (404) are none. */
  readonly failures: number
}

const WRITES: readonly S3Request['operation'][] = ['PutObject', 'ListObjectsV2']

/**
 * Adds up what a handle asks of its store: requests, round trips, bytes and dollars.
 *
 * Contract
 * - Counts a request when it has ended; it is there one step after the operation that made it resolves.
 * - `reset` gives what was counted and begins anew.
 * - Holds a few numbers for each round trip since the last `reset`.
 *
 * @example
 * const counter = new RequestCounter()
 * const sessions = openSessions(s3({ client, bucket, onRequest: counter.onRequest }))
 * // … a turn …
 * const { requests, roundTrips } = counter.usage
 * console.log(requests, roundTrips, counter.dollars())
 */
export class RequestCounter {
  #requests = noRequests()
  #bytesSent = 0
  #bytesReceived = 0
  #failures = 0
  /** `#ends[n]` is when the first chain of n + 1 requests had ended. */
  #ends: number[] = []

  /** Pass it as the option `onRequest`; of one handle only, since each has its own order. */
  readonly onRequest = (request: S3Request): void => {
    const { operation, bytes, status, attempts, began, ended } = request
    this.#requests[operation] += attempts
    if (operation === 'PutObject') this.#bytesSent += bytes
    else this.#bytesReceived += bytes
    if (status === 0 || (status >= 400 && status !== 404 && status !== 412)) this.#failures++
    let [low, high] = [0, this.#ends.length]
    while (low < high) {
      const middle = (low + high) >> 1
      if ((this.#ends[middle] as number) < began) low = middle + 1
      else high = middle
    }
    this.#ends[low] = Math.min(this.#ends[low] ?? Infinity, ended)
  }

  get usage(): S3Usage {
    return {
      requests: { ...this.#requests },
      roundTrips: this.#ends.length,
      bytesSent: this.#bytesSent,
      bytesReceived: this.#bytesReceived,
      failures: this.#failures,
    }
  }

  /** What was counted costs so many dollars, without storage and transfer. */
  dollars({ write, read }: S3Prices = S3_STANDARD_PRICES): number {
    const writes = WRITES.reduce((sum, operation) => sum + this.#requests[operation], 0)
    return writes * write + this.#requests.GetObject * read
  }

  reset(): S3Usage {
    const { usage } = this
    this.#requests = noRequests()
    this.#bytesSent = this.#bytesReceived = this.#failures = 0
    this.#ends = []
    return usage
  }
}

function noRequests(): Record<S3Request['operation'], number> {
  return { PutObject: 0, GetObject: 0, ListObjectsV2: 0, DeleteObject: 0, DeleteObjects: 0 }
}
