import {
  CreateBucketCommand,
  DeleteObjectsCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
  type PutObjectCommandInput,
  type S3ClientConfig,
} from '@aws-sdk/client-s3'
import { systemClock, type Clock } from '@sessiontree/core'
import { s3, type S3Options } from '@sessiontree/s3'
import { startS3Stub, type S3Stub, type S3StubOptions } from '@sessiontree/s3-stub'
import { encodeBody } from '../src/body.ts'
import { storeKeys } from '../src/keys.ts'
import { encodeLogObject } from '../src/log-object.ts'
import { wantedRepeats } from '../src/overlap.ts'
import { lastWithin } from '../src/tails.ts'

/** A place to test against: a bucket and how to reach it. */
export interface Place {
  readonly bucket: string
  readonly config: S3ClientConfig
  /** Puts the proof that conditions count into a store: what is tested then is neither looking for it nor furnishing it. */
  readonly prove?: (prefix: string) => void
}

export const STUB_BUCKET = 'test'

export function stubPlace(stub: S3Stub): Place {
  const proof = Buffer.from(encodeBody({ conditions: 'proven', bucket: STUB_BUCKET }, []))
  return {
    bucket: STUB_BUCKET,
    config: clientConfig(stub.endpoint, 'us-east-1', 'stub', 'stub'),
    prove: (prefix) => void stub.bucket(STUB_BUCKET).put(storeKeys(prefix).proof, proof, {}),
  }
}

/** A stub with one bucket, whose log and faults leave out the proof that conditions count. */
export function startStub(options: S3StubOptions = {}): Promise<S3Stub & AsyncDisposable> {
  return startS3Stub({ buckets: [STUB_BUCKET], unseen: /sessiontree\.json$/, ...options })
}

function clientConfig(endpoint: string, region: string, accessKeyId: string, secretAccessKey: string): S3ClientConfig {
  return { endpoint, region, forcePathStyle: true, credentials: { accessKeyId, secretAccessKey } }
}

const env = process.env

/** Why the tests against a real server do not run here; undefined if they do. */
export const noServer: string | undefined = env['S3_TEST_ENDPOINT']
  ? undefined
  : 'skipped: S3_TEST_ENDPOINT is not set; run eval "$(tools/ceph-rgw.sh start)" first'

/** What the server is, for titles: `ceph 20.2.4`. */
export const serverName: string = env['S3_TEST_SERVER'] ?? 'server'

/** Whether a missing server is a failure. */
export const serverIsRequired: boolean = (env['SESSIONTREE_REQUIRE'] ?? '').split(',').includes('s3')

/** The server that the S3_TEST_* variables name; its bucket is made if it is missing. */
export async function realPlace(): Promise<Place> {
  const place = {
    bucket: env['S3_TEST_BUCKET'] ?? 'sessiontree-test',
    config: {
      ...clientConfig(
        env['S3_TEST_ENDPOINT'] ?? '',
        env['S3_TEST_REGION'] ?? 'us-east-1',
        env['S3_TEST_ACCESS_KEY_ID'] ?? '',
        env['S3_TEST_SECRET_ACCESS_KEY'] ?? '',
      ),
      forcePathStyle: env['S3_TEST_FORCE_PATH_STYLE'] === '1',
    },
  }
  const client = new S3Client(place.config)
  try {
    await client.send(new CreateBucketCommand({ Bucket: place.bucket }))
  } catch (error) {
    if (!(error as Error).name.startsWith('BucketAlready')) throw error
  } finally {
    client.destroy()
  }
  return place
}

/** An empty part of a bucket of its own, with handles on it. */
export interface Store extends AsyncDisposable {
  readonly prefix: string
  readonly client: S3Client
  open(options?: Partial<S3Options>): ReturnType<typeof s3>
  /** A client of the store's own, which is closed with it. */
  newClient(config?: S3ClientConfig): S3Client
  /** Deletes everything in it. */
  empty(): Promise<void>
}

export function openStore({ bucket, config, prove }: Place): Store {
  const prefix = `${crypto.randomUUID()}/`
  if (bucket === STUB_BUCKET) prove?.(prefix)
  const clients: S3Client[] = []
  const newClient = (more: S3ClientConfig = {}) => {
    const client = new S3Client({ ...config, ...more })
    clients.push(client)
    return client
  }
  const client = newClient()
  return {
    prefix,
    client,
    newClient,
    empty: () => empty(client, bucket, prefix),
    open: (options = {}) => s3({ client, bucket, prefix, ...options }),
    async [Symbol.asyncDispose]() {
      await empty(client, bucket, prefix)
      for (const one of clients) one.destroy()
    },
  }
}

