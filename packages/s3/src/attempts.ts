import { randomFraction, sleep, throwIfAborted, type Clock, type Random, type Signal } from '@sessiontree/core'
import { analyse, AttemptTimeout, errorOf, isNoSuchKey } from './failure.ts'
import { createAbort } from './parallel.ts'

/** One request as `onRequest` is told of it. */
export interface S3Request {
  readonly operation: 'PutObject' | 'GetObject' | 'ListObjectsV2' | 'DeleteObject' | 'DeleteObjects'
  /** Undefined for a listing and for DeleteObjects. */
  readonly key: string | undefined
  /** Bytes of the body sent or received. */
  readonly bytes: number
  /** The HTTP status; 0 if no answer came. */
  readonly status: number
  /** How often the client sent it: 1, and what it repeated on its own. */
  readonly attempts: number
  /** When it began and ended, as positions in the order of all beginnings and ends of this handle: tells what was under way at the same time. */
  readonly began: number
  readonly ended: number
}

export interface AttemptOptions {
  /** For messages. */
  readonly bucket: string
  readonly clock: Clock
  readonly random: Random
  readonly onRequest: ((request: S3Request) => void) | undefined
}

/** What `client.send` takes beside a command. */
export interface SendOptions {
  readonly abortSignal: never
}

/** A request that can be made again and again. */
export interface Call<Output> {
  readonly operation: S3Request['operation']
  readonly key?: string
  /** Bytes to send, or expected. */
  readonly size: number
  readonly signal: Signal | undefined
  readonly run: (options: SendOptions) => Promise<Answer<Output>>
}

export interface Answer<Output> {
  readonly output: Output
  readonly bytes: number
  readonly metadata: { readonly httpStatusCode?: number | undefined; readonly attempts?: number | undefined }
}

/** How often the same request is made before the operation gives up. */
export const ATTEMPTS = 6
const FIRST_PAUSE = 100
const ATTEMPT_TIMEOUT = 30_000
// A body gets more time: as if the connection made 64 kB/s.
const BYTES_PER_MILLISECOND = 64

/** Makes requests: each with a time limit, repeated if that may help, and counted. */
export class Attempts {
  readonly #options: AttemptOptions
  #moment = 0

  constructor(options: AttemptOptions) {
    this.#options = options
  }

  /** For requests that change nothing, or the same if they are made twice. Undefined if the store says that there is no such key. */
  async untilAnswered<Output>(call: Call<Output>): Promise<Output | undefined> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.once(call)
      } catch (error) {
        throwIfAborted(call.signal)
        const failure = analyse(error)
        if (isNoSuchKey(failure)) return undefined
        if (!failure.passing || attempt === ATTEMPTS) throw errorOf(failure, call.operation, this.#options.bucket)
        await this.pause(attempt, call.signal)
      }
    }
  }

  /** One request with its time limit. */
  async once<Output>({ operation, key, size, signal, run }: Call<Output>): Promise<Output> {
    throwIfAborted(signal)
    const began = ++this.#moment
    const abort = createAbort(signal)
    const cancel = this.#options.clock.timer(ATTEMPT_TIMEOUT + size / BYTES_PER_MILLISECOND, () =>
      abort.abort(new AttemptTimeout('The request took too long')),
    )
    // Not left to the client: it may be waiting for credentials, where it does not look at the signal.
    const interrupted = new Promise<never>((_, reject) => {
      abort.signal.addEventListener('abort', () => reject(abort.signal.reason), { once: true })
    })
    const request = run({ abortSignal: abort.signal as never })
    // Whichever comes second must not become an unhandled rejection.
    for (const one of [request, interrupted]) one.catch(() => undefined)
    try {
      const { output, bytes, metadata } = await Promise.race([request, interrupted])
      const { httpStatusCode: status = 200, attempts = 1 } = metadata
      this.#report({ operation, key, bytes, status, attempts, began, ended: ++this.#moment })
      return output
    } catch (error) {
      const bytes = operation === 'PutObject' ? size : 0
      const { status, attempts } = analyse(error)
      this.#report({ operation, key, bytes, status, attempts, began, ended: ++this.#moment })
      throw error
    } finally {
      cancel()
      abort.release()
    }
  }

  // In a turn of its own: what the observer throws must not become the outcome of a write.
  #report(request: S3Request): void {
    const { onRequest } = this.#options
    if (onRequest) void Promise.resolve().then(() => onRequest(request))
  }

  /** Waits before the next attempt, each time longer and never in step with others. */
  pause(attempt: number, signal: Signal | undefined): Promise<void> {
    const { clock, random } = this.#options
    return sleep(clock, randomFraction(random) * FIRST_PAUSE * 2 ** (attempt - 1), signal)
  }
}
