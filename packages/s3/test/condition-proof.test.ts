import { S3Client } from '@aws-sdk/client-s3'
import { openSessions, SessionError } from '@sessiontree/core'
import { s3, type S3Request } from '@sessiontree/s3'
import { startS3Stub, type S3StubOptions } from '@sessiontree/s3-stub'
import { describe, expect, test } from 'vitest'
import {
  hurriedClock,
  noServer,
  openStore,
  realPlace,
  serverName,
  STUB_BUCKET,
  stubPlace,
  type Place,
  type Store,
} from './servers.ts'

// Whether a store honours conditions is found out before the first write, once for all.

/** A stub that shows and disturbs what goes on with the proof too, and an empty store in it. */
async function open(options: S3StubOptions = {}) {
  const stub = await startS3Stub({ buckets: [STUB_BUCKET], ...options })
  const { bucket, config } = stubPlace(stub)
  const store = openStore({ bucket, config })
  const proof = `${store.prefix}sessiontree.json`
  return {
    stub,
    store,
    proof,
    operations: () => stub.requests.filter(({ key }) => key === proof).map(({ operation }) => operation),
    async [Symbol.asyncDispose]() {
      await store[Symbol.asyncDispose]()
      await stub.close()
    },
  }
}

const hurried = (store: Store) => ({ client: store.newClient({ maxAttempts: 1 }), clock: hurriedClock })

