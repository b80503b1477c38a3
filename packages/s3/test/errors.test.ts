import {
  CreateBucketCommand,
  DeleteBucketCommand,
  DeleteBucketPolicyCommand,
  DeleteObjectCommand,
  ListObjectsV2Command,
  PutBucketPolicyCommand,
  S3Client,
} from '@aws-sdk/client-s3'
import { openSessions, SessionError, type StorageAdapter } from '@sessiontree/core'
import { s3 } from '@sessiontree/s3'
import { startS3Stub, type S3StubOptions } from '@sessiontree/s3-stub'
import { describe, expect, test } from 'vitest'
import { noServer, realPlace, serverIsRequired, serverName, STUB_BUCKET, stubPlace } from './servers.ts'

// What a user reads who has set something wrong: which bucket, which action, what to change. Each mistake has a message of its own.

async function messageOf(run: Promise<unknown>): Promise<string> {
  const error = await run.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  if (!SessionError.is(error)) throw new Error(`expected a SessionError, got ${String(error)}`)
  expect([error.written, error.retry]).toEqual(['no', false])
  return `${error.code}: ${error.message}`
}

/** What opening a session says, and what creating one says. */
async function told(adapter: StorageAdapter): Promise<[open: string, create: string]> {
  const sessions = openSessions(adapter)
  return [await messageOf(sessions.open('support-42')), await messageOf(sessions.create('support-42'))]
}

async function stub(options: S3StubOptions = {}) {
  const server = await startS3Stub({ buckets: [STUB_BUCKET], ...options })
  const client = new S3Client({ ...stubPlace(server).config, maxAttempts: 1 })
  return {
    server,
    open: (bucket = STUB_BUCKET) => s3({ client, bucket }),
    async [Symbol.asyncDispose]() {
      client.destroy()
      await server.close()
    },
  }
}

describe('on the stub', () => {
  test('a bucket that is not there', async () => {
    await using place = await stub()
    const [open, create] = await told(place.open('my-agnets'))
    expect(open).toMatchInlineSnapshot(
      `"UNAVAILABLE: S3 bucket "my-agnets": GetObject failed with 404 NoSuchBucket. Check the bucket's name and the client's region and endpoint."`,
    )
    expect(create).toMatchInlineSnapshot(
      `"UNAVAILABLE: S3 bucket "my-agnets": GetObject failed with 404 NoSuchBucket. Check the bucket's name and the client's region and endpoint."`,
    )
  })

  test('a permission that is missing: to read, to write, to list', async () => {
    await using reading = await stub()
    reading.server.deny('GetObject')
    const [open, create] = await told(reading.open())
    expect(open).toMatchInlineSnapshot(
      `"DENIED: S3 bucket "test": GetObject failed with 403 AccessDenied. The credentials may not do that: allow s3:GetObject on its objects, and s3:ListBucket on the bucket (without that, S3 answers 403 for what is not there)."`,
    )
    expect(create).toBe(open)
    await using writing = await stub()
    writing.server.deny('PutObject')
    expect(await messageOf(openSessions(writing.open()).create('support-42'))).toMatchInlineSnapshot(
      `"DENIED: S3 bucket "test": PutObject failed with 403 AccessDenied. The credentials may not do that: allow s3:PutObject on its objects."`,
    )
    await using listing = await stub()
    listing.server.deny('ListObjectsV2')
    expect(await messageOf(Array.fromAsync(openSessions(listing.open()).list()))).toMatchInlineSnapshot(
      `"DENIED: S3 bucket "test": ListObjectsV2 failed with 403 AccessDenied. The credentials may not do that: allow s3:ListBucket on the bucket."`,
    )
  })

  test('a store without conditions', async () => {
    await using ignoring = await stub({ ignoreConditions: true })
    expect(await messageOf(openSessions(ignoring.open()).create('support-42'))).toMatchInlineSnapshot(
      `"UNSUPPORTED: S3 bucket "test": on PutObject this store takes no notice of If-None-Match: * and of If-Match, so writers would overwrite one another; nothing was written. Use a store with conditional writes (docs/s3.md lists some), or pass singleWriter: true if this handle is the only writer there is."`,
    )
    await using refusing = await stub()
    refusing.server.inject({ status: 501, code: 'NotImplemented' }, { operation: 'PutObject' })
    expect(await messageOf(openSessions(refusing.open()).create('support-42'))).toMatchInlineSnapshot(
      `"UNSUPPORTED: S3 bucket "test": on PutObject this store knows no If-None-Match: *, so writers would overwrite one another; nothing was written. Use a store with conditional writes (docs/s3.md lists some), or pass singleWriter: true if this handle is the only writer there is."`,
    )
  })

  test('credentials that have expired, and none at all', async () => {
    await using place = await stub()
    place.server.inject({ status: 400, code: 'ExpiredToken' }, { times: 2 })
    expect(await messageOf(place.open().get('session/support-42'))).toMatchInlineSnapshot(
      `"DENIED: S3 bucket "test": GetObject failed with 400 ExpiredToken. The client's credentials have expired or are not valid; renew them."`,
    )
    const client = new S3Client({
      ...stubPlace(place.server).config,
      credentials: async () => {
        throw Object.assign(new Error('none'), { name: 'CredentialsProviderError' })
      },
    })
    expect(await messageOf(s3({ client, bucket: STUB_BUCKET }).get('session/support-42'))).toMatchInlineSnapshot(
      `"DENIED: S3 bucket "test": GetObject failed with CredentialsProviderError. The client found no credentials; give it some."`,
    )
    client.destroy()
  })
})

