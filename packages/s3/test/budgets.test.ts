import { Agent, request } from 'node:http'
import { setTimeout as pause } from 'node:timers/promises'
import { CreateBucketCommand, DeleteBucketCommand, PutBucketPolicyCommand, S3Client } from '@aws-sdk/client-s3'
import { openSessions } from '@sessiontree/core'
import { memory, MemoryStore } from '@sessiontree/memory'
import { RequestCounter } from '@sessiontree/s3'
import { describe, expect, test } from 'vitest'
import { storeKeys } from '../src/keys.ts'
import { encodeLogObject } from '../src/log-object.ts'
import { wantedRepeats } from '../src/overlap.ts'
import { lastWithin } from '../src/tails.ts'
import { noServer, openStore, realPlace, serverIsRequired, serverName, type Place, type Store } from './servers.ts'

// The budgets of the design, counted on a real server. SESSIONTREE_S3_APPENDS="1000,10000,100000" sets how long the histories are; the
// longer ones take minutes to make.

const LENGTHS = (process.env['SESSIONTREE_S3_APPENDS'] ?? '1000').split(',').map(Number)
const ID = 'long'
const LOG = 'session/long/0'
const AT_ONCE = 32
const text = (i: number) => `${i} ${'x'.repeat(560)}`

/** A session whose messages were appended one by one, written in the stored format without an append for each. */
async function generate(store: Store, bucket: string, length: number): Promise<void> {
  const place = new MemoryStore()
  const session = await openSessions(memory({ store: place })).create(ID)
  for (let i = 0; i < length; i += 1000) {
    await session.append(
      Array.from({ length: Math.min(1000, length - i) }, (_, n) => ({ role: 'user', content: text(i + n) })),
    )
  }
  const document = await memory({ store: place }).get('session/long')
  await store.open().put('session/long', document?.value ?? '', { expect: 'absent' })
  const keys = storeKeys(store.prefix)
  const records = (place.logs.get(LOG) ?? []).map((record) => new TextEncoder().encode(record))
  // Without the SDK, which takes longer for a request than the server does.
  const agent = new Agent({ keepAlive: true, maxSockets: AT_ONCE })
  const { hostname, port } = new URL(String(process.env['S3_TEST_ENDPOINT']))
  const put = (key: string, body: Uint8Array) =>
    new Promise<void>((resolve, reject) => {
      const path = `/${bucket}/${key}`
      const headers = { 'content-length': body.length }
      request({ hostname, port, method: 'PUT', path, headers, agent }, (answer) => {
        answer
          .resume()
          .once('end', () => (answer.statusCode === 200 ? resolve() : reject(new Error(`${answer.statusCode}`))))
      })
        .once('error', reject)
        .end(body)
    })
  let next = 0
  const write = async () => {
    for (let at = next++; at < records.length; at = next++) {
      const repeated = lastWithin(records.slice(Math.max(0, at - 63), at), wantedRepeats(at, at + 1))
      await put(
        keys.slot(LOG, at),
        encodeLogObject(at, at.toString(16).padStart(32, '0'), repeated, records.slice(at, at + 1)),
      )
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, write))
  agent.destroy()
}

/** A bucket of its own that anybody may use. */
async function openBucket(): Promise<Place & AsyncDisposable> {
  const { config } = await realPlace()
  const bucket = `budgets-${crypto.randomUUID()}`
  const owner = new S3Client(config)
  await owner.send(new CreateBucketCommand({ Bucket: bucket }))
  const Statement = [
    {
      Effect: 'Allow',
      Principal: '*',
      Action: ['s3:PutObject', 's3:GetObject', 's3:DeleteObject'],
      Resource: `arn:aws:s3:::${bucket}/*`,
    },
  ]
  const Policy = JSON.stringify({ Version: '2012-10-17', Statement })
  await owner.send(new PutBucketPolicyCommand({ Bucket: bucket, Policy }))
  return {
    bucket,
    config,
    async [Symbol.asyncDispose]() {
      await owner.send(new DeleteBucketCommand({ Bucket: bucket }))
      owner.destroy()
    },
  }
}

const idle = () => new Promise((resolve) => setImmediate(resolve))

