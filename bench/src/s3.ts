import { parseArgs } from 'node:util'
import { GetObjectCommand, ListObjectsV2Command, PutObjectCommand, S3Client } from '@aws-sdk/client-s3'
import { openSessions } from '@sessiontree/core'
import { RequestCounter, s3 } from '@sessiontree/s3'

// Appends next to one raw PUT, and resuming after a long history next to "list and get all parts", on the server that the S3_TEST_* variables name.

const { values } = parseArgs({
  options: { appends: { type: 'string', default: '300' }, history: { type: 'string', default: '3000' } },
})
const env = (name: string) => process.env[`S3_TEST_${name}`] ?? ''
const Bucket = process.env['S3_TEST_BUCKET'] ?? 'sessiontree-test'
const prefix = `bench-${crypto.randomUUID()}/`
const client = new S3Client({
  endpoint: env('ENDPOINT'),
  region: env('REGION') || 'us-east-1',
  forcePathStyle: env('FORCE_PATH_STYLE') === '1',
  credentials: { accessKeyId: env('ACCESS_KEY_ID'), secretAccessKey: env('SECRET_ACCESS_KEY') },
})

async function timed(work: () => Promise<unknown>): Promise<number> {
  const began = performance.now()
  await work()
  return performance.now() - began
}

function percentile(times: readonly number[], share: number): string {
  return `${times.toSorted((a, b) => a - b)[Math.floor(times.length * share)]?.toFixed(2)} ms`
}

const text = (i: number) => JSON.stringify({ i, text: 'x'.repeat(980) })
const appends = Number(values.appends)
const adapter = s3({ client, bucket: Bucket, prefix })
await adapter.append('log', 0, [text(0)])
const times = { raw: [] as number[], adapter: [] as number[] }
for (let i = 1; i <= appends; i++) {
  times.raw.push(
    await timed(() =>
      client.send(new PutObjectCommand({ Bucket, Key: `${prefix}raw/${i}`, Body: new TextEncoder().encode(text(i)) })),
    ),
  )
  times.adapter.push(await timed(() => adapter.append('log', i, [text(i)])))
}
const ratios = times.adapter.map((time, i) => time / (times.raw[i] ?? time))
console.log(`one raw PUT of 1 kB   p50 ${percentile(times.raw, 0.5)}  p99 ${percentile(times.raw, 0.99)}`)
console.log(`append of 1 kB        p50 ${percentile(times.adapter, 0.5)}  p99 ${percentile(times.adapter, 0.99)}`)
console.log(`append / raw PUT, pair by pair: median ${percentile(ratios, 0.5).replace(' ms', '')}`)

// A history of so many messages, each its own append, and the same messages as one object each.
const history = Number(values.history)
const writer = openSessions(s3({ client, bucket: Bucket, prefix }))
const session = await writer.create('long')
for (let i = 0; i < history; i++) await session.append({ role: 'user', content: `${i} ${'x'.repeat(560)}` })
let next = 0
await Promise.all(
  Array.from({ length: 16 }, async () => {
    for (let i = next++; i < history; i = next++) {
      const Key = `${prefix}parts/${String(i).padStart(8, '0')}`
      await client.send(new PutObjectCommand({ Bucket, Key, Body: new TextEncoder().encode(text(i)) }))
    }
  }),
)
const counter = new RequestCounter()
const resume = await timed(async () => {
  const sessions = openSessions(s3({ client, bucket: Bucket, prefix, onRequest: counter.onRequest }))
  await (await sessions.open('long')).context({ maxBytes: 36 * 1024, compacted: false })
})
let requests = 0
const all = await timed(async () => {
  const keys: string[] = []
  for (let after: string | undefined; ; after = keys.at(-1)) {
    const page = await client.send(new ListObjectsV2Command({ Bucket, Prefix: `${prefix}parts/`, StartAfter: after }))
    requests++
    keys.push(...(page.Contents ?? []).map(({ Key = '' }) => Key))
    if (!page.IsTruncated) break
  }
  let at = 0
  await Promise.all(
    Array.from({ length: 50 }, async () => {
      for (let i = at++; i < keys.length; i = at++) {
        const { Body } = await client.send(new GetObjectCommand({ Bucket, Key: keys[i] }))
        await Body?.transformToString()
        requests++
      }
    }),
  )
})
const { requests: counted, roundTrips } = counter.usage
console.log(
  `resume after ${history} appends: ${counted.ListObjectsV2} LIST + ${counted.GetObject} GET, ${roundTrips} round trips, ${resume.toFixed(0)} ms`,
)
console.log(`list and get all ${history} parts, 50 at once: ${requests} requests, ${all.toFixed(0)} ms`)
client.destroy()
