import { CreateBucketCommand, DeleteObjectsCommand, ListObjectsV2Command, S3Client } from '@aws-sdk/client-s3'
import { systemClock, type Clock } from '@sessiontree/core'
import { startS3Stub } from '@sessiontree/s3-stub'

/** Where the sessions lie, and by which clock; fits into a line of JSON for a process of its own. */
export interface Place {
  readonly endpoint: string
  readonly region: string
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly forcePathStyle: boolean
  readonly bucket: string
  readonly prefix: string
  /** How many seconds the sessions' clock makes of one: a lease then runs out so much sooner. */
  readonly speed: number
  /** From when on it does. */
  readonly start: number
}

/**
 * The endpoint that the `S3_TEST_*` variables name, if `useServer`; else a stub in this process. Every place is a prefix of its own, which is emptied at
 * the end unless it is to be kept.
 */
export async function openPlace({
  useServer,
  speed,
  keep = false,
}: {
  readonly useServer: boolean
  readonly speed: number
  readonly keep?: boolean
}): Promise<Place & AsyncDisposable> {
  const { env } = process
  const stub = useServer ? undefined : await startS3Stub({ buckets: ['agents'] })
  const place: Place = {
    endpoint: stub?.endpoint ?? env['S3_TEST_ENDPOINT'] ?? '',
    region: env['S3_TEST_REGION'] ?? 'us-east-1',
    accessKeyId: env['S3_TEST_ACCESS_KEY_ID'] ?? 'stub',
    secretAccessKey: env['S3_TEST_SECRET_ACCESS_KEY'] ?? 'stub',
    forcePathStyle: stub !== undefined || env['S3_TEST_FORCE_PATH_STYLE'] === '1',
    bucket: stub ? 'agents' : (env['S3_TEST_BUCKET'] ?? 'sessiontree-demo'),
    prefix: `serverless-${crypto.randomUUID()}/`,
    speed,
    start: Date.now(),
  }
  if (!stub) await createBucket(place)
  return {
    ...place,
    async [Symbol.asyncDispose]() {
      if (!stub && !keep) await empty(place)
      await stub?.close()
    },
  }
}

/** A client of its own, as a cold process has. */
export function openClient({ endpoint, region, accessKeyId, secretAccessKey, forcePathStyle }: Place): S3Client {
  return new S3Client({ endpoint, region, forcePathStyle, credentials: { accessKeyId, secretAccessKey } })
}

/** The same in every process. */
export function clockOf({ speed, start }: Place): Clock {
  if (speed === 1) return systemClock
  return {
    now: () => start + Math.floor((Date.now() - start) * speed),
    elapsed: () => performance.now() * speed,
    timer: (milliseconds, wake, options) => systemClock.timer(milliseconds / speed, wake, options),
  }
}

async function createBucket(place: Place): Promise<void> {
  const client = openClient(place)
  try {
    await client.send(new CreateBucketCommand({ Bucket: place.bucket }))
  } catch (error) {
    if (!(error as Error).name.startsWith('BucketAlready')) throw error
  } finally {
    client.destroy()
  }
}

async function empty(place: Place): Promise<void> {
  const client = openClient(place)
  const Bucket = place.bucket
  try {
    for (;;) {
      const { Contents = [] } = await client.send(new ListObjectsV2Command({ Bucket, Prefix: place.prefix }))
      if (Contents.length === 0) return
      const Objects = Contents.map(({ Key }) => ({ Key }))
      const { Errors = [] } = await client.send(new DeleteObjectsCommand({ Bucket, Delete: { Objects, Quiet: true } }))
      if (Errors[0]) throw new Error(`Cannot delete ${Errors[0].Key}: ${Errors[0].Code}`)
    }
  } finally {
    client.destroy()
  }
}
