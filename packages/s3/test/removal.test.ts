import {
  CreateBucketCommand,
  DeleteBucketCommand,
  DeleteObjectCommand,
  ListObjectVersionsCommand,
  PutBucketVersioningCommand,
  S3Client,
} from '@aws-sdk/client-s3'
import { describe, expect, test } from 'vitest'
import { noServer, openStore, realPlace, serverName, startStub, STUB_BUCKET, stubPlace } from './servers.ts'
import { keysOf } from './seen.ts'
import { store, stub, useStub } from './stub-store.ts'

// What `drop` and `remove` say about what they took away.

describe('bytes', () => {
  useStub()

  function stored(): number {
    const { objects } = stub.bucket(STUB_BUCKET).list({ prefix: store.prefix, delimiter: '', after: '', limit: 1000 })
    const own = objects.filter(([key]) => !key.endsWith('sessiontree.json'))
    return own.reduce((sum, [, { body }]) => sum + body.length, 0)
  }

  async function fill(): Promise<number> {
    const adapter = store.open()
    for (let at = 0; at < 12; at += 3) await adapter.append('log', at, ['1', '"ü"', `"${'x'.repeat(at * 100)}"`])
    return stored()
  }

  test('of a drop: the objects of the log, whatever takes their place; of another drop none', async () => {
    const size = await fill()
    expect(await store.open().drop('log')).toEqual({ bytes: size, keepsVersions: false })
    expect(await store.open().drop('log')).toMatchObject({ bytes: 0 })
    const trace = stored()
    expect(trace).toBeGreaterThan(0)
    expect(await store.open().drop('log', { forget: true })).toMatchObject({ bytes: trace })
    expect(await store.open().drop('log', { forget: true })).toEqual({ bytes: 0 })
    expect(stored()).toBe(0)
  })

  test('of a drop that forgets: all that the log had, and nothing that the drop itself put there', async () => {
    const size = await fill()
    expect(await store.open().drop('log', { forget: true })).toEqual({ bytes: size, keepsVersions: false })
    expect(stored()).toBe(0)
  })

  test('of a drop that finds garbage: the garbage', async () => {
    const late = store.open()
    await late.append('log', 0, ['1'])
    const adapter = store.open()
    await adapter.append('log', 1, ['2'])
    await adapter.append('log', 2, ['3'])
    await adapter.drop('log')
    const before = stored()
    await late.append('log', 1, ['"late"'])
    const garbage = stored() - before
    expect(await adapter.drop('log')).toMatchObject({ bytes: garbage })
    expect(stored()).toBe(before)
  })

  test('of a remove: the object of the document, with forget also its tombstone if that is all there is', async () => {
    const adapter = store.open()
    const version = await adapter.put('document', '"value"', { expect: 'absent' })
    const size = stored()
    // Its own header, and one that it had to read.
    expect(await adapter.remove('document', { expect: version })).toMatchObject({ bytes: size })
    expect(await adapter.remove('document')).toMatchObject({ bytes: 0 })
    const tombstone = stored()
    expect(await store.open().remove('document', { forget: true })).toMatchObject({ bytes: tombstone })
    expect(await store.open().remove('document', { forget: true })).toMatchObject({ bytes: 0 })
    await adapter.put('document', '"value"', { expect: 'absent' })
    const again = stored()
    expect(await store.open().remove('document', { forget: true })).toMatchObject({ bytes: again })
    expect(stored()).toBe(0)
  })
})

test('a stub that keeps versions still has what was dropped, and says so', async () => {
  await using versioned = await startStub({ versioning: true })
  await using past = openStore(stubPlace(versioned))
  const adapter = past.open()
  await adapter.append('log', 0, ['"secret"'])
  await adapter.put('document', '"secret"', { expect: 'absent' })
  expect(await past.open().drop('log', { forget: true })).toMatchObject({ keepsVersions: true })
  expect(await past.open().remove('document', { forget: true })).toMatchObject({ keepsVersions: true })
  expect(keysOf(versioned, past)).toEqual([])
  const kept = versioned.bucket(STUB_BUCKET).history.filter(({ object }) => object.body.includes('secret'))
  expect(kept).toHaveLength(2)
  // Nothing was written, so nobody was told.
  expect(await past.open().drop('never')).toEqual({ bytes: 0 })
})

describe.skipIf(noServer)(`versions of a bucket of ${serverName}`, () => {
  test.each([
    { status: 'Enabled', keepsVersions: true },
    { status: 'Suspended', keepsVersions: false },
  ] as const)('$status', async ({ status, keepsVersions }) => {
    const place = await realPlace()
    const owner = new S3Client(place.config)
    const Bucket = `versions-${crypto.randomUUID()}`
    await owner.send(new CreateBucketCommand({ Bucket }))
    await owner.send(new PutBucketVersioningCommand({ Bucket, VersioningConfiguration: { Status: status } }))
    const versions = async () => {
      const { Versions = [], DeleteMarkers = [] } = await owner.send(new ListObjectVersionsCommand({ Bucket }))
      return { all: [...Versions, ...DeleteMarkers], contents: Versions }
    }
    const bucket = openStore({ ...place, bucket: Bucket })
    try {
      const adapter = bucket.open()
      const stale = bucket.open()
      await adapter.append('log', 0, ['"a"'])
      await Array.fromAsync(stale.read('log'))
      await adapter.append('log', 1, ['"b"'])
      await adapter.put('document', '"value"', { expect: 'absent' })
      expect(await bucket.open().drop('log')).toMatchObject({ keepsVersions })
      expect(await Array.fromAsync(bucket.open().read('log'))).toEqual([])
      // Conditions go by what is current, not by what is kept.
      for (const [handle, at] of [
        [adapter, 2],
        [stale, 1],
      ] as const) {
        await expect(handle.append('log', at, ['"late"'])).rejects.toMatchObject({ code: 'CONFLICT' })
      }
      expect(await bucket.open().drop('log')).toMatchObject({ bytes: 0 })
      expect(await bucket.open().remove('document', { forget: true })).toMatchObject({ keepsVersions })
      expect(await bucket.open().get('document')).toBeUndefined()
      // Ceph RGW 20.2 takes the mark of a deletion for an object where versions are suspended; AWS does not.
      if (keepsVersions) await bucket.open().put('document', '"again"', { expect: 'absent' })
      expect((await versions()).contents.length > 5).toBe(keepsVersions)
    } finally {
      for (const { Key, VersionId } of (await versions()).all) {
        await owner.send(new DeleteObjectCommand({ Bucket, Key, VersionId }))
      }
      await bucket[Symbol.asyncDispose]()
      await owner.send(new DeleteBucketCommand({ Bucket }))
      owner.destroy()
    }
  })
})
