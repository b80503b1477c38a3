import { startS3Stub, type S3Stub } from '@sessiontree/s3-stub'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'

// With plain requests: what the SDK would repeat on its own stays visible. How it answers next to a real server: see the
// conformance probe of @sessiontree/s3.

let stub: S3Stub & AsyncDisposable
beforeEach(async () => void (stub = await startS3Stub({ buckets: ['b'] })))
afterEach(() => stub.close())

const at = (path: string) => `${stub.endpoint}/b/${path}`
const put = (key: string, body: string, headers: Record<string, string> = {}) =>
  fetch(at(key), { method: 'PUT', body, headers })
const textOf = async (key: string) => (await fetch(at(key))).text()

describe('faults', () => {
  test('a swallowed answer: the work is done, the connection breaks', async () => {
    stub.inject('swallow', { operation: 'PutObject' })
    await expect(put('k', 'one')).rejects.toThrow()
    expect(await textOf('k')).toBe('one')
  })

  test('a cut connection: nothing is done', async () => {
    stub.inject('cut')
    await expect(put('k', 'one')).rejects.toThrow()
    expect((await fetch(at('k'))).status).toBe(404)
  })

  test('a late arrival: the connection breaks, the work is done afterwards', async () => {
    const { promise: arrived, resolve: arrive } = Promise.withResolvers<void>()
    stub.inject({ late: () => arrived })
    await expect(put('k', 'one')).rejects.toThrow()
    expect((await fetch(at('k'))).status).toBe(404)
    arrive()
    await stub.settled()
    expect(await textOf('k')).toBe('one')
    stub.inject({ late: 1 })
    await expect(put('k', 'two')).rejects.toThrow()
    await stub.settled()
    expect(await textOf('k')).toBe('two')
  })

  test('a delay: what others do meanwhile comes first, and the stub is not settled before the end', async () => {
    const order: string[] = []
    const { promise: delayed, resolve: go } = Promise.withResolvers<void>()
    const { promise: arrived, resolve: arrive } = Promise.withResolvers<void>()
    stub.inject({
      delay: async () => {
        await put('k', 'meanwhile', { 'if-none-match': '*' })
        arrive()
        return delayed
      },
    })
    const putting = put('k', 'delayed', { 'if-none-match': '*' })
    await arrived
    const settled = stub.settled().then(() => order.push('settled'))
    expect(await textOf('k')).toBe('meanwhile')
    order.push('go')
    go()
    expect((await putting).status).toBe(412)
    await settled
    expect(order).toEqual(['go', 'settled'])
  })

  test('an answer instead of the work, and one after it', async () => {
    stub.inject({ status: 503, code: 'SlowDown' }, { times: 2 })
    stub.inject({ status: 500, code: 'InternalError', done: true })
    const statuses: number[] = []
    for (const body of ['1', '2', '3', '4']) statuses.push((await put('k', body, { 'if-none-match': '*' })).status)
    expect(statuses).toEqual([503, 503, 500, 412])
    expect(await textOf('k')).toBe('3')
  })

  test('only what they are meant for, and only so often', async () => {
    stub.inject({ status: 403, code: 'AccessDenied' }, { operation: 'GetObject', key: /^x/, times: 1 })
    await put('x', '1')
    await put('y', '2')
    expect((await fetch(at('y'))).status).toBe(200)
    expect((await fetch(at('x'))).status).toBe(403)
    expect((await fetch(at('x'))).status).toBe(200)
    stub.deny('GetObject')
    expect((await fetch(at('x'))).status).toBe(403)
    expect((await put('x', '3')).status).toBe(200)
  })
})

