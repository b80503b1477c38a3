import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { S3Error, StubBucket, type StubBucketOptions } from './bucket.ts'
import { Faults, waitFor, type Fault, type FaultTarget } from './faults.ts'
import { existing, parseRequest, perform, type Answer, type Operation } from './operations.ts'
import { errorXml } from './xml.ts'

export {
  S3Error,
  StubBucket,
  type Conditions,
  type ListLag,
  type StoredObject,
  type StubBucketOptions,
} from './bucket.ts'
export type { Fault, FaultTarget, Wait } from './faults.ts'
export type { Operation } from './operations.ts'

/** One request as the stub saw it; `status` 0 means that it was not answered. */
export interface LoggedRequest {
  readonly operation: Operation | 'unknown'
  readonly key: string
  readonly status: number
  readonly received: number
  readonly sent: number
  /** Positions in the order of all starts and ends. */
  readonly started: number
  readonly ended: number
}

export interface S3StubOptions extends StubBucketOptions {
  /** The buckets that exist from the start. */
  readonly buckets?: readonly string[]
  /** The most keys in a page of a listing, whatever the client asks for. Default 1000. */
  readonly pageSize?: number
  /** Takes no notice of conditions, or of one of them, as some stores do. Default false. */
  readonly ignoreConditions?: boolean | 'If-Match' | 'If-None-Match'
  /** Requests for these keys are answered, but neither logged nor hit by faults. Default: none. */
  readonly unseen?: RegExp
  /** How long every request takes at least, in milliseconds. Default 0. */
  readonly latency?: number
}

export interface S3Stub {
  readonly endpoint: string
  /** Every request that ended since the start or the last `forget`. */
  readonly requests: readonly LoggedRequest[]
  latency: number
  /** Hits the next requests that fit, after the faults that were injected before. */
  inject(fault: Fault, target?: FaultTarget): void
  /** Answers 403 to these operations from now on. */
  deny(...operations: Operation[]): void
  /** How many requests are in the log. */
  count(operation?: Operation): number
  /** The longest chain of requests in the log that each started after the one before had ended. */
  roundTrips(): number
  /** Resolves when no request is under way, and none of those that arrive late is still to come. */
  settled(): Promise<void>
  /** Empties the log of requests. */
  forget(): void
  /** The bucket itself, to look into it or to harm it. */
  bucket(name: string): StubBucket
  close(): Promise<void>
}

/**
 * Starts an S3 server in this process and resolves with it once it listens, on the loopback interface. Objects live in memory; signatures
 * are not checked.
 *
 * @example
 * await using stub = await startS3Stub({ buckets: ['test'] })
 * const client = new S3Client({ endpoint: stub.endpoint, forcePathStyle: true, region: 'us-east-1', credentials })
 */
export async function startS3Stub(options: S3StubOptions = {}): Promise<S3Stub & AsyncDisposable> {
  const { pageSize = 1000, ignoreConditions = false } = options
  const buckets = new Map((options.buckets ?? []).map((name) => [name, new StubBucket(options)]))
  const faults = new Faults()
  const denied = new Set<string>()
  const underWay = new Set<Promise<void>>()
  let requests: LoggedRequest[] = []
  let moment = 0

  async function handle(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const started = ++moment
    const { method = 'GET', url = '/', headers, socket } = incoming
    const request = parseRequest(method, url, headers, await bodyOf(incoming))
    const { operation, key } = request
    const isSeen = !options.unseen?.test(key)
    const fault = isSeen ? faults.take(request) : undefined
    const work = (): Answer => {
      try {
        if (isSeen && denied.has(operation)) throw new S3Error(403, 'AccessDenied', 'Access Denied')
        return perform(buckets, request, { pageSize, ignoreConditions, bucketOptions: options })
      } catch (error) {
        return refusal(error, url, started)
      }
    }
    const finish = (status: number, sent: number) => {
      const ended = ++moment
      if (isSeen) requests.push({ operation, key, status, received: request.body.length, sent, started, ended })
      if (status === 0) socket.destroy()
    }
    await waitFor(stub.latency)
    if (typeof fault === 'object' && 'delay' in fault) await waitFor(fault.delay)
    if (fault === 'cut') return finish(0, 0)
    if (fault === 'swallow') {
      work()
      return finish(0, 0)
    }
    if (typeof fault === 'object' && 'late' in fault) {
      track(waitFor(fault.late).then(() => void work()))
      return finish(0, 0)
    }
    let answer: Answer
    if (typeof fault === 'object' && 'status' in fault) {
      if (fault.done) work()
      answer = refusal(new S3Error(fault.status, fault.code, 'This answer was injected.'), url, started)
    } else answer = work()
    const { status, body = '' } = answer
    const head = operation === 'HeadObject'
    finish(status, head ? 0 : body.length)
    response.writeHead(status, {
      'x-amz-request-id': `stub-${started}`,
      server: 's3-stub',
      ...(!head && status !== 204 && { 'content-length': String(Buffer.byteLength(body)) }),
      ...answer.headers,
    })
    response.end(head ? undefined : body)
  }

  function track(work: Promise<void>): void {
    underWay.add(work)
    void work.finally(() => underWay.delete(work))
  }

  const server = createServer((incoming, response) => {
    track(handle(incoming, response).catch((error: unknown) => void response.destroy(error as Error)))
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(0, '127.0.0.1', resolve)
  })

  const stub: S3Stub & AsyncDisposable = {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    latency: options.latency ?? 0,
    get requests() {
      return requests
    },
    inject: (fault, target) => faults.inject(fault, target),
    deny: (...operations) => operations.forEach((operation) => denied.add(operation)),
    count: (operation) => requests.filter((one) => !operation || one.operation === operation).length,
    roundTrips: () => longestChain(requests),
    async settled() {
      // What is waited for may bring forth more.
      while (underWay.size > 0) await Promise.all(underWay)
    },
    forget: () => void (requests = []),
    bucket: (name) => existing(buckets, name),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
    [Symbol.asyncDispose]: () => stub.close(),
  }
  return stub
}

async function bodyOf(incoming: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of incoming) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks)
}

function refusal(error: unknown, resource: string, request: number): Answer {
  const known = error instanceof S3Error ? error : new S3Error(500, 'InternalError', String(error))
  return {
    status: known.status,
    headers: { 'content-type': 'application/xml' },
    body: errorXml(known, resource, `stub-${request}`),
  }
}

/** Requests that overlap in time count once: always the one that ends first is the next link. */
function longestChain(requests: readonly LoggedRequest[]): number {
  let [links, free] = [0, 0]
  for (const { started, ended } of requests.toSorted((a, b) => a.ended - b.ended)) {
    if (started <= free) continue
    links++
    free = ended
  }
  return links
}
