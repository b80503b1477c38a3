import { CorruptError, SessionError, systemClock, type Document, type StorageAdapter } from '@sessiontree/core'
import { s3 } from '@sessiontree/s3'
import { startS3Stub, type Fault, type S3Stub } from '@sessiontree/s3-stub'
import { afterAll, beforeEach, describe, expect, test } from 'vitest'
import { clockOf, hurriedClock, openStore, startStub, STUB_BUCKET, stubPlace, type Store } from './servers.ts'

// What each answer of a store means for a write.

const stubs: (S3Stub & AsyncDisposable)[] = []
let stub: S3Stub & AsyncDisposable
let store: Store
beforeEach(async () => {
  // Of its own: what one test injects or denies must not reach another.
  stub = await startStub()
  stubs.push(stub)
  store = openStore(stubPlace(stub))
})
afterAll(async () => {
  for (const one of stubs) await one.close()
})

const LOST = { status: 500, code: 'InternalError', done: true }
const DENIED = { status: 403, code: 'AccessDenied' }
const BUSY = { status: 409, code: 'ConditionalRequestConflict' }
const SLOW = { status: 429, code: 'SlowDown' }

/** A warm handle on a log of one record; its client repeats nothing unless told so. */
async function warm(maxAttempts = 1, clock = hurriedClock): Promise<StorageAdapter> {
  const adapter = store.open({ client: store.newClient({ maxAttempts }), clock })
  await adapter.append('log', 0, ['0'])
  stub.forget()
  return adapter
}

function failPuts(...faults: Fault[]): void {
  for (const fault of faults) stub.inject(fault, { operation: 'PutObject' })
}

async function log(): Promise<string[]> {
  return (await Array.fromAsync(store.open().read('log'))).flatMap(({ records }) => records)
}