describe.skipIf(noServer && !serverIsRequired)(`on ${serverName}`, () => {
  test.each(LENGTHS)(
    '%i appends: resume, append, one record, all of it',
    async (length) => {
      await using place = await openBucket()
      await using store = openStore(place)
      await generate(store, place.bucket, length)
      const open = () => {
        const counter = new RequestCounter()
        const client = store.newClient()
        // A server next door answers before a busy machine has sent what is asked for at the same time.
        client.middlewareStack.add(
          (next) => async (args) => {
            await pause(200)
            return next(args)
          },
          { step: 'initialize', name: 'latency' },
        )
        return { counter, adapter: store.open({ client, onRequest: counter.onRequest }) }
      }
      {
        const { counter, adapter } = open()
        const session = await openSessions(adapter).open(ID)
        const { messages } = await session.context({ maxBytes: 36 * 1024, compacted: false })
        await idle()
        expect(messages.at(-1)).toEqual({ role: 'user', content: text(length - 1) })
        const { requests, roundTrips } = counter.reset()
        // The tail is 64 KiB as stored; document and proof are two more GETs.
        expect(requests).toMatchObject({ ListObjectsV2: 2, PutObject: 0 })
        expect(requests.GetObject).toBeLessThanOrEqual(12)
        expect(roundTrips).toBeLessThanOrEqual(2)
        console.log(
          `${length}: resume ${JSON.stringify(requests)}, ${roundTrips} round trips, ${messages.length} messages`,
        )
        await session.append({ role: 'user', content: 'one more' })
        await idle()
        expect(counter.reset()).toMatchObject({
          requests: { PutObject: 1, GetObject: 0, ListObjectsV2: 0 },
          roundTrips: 1,
        })
        await Promise.all(Array.from({ length: 64 }, (_, i) => session.append({ role: 'user', content: text(i) })))
        await idle()
        expect(counter.reset().requests).toMatchObject({ GetObject: 0, ListObjectsV2: 0 })
        await adapter.close()
      }
      {
        const { counter, adapter } = open()
        for await (const _ of adapter.read(LOG, { from: Math.floor(length / 3), limit: 1 })) break
        await idle()
        expect(counter.usage).toMatchObject({ requests: { ListObjectsV2: 2, GetObject: 1 }, roundTrips: 2 })
      }
      {
        const { counter, adapter } = open()
        let records = 0
        for await (const batch of adapter.read(LOG, { readAhead: Infinity })) records += batch.records.length
        await idle()
        expect(records).toBe(length + 65)
        const { requests } = counter.usage
        expect(requests.ListObjectsV2).toBeLessThanOrEqual(Math.ceil(length / 1000) + 1)
        expect(requests.GetObject).toBeLessThanOrEqual(Math.ceil((length / 64) * 1.09))
        console.log(`${length}: all of it ${JSON.stringify(requests)}`)
      }
    },
    60_000 + Math.max(...LENGTHS) * 20,
  )

  test.each([200, 2000])(
    '%i messages of 1 kB are written with at most six times their bytes',
    async (count) => {
      await using store = openStore(await realPlace())
      const counter = new RequestCounter()
      const content = 'x'.repeat(1000)
      const session = await openSessions(store.open({ onRequest: counter.onRequest })).create(ID)
      await idle()
      counter.reset()
      for (let i = 0; i < count; i++) await session.append({ role: 'user', content })
      await idle()
      const { requests, bytesSent } = counter.usage
      expect(requests.PutObject).toBe(count)
      // The first append looks whether the new session is still there.
      expect(requests.GetObject).toBeLessThanOrEqual(1)
      expect(bytesSent / (count * content.length)).toBeLessThan(6)
      console.log(`${count} × 1 kB: ${(bytesSent / (count * content.length)).toFixed(2)} × the content`)
    },
    120_000,
  )

  test('the newest 20 of many sessions are one LIST and 20 GETs', async () => {
    await using store = openStore(await realPlace())
    const writer = openSessions(store.open())
    for (let i = 0; i < 60; i++) await writer.create(`session-${i}`)
    const counter = new RequestCounter()
    const reader = openSessions(store.open({ onRequest: counter.onRequest }))
    const listed: string[] = []
    for await (const { id } of reader.list()) if (listed.push(id) === 20) break
    await idle()
    const { requests } = counter.usage
    expect(requests.ListObjectsV2).toBe(1)
    // One more for the proof.
    expect(requests.GetObject).toBeLessThanOrEqual(21)
  }, 60_000)
})
