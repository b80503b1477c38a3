import { startS3Stub, type S3Stub } from '@sessiontree/s3-stub'
import { Miniflare } from 'miniflare'
import type { OutputChunk } from 'rolldown'
import { beforeAll, beforeEach, expect, test } from 'vitest'
import { bundleWorker } from './bundle.ts'

let bundle: OutputChunk
let stub: S3Stub
let address: URL

beforeAll(async () => {
  bundle = await bundleWorker()
  stub = await startS3Stub({ buckets: ['agents'] })
  const miniflare = new Miniflare({
    modules: true,
    script: bundle.code,
    // What imports a module of Node does not even start.
    compatibilityDate: '2026-01-01',
    compatibilityFlags: ['no_nodejs_compat', 'no_nodejs_compat_v2'],
    host: '127.0.0.1',
    // Else it may ask the network where it is.
    cf: false,
    bindings: {
      S3_ENDPOINT: stub.endpoint,
      S3_REGION: 'us-east-1',
      S3_BUCKET: 'agents',
      S3_ACCESS_KEY_ID: 'stub',
      S3_SECRET_ACCESS_KEY: 'stub',
    },
  })
  address = await miniflare.ready
  return async () => {
    await miniflare.dispose()
    await stub.close()
  }
})

beforeEach(() => stub.forget())

async function call(method: 'GET' | 'POST', path: string, body?: unknown) {
  const init = body === undefined ? { method } : { method, body: JSON.stringify(body) }
  const response = await fetch(new URL(path, address), init)
  return { status: response.status, body: (await response.json()) as Record<string, unknown> }
}

const ask = (id: string, text: string) => call('POST', `/sessions/${id}`, { text })

async function contents(id: string): Promise<(readonly [role: string, content: string])[]> {
  const { status, body } = await call('GET', `/sessions/${id}`)
  expect(status).toBe(200)
  expect(body['complete']).toBe(true)
  return (body['messages'] as { role: string; content: string }[]).map(({ role, content }) => [role, content] as const)
}

test('the worker asks for nothing of Node', () => {
  expect(bundle.imports).toEqual([])
  // The SDK loads parts of itself late; they are in the same file.
  expect(bundle.dynamicImports.filter((name) => name !== bundle.fileName)).toEqual([])
  expect(bundle.code).not.toMatch(/["'`]node:/)
})

test('two sessions are resumed by calls that share nothing but the bucket', async () => {
  expect(await ask('first', 'Where is my parcel?')).toMatchObject({
    status: 200,
    body: { session: 'first', answer: 'Question 1 of this session: Where is my parcel?' },
  })
  expect(await ask('second', 'Grüße 👋')).toMatchObject({
    status: 200,
    body: { answer: 'Question 1 of this session: Grüße 👋' },
  })
  expect(await ask('first', 'Hello?')).toMatchObject({
    status: 200,
    body: { answer: 'Question 2 of this session: Hello?' },
  })
  expect(await contents('first')).toEqual([
    ['user', 'Where is my parcel?'],
    ['assistant', ''],
    ['tool', '1'],
    ['assistant', 'Question 1 of this session: Where is my parcel?'],
    ['user', 'Hello?'],
    ['assistant', ''],
    ['tool', '2'],
    ['assistant', 'Question 2 of this session: Hello?'],
  ])
  expect((await contents('second')).length).toBe(4)
  expect(stub.requests.every(({ operation, key }) => operation === 'ListObjectsV2' || key.startsWith('edge/'))).toBe(
    true,
  )
})

test('a request that comes while a turn is running is told so, and writes nothing', async () => {
  await ask('busy', 'one')
  let late: Awaited<ReturnType<typeof ask>> | undefined
  // The first request stands still where its turn is to be written down: it holds the session by then.
  stub.inject(
    { delay: async () => (late = await ask('busy', 'three')) },
    { operation: 'PutObject', key: /\/log\/session\/busy\// },
  )
  const first = await ask('busy', 'two')
  expect(late).toMatchObject({ status: 409, body: { code: 'ACTIVE_TURN' } })
  expect(first).toMatchObject({ status: 200, body: { answer: 'Question 2 of this session: two' } })
  expect((await contents('busy')).filter(([role]) => role === 'user')).toEqual([
    ['user', 'one'],
    ['user', 'two'],
  ])
  expect(await ask('busy', 'three')).toMatchObject({ status: 200 })
})

test('what is wrong is told by status and code', async () => {
  expect(await call('GET', '/sessions/nobody')).toMatchObject({ status: 404, body: { code: 'NOT_FOUND' } })
  expect(await call('POST', '/sessions/first', { words: 1 })).toMatchObject({ status: 400, body: { code: 'INVALID' } })
  expect(await call('GET', '/sessions/a%2Fb')).toMatchObject({ status: 404, body: { code: 'NOT_FOUND' } })
  stub.inject({ status: 403, code: 'AccessDenied' }, { key: /\/doc\/session\/first/ })
  expect(await call('GET', '/sessions/first')).toMatchObject({ status: 500, body: { code: 'DENIED' } })
})
