import { startS3Stub, type S3Stub } from '@sessiontree/s3-stub'
import { PROXY_FAULTS, startFaultProxy, type FaultProxy, type ProxyFault } from '@sessiontree/s3-stub/fault-proxy'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'

let stub: S3Stub & AsyncDisposable
const open: FaultProxy[] = []
beforeEach(async () => void (stub = await startS3Stub({ buckets: ['b'] })))
afterEach(async () => {
  for (const proxy of open.splice(0)) await proxy.close()
  await stub.close()
})

async function proxied(kind: ProxyFault | undefined, seed = 1, rate = 1): Promise<FaultProxy> {
  const kinds = kind ? [kind] : PROXY_FAULTS
  const proxy = await startFaultProxy({ target: stub.endpoint, seed, rate, kinds, delay: 1 })
  open.push(proxy)
  return proxy
}

const send = (proxy: FaultProxy, key: string, init: RequestInit = {}) => fetch(`${proxy.endpoint}/b/${key}`, init)
const put = (proxy: FaultProxy, key: string, body: string) => send(proxy, key, { method: 'PUT', body })
/** What the stub was asked, with its answers. */
const seen = () => stub.requests.map(({ operation, status }) => `${operation} ${status}`)
const stored = (key: string) => {
  try {
    return stub.bucket('b').get(key).body.toString()
  } catch {
    return undefined
  }
}

test('without faults it changes nothing', async () => {
  const proxy = await proxied(undefined, 1, 0)
  const answer = await put(proxy, 'a%20b', 'text')
  expect([answer.status, answer.headers.get('etag')]).toEqual([200, stub.bucket('b').get('a b').etag])
  expect(await (await send(proxy, 'a%20b')).text()).toBe('text')
  expect((await send(proxy, 'none')).status).toBe(404)
  expect([proxy.requests, proxy.faults]).toEqual([3, {}])
})

describe('each fault', () => {
  test.each<[ProxyFault, boolean, string[]]>([
    ['cut', false, []],
    ['cut request', false, []],
    ['swallow', true, ['PutObject 200']],
    ['cut answer', true, ['PutObject 200']],
    ['duplicate', true, ['PutObject 200', 'PutObject 200']],
    ['delay', true, ['PutObject 200']],
    ['409', false, []],
    ['429', false, []],
    ['500', false, []],
    ['503', false, []],
    ['500 after', true, ['PutObject 200']],
  ])('%s', async (kind, isStored, requests) => {
    const proxy = await proxied(kind)
    const answer = await put(proxy, 'k', 'one two three').then(
      async (response) => {
        await response.arrayBuffer()
        return response.status
      },
      () => 0,
    )
    await proxy.settled()
    await stub.settled()
    expect(stored('k')).toBe(isStored ? 'one two three' : undefined)
    expect(seen().filter((line) => line.endsWith('200'))).toEqual(requests)
    const status = Number(kind.slice(0, 3)) || (/^cut|swallow/.test(kind) ? 0 : 200)
    // Half of an empty body is all of it.
    expect(answer).toBe(kind === 'cut answer' ? answer : status)
    expect(proxy.faults).toEqual({ [kind]: 1 })
  })

  test('half an answer is not taken for a whole one', async () => {
    stub.bucket('b').put('k', Buffer.from('x'.repeat(1000)), {})
    const proxy = await proxied('cut answer')
    await expect(send(proxy, 'k').then((response) => response.text())).rejects.toThrow()
  })

  test('a late duplicate comes after later writes', async () => {
    const proxy = await proxied('late duplicate')
    await put(proxy, 'k', 'old')
    await put(proxy, 'k', 'new')
    await proxy.settled()
    await stub.settled()
    expect(stub.count('PutObject')).toBe(4)
    expect(['old', 'new']).toContain(stored('k'))
  })
})

test('a seed repeats, another one does not', async () => {
  const run = async (seed: number) => {
    const proxy = await proxied(undefined, seed, 0.5)
    for (let i = 0; i < 60; i++) await put(proxy, `k${i}`, 'x').catch(() => undefined)
    await proxy.settled()
    return proxy.faults
  }
  const first = await run(7)
  expect(Object.values(first).reduce((sum, count) => sum + count, 0)).toBeGreaterThan(15)
  expect(await run(7)).toEqual(first)
  expect(await run(8)).not.toEqual(first)
})

test('what was not answered often enough comes through', async () => {
  const proxy = await startFaultProxy({ target: stub.endpoint, seed: 1, rate: 1, kinds: ['cut', '503'], mostInARow: 2 })
  open.push(proxy)
  const answers: number[] = []
  for (let i = 0; i < 6; i++)
    answers.push(
      await put(proxy, 'k', 'x').then(
        ({ status }) => status,
        () => 0,
      ),
    )
  expect(answers.map((status) => status === 200)).toEqual([false, false, true, false, false, true])
})