describe('an append', () => {
  test.each<{ name: string; faults: Fault[] }>([
    { name: 'a lost answer', faults: ['swallow'] },
    { name: 'two lost answers', faults: ['swallow', 'swallow'] },
    { name: 'a connection cut before', faults: ['cut'] },
    { name: '500 after the commit', faults: [LOST] },
    { name: '503', faults: [{ status: 503, code: 'SlowDown' }] },
    { name: '409 twice', faults: [BUSY, BUSY] },
    { name: '429', faults: [SLOW] },
    { name: '408', faults: [{ status: 408, code: 'RequestTimeout' }] },
    { name: 'AWS’s 400 for a request that was too slow', faults: [{ status: 400, code: 'RequestTimeout' }] },
    { name: '409, a lost answer, 503', faults: [BUSY, 'swallow', { status: 503, code: 'SlowDown' }] },
  ])('is committed once in spite of $name', async ({ faults }) => {
    for (const maxAttempts of [1, 3]) {
      const adapter = store.open({ client: store.newClient({ maxAttempts }), clock: hurriedClock })
      const before = await log()
      stub.forget()
      failPuts(...faults)
      await adapter.append('log', before.length, ['"mine"', '"mine too"'])
      const puts = stub.requests.filter(({ operation }) => operation === 'PutObject')
      expect(puts).toHaveLength(faults.length + 1)
      expect(new Set(puts.map(({ key, received }) => `${key} ${received}`)).size).toBe(1)
      expect(await log()).toEqual([...before, '"mine"', '"mine too"'])
    }
  })

  test('whose first attempt landed and whose second is denied has landed', async () => {
    const adapter = await warm()
    failPuts('swallow', DENIED)
    await adapter.append('log', 1, ['1'])
    expect(await log()).toEqual(['0', '1'])
  })

  test('that was never answered and then denied is UNCERTAIN, not DENIED', async () => {
    const adapter = await warm()
    failPuts('cut', DENIED)
    await expect(adapter.append('log', 1, ['1'])).rejects.toMatchObject({
      code: 'UNCERTAIN',
      written: 'unknown',
      retry: true,
      message: expect.stringContaining('403 AccessDenied'),
    })
    expect(await log()).toEqual(['0'])
    await adapter.append('log', 1, ['"again"'])
    expect(await log()).toEqual(['0', '"again"'])
  })

  test('that the client repeated on its own before it was denied is UNCERTAIN too', async () => {
    const adapter = await warm(2)
    failPuts('cut', DENIED)
    await expect(adapter.append('log', 1, ['1'])).rejects.toMatchObject({ code: 'UNCERTAIN' })
    expect(stub.count('PutObject')).toBe(2)
  })

  test('that is never answered is UNCERTAIN after six attempts with the same bytes to the same key', async () => {
    const adapter = await warm()
    failPuts('cut', 'cut', 'cut', 'cut', 'cut', 'cut', 'cut')
    await expect(adapter.append('log', 1, ['1'])).rejects.toMatchObject({ code: 'UNCERTAIN' })
    const puts = stub.requests.filter(({ operation }) => operation === 'PutObject')
    expect(puts).toHaveLength(6)
    expect(new Set(puts.map(({ key, received }) => `${key} ${received}`)).size).toBe(1)
  })

  test('that is only ever told to wait was not written, and says so', async () => {
    const adapter = await warm()
    failPuts(SLOW, SLOW, BUSY, BUSY, SLOW, SLOW)
    await expect(adapter.append('log', 1, ['1'])).rejects.toMatchObject({ code: 'BUSY', written: 'no', retry: true })
    await adapter.append('log', 1, ['1'])
  })

  test('that is told to wait while another wins is CONFLICT', async () => {
    const adapter = await warm()
    const other = store.open()
    await Array.fromAsync(other.read('log'))
    await other.append('log', 1, ['"other"', '"other"'])
    failPuts(BUSY, BUSY, BUSY, BUSY, BUSY, BUSY)
    await expect(adapter.append('log', 1, ['1'])).rejects.toMatchObject({ code: 'CONFLICT', atLeast: 3 })
  })

  test('that is not answered in its time is repeated', async () => {
    const limits: (() => void)[] = []
    const adapter = await warm(1, clockOf({ limit: (wake) => limits.push(wake) }))
    limits.length = 0
    const { promise: answered, resolve: answer } = Promise.withResolvers<void>()
    const expire = () => {
      limits[0]?.()
      return answered
    }
    failPuts({ delay: expire })
    await adapter.append('log', 1, ['1'])
    expect(await log()).toEqual(['0', '1'])
    answer()
    await stub.settled()
    expect(stub.requests.filter(({ operation }) => operation === 'PutObject').map(({ status }) => status)).toEqual([
      200, 412,
    ])
    expect(await log()).toEqual(['0', '1'])
  })

  test('that was refused, and whose slot cannot be read, is UNCERTAIN', async () => {
    const adapter = await warm()
    await store.open().append('log', 1, ['"other"'])
    stub.deny('GetObject')
    await expect(adapter.append('log', 1, ['1'])).rejects.toMatchObject({ code: 'UNCERTAIN' })
  })

  test('with equal content by another writer is not taken for one’s own', async () => {
    const adapter = await warm()
    await store.open().append('log', 1, ['"same"'])
    await expect(adapter.append('log', 1, ['"same"'])).rejects.toMatchObject({ code: 'CONFLICT', atLeast: 2 })
  })

  test('whose signal is aborted says at once what is known', async () => {
    let controller = new AbortController()
    const stop = () => controller.abort(new Error('stop'))
    // A pause that nothing else would end, and one turn later, when the write waits in it, the abort.
    const adapter = await warm(1, clockOf({ pause: () => setImmediate(stop), limit: () => undefined }))
    const aborted = (write: (options: { signal: AbortSignal }) => Promise<unknown>) => {
      controller = new AbortController()
      return write({ signal: controller.signal })
    }
    const { promise: answered, resolve: answer } = Promise.withResolvers<void>()
    // Under way: it may have arrived. Between attempts: the first may have, or was refused.
    const stopAndHold = () => {
      stop()
      return answered
    }
    failPuts({ delay: stopAndHold })
    await expect(aborted((options) => adapter.append('log', 1, ['1'], options))).rejects.toMatchObject({
      code: 'UNCERTAIN',
      cause: new Error('stop'),
    })
    failPuts('cut')
    await expect(aborted((options) => adapter.append('log', 1, ['1'], options))).rejects.toMatchObject({
      code: 'UNCERTAIN',
    })
    failPuts(BUSY)
    await expect(aborted((options) => adapter.append('log', 1, ['1'], options))).rejects.toThrow('stop')
    failPuts('cut')
    await expect(aborted((options) => adapter.put('doc', '1', { expect: 'absent', ...options }))).rejects.toMatchObject(
      { code: 'UNCERTAIN' },
    )
    expect(stub.count('GetObject')).toBe(0)
    answer()
    await stub.settled()
    expect(stub.count('PutObject')).toBe(4)
    expect(await log()).toEqual(['0', '1'])
  })
})

