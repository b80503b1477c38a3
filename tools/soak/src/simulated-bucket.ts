import { S3Error, StubBucket, type Conditions } from '@sessiontree/s3-stub'
import type { Clock } from '@sessiontree/core'
import type { SeededRandom } from './seeded-random.ts'

/** What goes wrong between a client and a bucket, each a probability per request. */
export interface RequestFaults {
  /** The request never arrives, and no answer comes. */
  readonly lost: number
  /** It arrives, the answer does not. */
  readonly unanswered: number
  /** The client gives up; it arrives long after, whatever happened meanwhile. */
  readonly late: number
  /** It arrives twice, the second time long after the first. */
  readonly doubled: number
  /** It arrives, and is answered with 500. */
  readonly failedAfter: number
  /** It is answered with 503 and does nothing. */
  readonly busy: number
}

/** A network without faults. */
export const RELIABLE: RequestFaults = Object.freeze({
  lost: 0,
  unanswered: 0,
  late: 0,
  doubled: 0,
  failedAfter: 0,
  busy: 0,
})

/** What {@link SimulatedBucket} works with. */
export interface SimulatedBucketOptions {
  readonly clock: Clock
  readonly random: SeededRandom
  readonly onFault: (kind: string, where: string) => void
}

interface Command {
  readonly input: {
    readonly Key?: string
    readonly Body?: Uint8Array
    readonly IfMatch?: string
    readonly IfNoneMatch?: string
    readonly Range?: string
    readonly Prefix?: string
    readonly StartAfter?: string
    readonly MaxKeys?: number
    readonly Delimiter?: string
    readonly Delete?: { readonly Objects: readonly { readonly Key: string }[] }
  }
}

const LATENCY = 10
const LATEST = 400
const NAME = 'bucket'

/** A bucket of the S3 stub behind a network on virtual time: what the SDK's client would send and be answered, without sockets. */
export class SimulatedBucket {
  readonly #objects = new StubBucket()
  readonly #options: SimulatedBucketOptions

  constructor(options: SimulatedBucketOptions) {
    this.#options = options
  }

  /** A client of it, with a network of its own. */
  client(faults: RequestFaults): { send(command: unknown): Promise<never> } {
    return { send: (command) => this.#send(command as Command, faults) as Promise<never> }
  }

  async #send(command: Command, faults: RequestFaults): Promise<unknown> {
    const { random, onFault } = this.#options
    const operation = (command as object).constructor.name.replace('Command', '')
    const work = () => perform(this.#objects, operation, command)
    const fault = this.#draw(faults)
    const [there, back] = [random.fraction() * LATENCY, random.fraction() * LATENCY]
    const late = random.fraction() * LATEST
    if (fault) onFault(fault, `${operation} ${command.input.Key ?? command.input.Prefix ?? ''}`)
    await this.#wait(there)
    if (fault === 'busy') throw answered(new S3Error(503, 'SlowDown', 'injected'))
    if (fault === 'lost' || fault === 'late') {
      if (fault === 'late')
        void this.#wait(late)
          .then(work)
          .catch(() => undefined)
      await this.#wait(back)
      throw new Error('socket hang up')
    }
    if (fault === 'doubled')
      void this.#wait(late)
        .then(work)
        .catch(() => undefined)
    let output: unknown
    let refused: unknown
    try {
      output = work()
    } catch (error) {
      refused = error
    }
    await this.#wait(back)
    if (fault === 'unanswered') throw new Error('socket hang up')
    if (fault === 'failedAfter') throw answered(new S3Error(500, 'InternalError', 'injected'))
    if (refused) throw refused instanceof S3Error ? answered(refused) : refused
    return output
  }

  /** Resolves when all requests that were under way have arrived. */
  settle(): Promise<void> {
    return this.#wait(2 * LATEST)
  }

  #draw(faults: RequestFaults): keyof RequestFaults | undefined {
    let left = this.#options.random.fraction()
    for (const kind of Object.keys(RELIABLE) as (keyof RequestFaults)[]) {
      left -= faults[kind]
      if (left < 0) return kind
    }
    return undefined
  }

  #wait(milliseconds: number): Promise<void> {
    return new Promise((resolve) => this.#options.clock.timer(milliseconds, resolve))
  }
}

/** What the SDK resolves with, as far as the adapter looks at it. */
function perform(objects: StubBucket, operation: string, { input }: Command): unknown {
  const { Key = '', Body = new Uint8Array(), IfMatch: ifMatch, IfNoneMatch: ifNoneMatch } = input
  const conditions: Conditions = { ifMatch, ifNoneMatch }
  const $metadata = { httpStatusCode: 200 }
  switch (operation) {
    case 'PutObject':
      return { $metadata, ETag: objects.put(Key, Buffer.from(Body), conditions).etag }
    case 'GetObject': {
      const { body: whole, etag } = objects.get(Key)
      const [, end] = /^bytes=0-(\d+)$/.exec(input.Range ?? '') ?? []
      const body = end === undefined ? whole : whole.subarray(0, Number(end) + 1)
      return {
        $metadata,
        ETag: etag,
        ContentLength: body.length,
        Body: { transformToByteArray: async () => new Uint8Array(body) },
      }
    }
    case 'ListObjectsV2': {
      const { Prefix = '', Delimiter = '', StartAfter = '', MaxKeys = 1000 } = input
      const found = objects.list({ prefix: Prefix, delimiter: Delimiter, after: StartAfter, limit: MaxKeys })
      return {
        $metadata,
        Name: NAME,
        Contents: found.objects.map(([name, { body, etag }]) => ({ Key: name, Size: body.length, ETag: etag })),
        CommonPrefixes: found.prefixes.map((prefix) => ({ Prefix: prefix })),
        IsTruncated: found.next !== undefined,
      }
    }
    case 'DeleteObject':
      objects.delete(Key, conditions)
      return { $metadata }
    case 'DeleteObjects':
      for (const { Key: key } of input.Delete?.Objects ?? []) objects.delete(key)
      return { $metadata }
    default:
      throw new Error(`the simulated bucket does not know ${operation}`)
  }
}

/** An error as the SDK throws it. */
function answered({ status, code, message }: S3Error): Error {
  return Object.assign(new Error(message), {
    name: code,
    $metadata: { httpStatusCode: status },
    $response: { statusCode: status },
  })
}