async function empty(client: S3Client, bucket: string, prefix: string): Promise<void> {
  while (true) {
    const { Contents = [] } = await client.send(new ListObjectsV2Command({ Bucket: bucket, Prefix: prefix }))
    if (Contents.length === 0) return
    const Objects = Contents.map(({ Key }) => ({ Key }))
    const { Errors } = await client.send(new DeleteObjectsCommand({ Bucket: bucket, Delete: { Objects, Quiet: true } }))
    if (Errors?.length) throw new Error(`cannot empty ${prefix}: ${Errors[0]?.Code}`)
  }
}

/** Makes the client lose the answer of its next PutObject: the server has done it, the connection breaks. */
export function loseNextPut(client: S3Client): void {
  interruptNext(client, 'PutObjectCommand', { lose: 'answer' })
}

/** Lets something happen before or after the client's next request of a kind, which then may be lost, or its answer. */
export function interruptNext(
  client: S3Client,
  command: 'PutObjectCommand' | 'GetObjectCommand',
  interruption: { before?: () => Promise<unknown>; after?: () => Promise<unknown>; lose?: 'request' | 'answer' },
): void {
  const { before, after, lose } = interruption
  const lost = () => Object.assign(new Error('socket hang up'), { code: 'ECONNRESET' })
  let armed = true
  client.middlewareStack.add(
    (next, context) => async (args) => {
      if (!armed || (context as { commandName?: string }).commandName !== command) return next(args)
      armed = false
      await before?.()
      if (lose === 'request') throw lost()
      const result = await next(args)
      await after?.()
      if (lose === 'answer') throw lost()
      return result
    },
    { step: 'finalizeRequest', name: 'interruptNext', priority: 'low' },
  )
}

/** Every PutObject that the client is asked for from now on, to be sent once more as a network might. */
export function recordPuts(client: S3Client): PutObjectCommandInput[] {
  const puts: PutObjectCommandInput[] = []
  client.middlewareStack.add(
    (next, context) => (args) => {
      if ((context as { commandName?: string }).commandName === 'PutObjectCommand') {
        puts.push({ ...(args.input as PutObjectCommandInput) })
      }
      return next(args)
    },
    { step: 'initialize', name: 'recordPuts' },
  )
  return puts
}

/** Sends a request that was sent before; resolves with the status of the answer. */
export async function sendAgain(client: S3Client, put: PutObjectCommandInput | undefined): Promise<number> {
  if (!put) throw new Error('there is no such put')
  try {
    return (await client.send(new PutObjectCommand(put))).$metadata.httpStatusCode ?? 0
  } catch (error) {
    return (error as { $metadata: { httpStatusCode: number } }).$metadata.httpStatusCode
  }
}

/** Writes a log of `length` records straight into the stub, in the stored format. */
export function generateLog(
  stub: S3Stub,
  { prefix }: Store,
  name: string,
  length: number,
  batch: number,
  record: (index: number) => string,
): void {
  const keys = storeKeys(prefix)
  const texts = Array.from({ length }, (_, index) => new TextEncoder().encode(record(index)))
  for (let at = 0; at < length; at += batch) {
    const end = Math.min(length, at + batch)
    const repeated = lastWithin(texts.slice(Math.max(0, at - 63), at), wantedRepeats(at, end))
    const body = encodeLogObject(at, String(at).padStart(32, '0'), repeated, texts.slice(at, end))
    stub.bucket(STUB_BUCKET).put(keys.slot(name, at), Buffer.from(body), {})
  }
}

/** A clock on which pauses are short, so that an operation gives up soon. */
export const hurriedClock: Clock = {
  ...systemClock,
  timer: (milliseconds, wake) => systemClock.timer(milliseconds / 100, wake),
}

// No pause is as long, no time limit shorter.
const SHORTEST_LIMIT = 30_000

/** A clock on which a pause between attempts, or the time limit of one, is over when the test says so. */
export function clockOf({ pause, limit }: Partial<Record<'pause' | 'limit', (wake: () => void) => unknown>>): Clock {
  return {
    ...hurriedClock,
    timer: (milliseconds, wake) => {
      const begun = milliseconds < SHORTEST_LIMIT ? pause : limit
      if (!begun) return hurriedClock.timer(milliseconds, wake)
      begun(wake)
      return () => undefined
    },
  }
}