describe('the log of requests', () => {
  test('counts, and tells chains from what ran in parallel', async () => {
    // None is answered before all have come: what runs in parallel is sure to overlap.
    const together = (count: number) => {
      const { promise: complete, resolve } = Promise.withResolvers<void>()
      let come = 0
      return () => (++come === count ? resolve() : complete)
    }
    stub.inject({ delay: together(3) }, { operation: 'PutObject', times: 3 })
    stub.inject({ delay: together(2) }, { operation: 'GetObject', times: 2 })
    await Promise.all(['a', 'b', 'c'].map((key) => put(key, key)))
    await Promise.all(['a', 'b'].map(textOf))
    expect([stub.count(), stub.count('PutObject'), stub.count('GetObject'), stub.count('DeleteObject')]).toEqual([
      5, 3, 2, 0,
    ])
    expect(stub.roundTrips()).toBe(2)
    expect(stub.requests[4]).toMatchObject({ operation: 'GetObject', status: 200, received: 0, sent: 1 })
    stub.forget()
    expect([stub.count(), stub.roundTrips()]).toEqual([0, 0])
  })

  test('tells what was not answered', async () => {
    stub.inject('cut')
    await put('k', '1').catch(() => undefined)
    expect(stub.requests.map(({ status }) => status)).toEqual([0])
  })
})

test('errors are XML with a code', async () => {
  const answer = await fetch(at('a%26b'))
  expect(answer.status).toBe(404)
  expect(answer.headers.get('content-type')).toBe('application/xml')
  expect(await answer.text()).toMatch(
    /<Error><Code>NoSuchKey<\/Code><Message>.*<\/Message><Resource>\/b\/a%26b<\/Resource>/,
  )
})

test('keys with characters of XML survive listing and batch delete', async () => {
  for (const key of ['a&b', '<c>', '"d"']) await put(encodeURIComponent(key), key)
  const xml = await (await fetch(at('?list-type=2'))).text()
  expect([...xml.matchAll(/<Key>([^<]*)<\/Key>/g)].map(([, key]) => key)).toEqual([
    '&quot;d&quot;',
    '&lt;c&gt;',
    'a&amp;b',
  ])
  const body = '<Delete><Object><Key>a&amp;b</Key></Object><Object><Key>&#60;c></Key></Object></Delete>'
  const refused = await fetch(at('?delete'), { method: 'POST', body })
  expect(refused.status).toBe(400)
  const answer = await fetch(at('?delete'), { method: 'POST', body, headers: { 'content-md5': 'any' } })
  expect(await answer.text()).toContain('<Deleted><Key>a&amp;b</Key></Deleted><Deleted><Key>&lt;c&gt;</Key></Deleted>')
  expect(stub.bucket('b').size).toBe(1)
})

test('a page is never longer than the stub was told, and never empty while there is more', async () => {
  await using small = await startS3Stub({ buckets: ['b'], pageSize: 2 })
  for (const key of ['a/1', 'a/2', 'b', 'c/1', 'd']) small.bucket('b').put(key, Buffer.from(key), {})
  const seen: string[] = []
  let token = ''
  do {
    const query = `?list-type=2&delimiter=/&max-keys=1000${token && `&continuation-token=${token}`}`
    const xml = await (await fetch(`${small.endpoint}/b/${query}`)).text()
    const names = [...xml.matchAll(/<(?:Key|CommonPrefixes><Prefix)>([^<]*)</g)].map(([, name]) => name ?? '')
    expect(names.length).toBeGreaterThan(0)
    expect(names.length).toBeLessThanOrEqual(2)
    seen.push(...names)
    token = /<NextContinuationToken>([^<]*)</.exec(xml)?.[1] ?? ''
  } while (token)
  expect(seen.toSorted()).toEqual(['a/', 'b', 'c/', 'd'])
})

test('what it does not know is 501, not a wrong answer', async () => {
  for (const [path, init] of [
    ['k?tagging', { method: 'PUT', body: '' }],
    ['k', { method: 'PUT', headers: { 'x-amz-copy-source': '/b/other' } }],
    ['k', { method: 'PUT', body: 'x', headers: { 'if-none-match': '"etag"' } }],
    ['k?uploads', { method: 'POST' }],
  ] as const) {
    const answer = await fetch(at(path), init)
    expect([answer.status, /<Code>(\w+)</.exec(await answer.text())?.[1]]).toEqual([501, 'NotImplemented'])
  }
})