describe.skipIf(noServer && !serverIsRequired)(`on ${serverName}`, () => {
  test('a wrong bucket, a wrong key, a wrong secret, a missing permission: four different errors, none an empty store', async () => {
    const { config } = await realPlace()
    const owner = new S3Client(config)
    const bucket = `errors-${crypto.randomUUID()}`
    await owner.send(new CreateBucketCommand({ Bucket: bucket }))
    const as = (credentials: object, name = bucket) => {
      const own = { ...(config.credentials as { accessKeyId: string; secretAccessKey: string }), ...credentials }
      return s3({ client: new S3Client({ ...config, credentials: own, maxAttempts: 1 }), bucket: name })
    }
    const deny = (Action: string, Resource: string) =>
      owner.send(
        new PutBucketPolicyCommand({
          Bucket: bucket,
          Policy: JSON.stringify({
            Version: '2012-10-17',
            Statement: [{ Effect: 'Deny', Principal: '*', Action, Resource: `arn:aws:s3:::${Resource}` }],
          }),
        }),
      )
    const plain = (message: string) => message.replaceAll(bucket, 'BUCKET')
    try {
      const [wrongBucket] = await told(as({}, 'no-such-bucket-of-ours'))
      const [wrongKey] = await told(as({ accessKeyId: 'nobody' }))
      const [wrongSecret] = await told(as({ secretAccessKey: 'wrong' }))
      // Of what is not there S3 says so to whoever may list.
      await openSessions(as({})).create('support-42')
      await deny('s3:GetObject', `${bucket}/*`)
      const [noGet] = await told(as({}))
      await deny('s3:PutObject', `${bucket}/*`)
      const noPut = await messageOf(openSessions(as({})).create('support-43'))
      const errors = [wrongBucket, wrongKey, wrongSecret, noGet, noPut].map(plain)
      expect(new Set(errors).size).toBe(errors.length)
      expect(errors).toMatchInlineSnapshot(`
        [
          "UNAVAILABLE: S3 bucket "no-such-bucket-of-ours": GetObject failed with 404 NoSuchBucket. Check the bucket's name and the client's region and endpoint.",
          "DENIED: S3 bucket "BUCKET": GetObject failed with 403 InvalidAccessKeyId. The store does not know the client's credentials: check its access key, secret and endpoint.",
          "DENIED: S3 bucket "BUCKET": GetObject failed with 403 SignatureDoesNotMatch. The store does not know the client's credentials: check its access key, secret and endpoint.",
          "DENIED: S3 bucket "BUCKET": GetObject failed with 403 AccessDenied. The credentials may not do that: allow s3:GetObject on its objects, and s3:ListBucket on the bucket (without that, S3 answers 403 for what is not there).",
          "DENIED: S3 bucket "BUCKET": PutObject failed with 403 AccessDenied. The credentials may not do that: allow s3:PutObject on its objects.",
        ]
      `)
    } finally {
      await owner.send(new DeleteBucketPolicyCommand({ Bucket: bucket }))
      const { Contents = [] } = await owner.send(new ListObjectsV2Command({ Bucket: bucket }))
      for (const { Key } of Contents) await owner.send(new DeleteObjectCommand({ Bucket: bucket, Key }))
      await owner.send(new DeleteBucketCommand({ Bucket: bucket }))
      owner.destroy()
    }
  }, 60_000)
})