describe('a document', () => {
  test.each<{ name: string; faults: Fault[] }>([
    { name: 'a lost answer', faults: ['swallow'] },
    { name: '500 after the commit', faults: [LOST] },
    { name: 'a lost answer and a denial', faults: ['swallow', DENIED] },
    { name: '409 twice', faults: [BUSY, BUSY] },
  ])('is put and removed once in spite of $name, and the version is right', async ({ faults }) => {
    const adapter = store.open({ client: store.newClient({ maxAttempts: 1 }), clock: hurriedClock })
    failPuts(...faults)
    const first = await adapter.put('doc', '1', { expect: 'absent' })
    expect(await store.open().get('doc')).toEqual({ value: '1', version: first })
    failPuts(...faults)
    const second = await adapter.put('doc', '2', { expect: first })
    expect(await store.open().get('doc')).toEqual({ value: '2', version: second })
    failPuts(...faults)
    await adapter.remove('doc', { expect: second })
    expect(await store.open().get('doc')).toBeUndefined()
    failPuts(...faults)
    const third = await adapter.put('doc', '3', { expect: 'absent' })
    expect(await store.open().get('doc')).toEqual({ value: '3', version: third })
  })

  test('that landed and was replaced by others since is committed, with the version it had', async () => {
    const adapter = store.open({ client: store.newClient({ maxAttempts: 1 }), clock: systemClock })
    const first = await adapter.put('doc', '1', { expect: 'absent' })
    stub.inject('swallow', { operation: 'PutObject' })
    const other = store.open()
    let found: Document | undefined
    const replace = async () => {
      found = await other.get('doc')
      await other.put('doc', '3', { expect: found?.version ?? '' })
    }
    stub.inject({ delay: replace }, { operation: 'PutObject', key: /doc!$/ })
    const version = await adapter.put('doc', '2', { expect: first })
    expect(found).toEqual({ value: '2', version })
    expect((await other.get('doc'))?.value).toBe('3')
  })

  test('that did not land and was replaced by others since is CONFLICT', async () => {
    const adapter = store.open({ client: store.newClient({ maxAttempts: 1 }), clock: hurriedClock })
    const first = await adapter.put('doc', '1', { expect: 'absent' })
    await store.open().put('doc', '"other"', { expect: first })
    failPuts('cut', 'cut', 'cut', 'cut', 'cut', 'cut')
    await expect(adapter.put('doc', '2', { expect: first })).rejects.toMatchObject({ code: 'CONFLICT', written: 'no' })
  })

  test('that may still land is UNCERTAIN', async () => {
    const adapter = store.open({ client: store.newClient({ maxAttempts: 1 }), clock: hurriedClock })
    const first = await adapter.put('doc', '1', { expect: 'absent' })
    failPuts('cut', 'cut', 'cut', 'cut', 'cut', 'cut')
    await expect(adapter.put('doc', '2', { expect: first })).rejects.toMatchObject({ code: 'UNCERTAIN' })
    failPuts('cut', 'cut', 'cut', 'cut', 'cut', 'cut')
    await expect(adapter.put('new', '2', { expect: 'absent' })).rejects.toMatchObject({ code: 'UNCERTAIN' })
    failPuts('cut', 'cut', 'cut', 'cut', 'cut', 'cut')
    await expect(adapter.remove('doc')).rejects.toMatchObject({ code: 'UNCERTAIN' })
  })

  test('that more than 32 others replaced since cannot be told from one’s own: UNCERTAIN, never a guess', async () => {
    const [stale, busy] = [store.open(), store.open()]
    const first = await stale.put('doc', '0', { expect: 'absent' })
    let version = first
    for (let i = 1; i <= 32; i++) version = await busy.put('doc', String(i), { expect: version })
    await expect(stale.put('doc', '"stale"', { expect: first })).rejects.toMatchObject({ code: 'CONFLICT' })
    const again = store.open()
    await again.get('doc')
    const seen = version
    for (let i = 0; i <= 32; i++) version = await busy.put('doc', String(i), { expect: version })
    await expect(again.put('doc', '"stale"', { expect: seen })).rejects.toMatchObject({ code: 'UNCERTAIN' })
    // A create can always tell, and so can a handle that has to look first.
    await expect(again.put('doc', '1', { expect: 'absent' })).rejects.toMatchObject({ code: 'CONFLICT' })
    await expect(store.open().put('doc', '1', { expect: seen })).rejects.toMatchObject({ code: 'CONFLICT' })
    expect((await again.get('doc'))?.value).toBe('32')
  })

  test('counts right while answers are lost', async () => {
    const handles = Array.from({ length: 4 }, () =>
      store.open({ client: store.newClient({ maxAttempts: 1 }), clock: hurriedClock }),
    )
    await handles[0]?.put('doc', '0', { expect: 'absent' })
    let [acknowledged, uncertain] = [0, 0]
    const count = async (adapter: StorageAdapter, i: number) => {
      for (let done = 0; done < 15;) {
        if (i % 2 === 0 && done % 3 === 0) stub.inject(done % 2 === 0 ? 'swallow' : LOST, { operation: 'PutObject' })
        const found = await adapter.get('doc')
        try {
          await adapter.put('doc', String(Number(found?.value) + 1), { expect: found?.version ?? '' })
          acknowledged++
          done++
        } catch (error) {
          if (SessionError.is(error, 'UNCERTAIN')) {
            uncertain++
            done++
          } else if (!SessionError.is(error, 'CONFLICT')) throw error
        }
      }
    }
    await Promise.all(handles.map(count))
    const counted = Number((await store.open().get('doc'))?.value)
    expect(acknowledged + uncertain).toBe(60)
    expect(counted).toBeGreaterThanOrEqual(acknowledged)
    expect(counted).toBeLessThanOrEqual(acknowledged + uncertain)
  })
})