describe('the first write to a store', () => {
  test('furnishes the proof with four requests in three round trips, the next process only looks for it', async () => {
    await using place = await open({ latency: 300 })
    const { stub, store, proof, operations } = place
    await store.open().put('doc', '1', { expect: 'absent' })
    expect(operations()).toEqual(['GetObject', 'PutObject', 'PutObject', 'PutObject', 'PutObject'])
    // The look, three of the proof, the document.
    expect([stub.count(), stub.roundTrips()]).toEqual([6, 5])
    expect(stub.bucket(STUB_BUCKET).get(proof).body.toString()).toMatch(
      /^\{"f":1,"conditions":"proven","bucket":"test"/,
    )
    stub.forget()
    const second = store.open()
    await second.put('doc', '2', { expect: (await second.get('doc'))?.version ?? '' })
    await second.append('log', 0, ['1'])
    expect(operations()).toEqual(['GetObject'])
    // Beside the document: GET, PUT, then LIST and PUT of the log.
    expect(stub.roundTrips()).toBe(4)
  })

  test('is sent only after the proof', async () => {
    await using place = await open()
    const { stub, store, proof } = place
    await Promise.all([
      store.open().append('log', 0, ['1']),
      store.open().put('doc', '1', { expect: 'absent' }),
      store.open().put('other', '2', { expect: 'absent' }),
    ])
    const keys = stub.requests.filter(({ operation }) => operation === 'PutObject').map(({ key }) => key)
    expect(keys.indexOf(proof)).toBe(0)
    expect(keys.length).toBeGreaterThan(3)
  })

  test('needs nothing of it with singleWriter', async () => {
    await using place = await open({ ignoreConditions: true })
    const adapter = place.store.open({ singleWriter: true })
    await adapter.get('doc')
    await adapter.put('doc', '1', { expect: 'absent' })
    expect(place.operations()).toEqual([])
  })
})

test('readers never prove anything, and need no permission for it', async () => {
  await using place = await open()
  const { stub, store, operations } = place
  const writer = store.open()
  await writer.put('doc', '1', { expect: 'absent' })
  await writer.append('log', 0, ['1'])
  stub.bucket(STUB_BUCKET).delete(place.proof)
  stub.deny('PutObject')
  stub.forget()
  stub.inject({ status: 403, code: 'AccessDenied' }, { key: /sessiontree\.json$/, times: 9 })
  const reader = store.open()
  expect((await reader.get('doc'))?.value).toBe('1')
  expect(await Array.fromAsync(reader.read('log'))).toEqual([{ at: 0, records: ['1'] }])
  await reader.close()
  expect(operations()).toEqual(['GetObject'])
})

describe('a store that is not up to it is refused before anything is written', () => {
  const broken: readonly [string, S3StubOptions, RegExp][] = [
    [
      'takes no notice of conditions',
      { ignoreConditions: true },
      /If-None-Match: \* and of If-Match.*singleWriter: true/,
    ],
    [
      'takes no notice of If-None-Match',
      { ignoreConditions: 'If-None-Match' },
      /no notice of If-None-Match: \* on|no notice of If-None-Match: \*,/,
    ],
    ['takes no notice of If-Match', { ignoreConditions: 'If-Match' }, /no notice of If-Match,/],
    ['gives every object the same ETag', { etagOf: () => '0' }, /one ETag/],
    ['makes ETags of the size', { etagOf: ({ length }) => String(length) }, /one ETag/],
  ]
  test.each(broken)('%s', async (_, options, message) => {
    await using place = await open(options)
    const { stub, store } = place
    for (const run of [
      () => store.open().append('log', 0, ['"lost"']),
      () => store.open().put('doc', '"lost"', { expect: 'absent' }),
      () => openSessions(store.open()).create('lost'),
    ]) {
      await expect(run()).rejects.toMatchObject({
        code: 'UNSUPPORTED',
        written: 'no',
        retry: false,
        message: expect.stringMatching(message),
      })
    }
    expect(stub.bucket(STUB_BUCKET).size).toBe(0)
  })

  test('knows no conditions', async () => {
    await using place = await open()
    place.stub.inject({ status: 501, code: 'NotImplemented' }, { operation: 'PutObject', times: 9 })
    await expect(place.store.open().append('log', 0, ['1'])).rejects.toMatchObject({
      code: 'UNSUPPORTED',
      written: 'no',
      message: expect.stringMatching(/knows no If-None-Match: \*.*singleWriter: true/),
    })
  })

  test('refuses If-Match with the right ETag', async () => {
    await using place = await open()
    const client = place.store.newClient()
    // As Ceph RGW up to 18 does, which compares the quotes too.
    client.middlewareStack.add(
      (next) => (args) => {
        const { headers } = args.request as { headers: Record<string, string> }
        if (headers['if-match'] !== undefined) headers['if-match'] = '"never"'
        return next(args)
      },
      { step: 'build' },
    )
    await expect(place.store.open({ client }).append('log', 0, ['1'])).rejects.toMatchObject({
      code: 'UNSUPPORTED',
      message: expect.stringContaining('refuses If-Match with the very ETag that it gave out'),
    })
  })
})

describe('the proof is furnished in spite of', () => {
  test('answers that are lost', async () => {
    await using place = await open()
    const { stub, store, operations } = place
    const disturb = { operation: 'PutObject', key: /sessiontree\.json$/ } as const
    for (const fault of ['swallow', 'cut', 'swallow', { status: 503, code: 'SlowDown' }] as const)
      stub.inject(fault, disturb)
    stub.inject('swallow', disturb)
    await store.open(hurried(store)).append('log', 0, ['1'])
    expect(operations().length).toBeGreaterThan(8)
    stub.forget()
    await store.open().append('log', 1, ['2'])
    expect(operations()).toEqual(['GetObject'])
  })

  test('ten processes that furnish it at once', async () => {
    await using place = await open()
    const { store, operations } = place
    await Promise.all(
      Array.from({ length: 10 }, (_, i) => store.open(hurried(store)).put(`doc-${i}`, '1', { expect: 'absent' })),
    )
    expect(operations().length).toBeLessThan(100)
    expect((await Array.fromAsync(store.open().keys(''))).flat()).toHaveLength(10)
  })

  test('somebody who deletes it meanwhile', async () => {
    await using place = await open()
    const { stub, store, proof } = place
    const remove = () => stub.bucket(STUB_BUCKET).delete(proof)
    for (let i = 0; i < 2; i++) stub.inject({ delay: i === 1 ? remove : 0 }, { operation: 'PutObject', key: /json$/ })
    await store.open(hurried(store)).append('log', 0, ['1'])
    expect(stub.bucket(STUB_BUCKET).get(proof).body.toString()).toContain('"proven"')
  })

  test('one that was interrupted, is damaged, or was copied from another bucket', async () => {
    await using place = await open()
    const { stub, store, proof } = place
    for (const body of ['', '{"f":1,"conditions":"unknown"', '{"conditions":"proven","bucket":"test"}\n']) {
      stub.bucket(STUB_BUCKET).put(proof, Buffer.from(body), {})
      stub.forget()
      await store.open().put(`doc-${body.length}`, '1', { expect: 'absent' })
      expect(place.operations().length).toBeGreaterThan(1)
    }
    const { body } = stub.bucket(STUB_BUCKET).get(proof)
    await using other = await startS3Stub({ buckets: ['elsewhere'], ignoreConditions: true })
    other.bucket('elsewhere').put('sessiontree.json', body, {})
    const client = new S3Client(stubPlace(other).config)
    const adapter = s3({ client, bucket: 'elsewhere' })
    await expect(adapter.append('log', 0, ['1'])).rejects.toMatchObject({ code: 'UNSUPPORTED' })
    client.destroy()
  })
})

test('what keeps the proof from being furnished is the error of the write, and the next write tries again', async () => {
  await using place = await open()
  const { stub, store } = place
  const adapter = store.open(hurried(store))
  stub.inject({ status: 403, code: 'AccessDenied' }, { operation: 'PutObject' })
  await expect(adapter.append('log', 0, ['1'])).rejects.toMatchObject({ code: 'DENIED', written: 'no' })
  for (let i = 0; i < 6; i++) stub.inject('cut', { operation: 'PutObject' })
  await expect(adapter.append('log', 0, ['1'])).rejects.toMatchObject({
    code: 'UNAVAILABLE',
    written: 'no',
    retry: true,
  })
  await adapter.append('log', 0, ['1'])
})

test('a store of a newer layout is not written to', async () => {
  await using place = await open()
  place.stub.bucket(STUB_BUCKET).put(place.proof, Buffer.from('{"f":2,"conditions":"better"}\n'), {})
  const refused = await place.store
    .open()
    .append('log', 0, ['1'])
    .catch((error: unknown) => error)
  expect(SessionError.is(refused, 'FORMAT')).toBe(true)
})

test('an abort ends the waiting for the proof, not the proof; closing ends what was begun', async () => {
  await using place = await open()
  const { stub, store } = place
  const { promise: held, resolve: release } = Promise.withResolvers<void>()
  const controller = new AbortController()
  const stop = () => {
    controller.abort(new Error('stop'))
    return held
  }
  stub.inject({ delay: stop }, { operation: 'PutObject' })
  const adapter = store.open()
  const { signal } = controller
  const aborted = expect(adapter.append('log', 0, ['"aborted"'], { signal })).rejects.toThrow('stop')
  const other = adapter.append('log', 0, ['"other"'])
  await aborted
  release()
  await other
  expect(await Array.fromAsync(store.open().read('log'))).toEqual([{ at: 0, records: ['"other"'] }])
  const seen: S3Request[] = []
  const closing = store.open({ onRequest: (request) => void seen.push(request) })
  const { promise: never, resolve: end } = Promise.withResolvers<void>()
  stub.inject({ delay: () => never }, { operation: 'GetObject', key: /json$/ })
  await closing.get('doc')
  await closing.close()
  end()
  expect(seen.map(({ status }) => status)).toEqual([404, 0])
})

test.skipIf(noServer)(`${serverName} proves itself`, async () => {
  const place: Place = await realPlace()
  await using store = openStore(place)
  await Promise.all([1, 2, 3].map((i) => store.open().put(`doc-${i}`, '1', { expect: 'absent' })))
  const seen: S3Request[] = []
  await store.open({ onRequest: (request) => void seen.push(request) }).append('log', 0, ['1'])
  expect(seen.map(({ operation }) => operation).toSorted()).toEqual(['GetObject', 'ListObjectsV2', 'PutObject'])
})