describe('what is wrong with the store is told apart', () => {
  const operations: readonly [string, (adapter: StorageAdapter) => Promise<unknown>][] = [
    ['append', (adapter) => adapter.append('log', 0, ['1'])],
    ['read', (adapter) => Array.fromAsync(adapter.read('log'))],
    ['one record', (adapter) => Array.fromAsync(adapter.read('log', { limit: 1 }))],
    ['drop', (adapter) => adapter.drop('log')],
    ['logs', (adapter) => Array.fromAsync(adapter.logs(''))],
    ['get', (adapter) => adapter.get('doc')],
    ['create', (adapter) => adapter.put('doc', '1', { expect: 'absent' })],
    ['put', (adapter) => adapter.put('doc', '1', { expect: '"1"' })],
    ['remove', (adapter) => adapter.remove('doc')],
    ['keys', (adapter) => Array.fromAsync(adapter.keys(''))],
  ]

  test.each(operations)('%s without the bucket is UNAVAILABLE', async (_, run) => {
    const adapter = s3({ client: store.client, bucket: 'missing' })
    await expect(run(adapter)).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      written: 'no',
      retry: false,
      message: expect.stringMatching(/"missing".*(Put|Get|List)Object.*404 NoSuchBucket.*name.*region.*endpoint/),
    })
  })

  test.each(operations)('%s without permission is DENIED', async (_, run) => {
    stub.deny('PutObject', 'GetObject', 'ListObjectsV2')
    await expect(run(store.open())).rejects.toMatchObject({
      code: 'DENIED',
      written: 'no',
      message: expect.stringMatching(/"test".*403 AccessDenied.*s3:(PutObject|GetObject|ListBucket)/),
    })
  })

  test.each(operations)('%s of a store that does not know it is UNSUPPORTED', async (_, run) => {
    stub.inject({ status: 501, code: 'NotImplemented' }, { times: 9 })
    await expect(run(store.open())).rejects.toMatchObject({ code: 'UNSUPPORTED', written: 'no' })
  })

  test.each(operations)('%s of something that is no S3 is never an empty store', async (_, run) => {
    stub.inject({ status: 404, code: 'NotFound' }, { times: 99 })
    await expect(run(store.open())).rejects.toMatchObject({ code: 'UNAVAILABLE' })
  })

  test.each(operations)('%s without a server is UNAVAILABLE', async (_, run) => {
    const gone = await startS3Stub({ buckets: [STUB_BUCKET] })
    const nowhere = openStore(stubPlace(gone))
    await gone.close()
    const client = nowhere.newClient({ maxAttempts: 1 })
    await expect(run(nowhere.open({ client, clock: hurriedClock }))).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      written: 'no',
      retry: true,
      message: expect.stringContaining('ECONNREFUSED'),
    })
  })

  test('a read of a page that answers 200 without being a listing is UNAVAILABLE', async () => {
    const client = store.newClient()
    client.middlewareStack.add(
      (next) => async (args) => {
        const result = await next(args)
        return { ...result, output: { $metadata: { httpStatusCode: 200 } } }
      },
      { step: 'initialize' },
    )
    const adapter = store.open({ client, clock: hurriedClock })
    await expect(Array.fromAsync(adapter.read('log'))).rejects.toMatchObject({ code: 'UNAVAILABLE' })
  })

  test('no message holds a record or a credential', async () => {
    const adapter = await warm()
    const messages: string[] = []
    for (const fault of ['cut', DENIED, BUSY, { status: 501, code: 'NotImplemented' }] as Fault[]) {
      failPuts(...Array.from({ length: 6 }, () => fault))
      for (const run of [
        () => adapter.append('log', 1, ['"secret text"']),
        () => adapter.put('doc', '"secret text"', { expect: 'absent' }),
      ]) {
        await run().catch((error: Error) => messages.push(error.message))
      }
    }
    expect(messages.length).toBeGreaterThanOrEqual(6)
    for (const message of messages) expect(message).not.toMatch(/secret|stubkey|Authorization/)
  })

  test('a damaged document is CORRUPT and says where', async () => {
    await store.open().put('doc', '"value"', { expect: 'absent' })
    const key = `${store.prefix}doc/doc!`
    const bucket = stub.bucket(STUB_BUCKET)
    const body = Buffer.from(bucket.get(key).body.toString().replace('value', 'valve'))
    bucket.put(key, body, {})
    await expect(store.open().get('doc')).rejects.toThrow(CorruptError)
    await expect(store.open().get('doc')).rejects.toMatchObject({ code: 'CORRUPT', where: `s3://test/${key}` })
  })
})
