import { hash } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { CreateBucketCommand, DeleteObjectsCommand, ListObjectsV2Command, S3Client } from '@aws-sdk/client-s3'
import { openSessions, type Clock, type Context, type Random, type StorageAdapter } from '@sessiontree/core'
import { memory } from '@sessiontree/memory'
import { s3 } from '@sessiontree/s3'
import { expect, test } from 'vitest'
import { generateTranscript } from '../src/generate-transcript.ts'
import { piFormat, type PiMessage } from '../src/pi-format.ts'
import { record } from '../src/record.ts'
import { parseTranscript } from '../src/transcript.ts'
import { everyAdapter } from './every-adapter.ts'

/** The folder of the transcripts of real sessions, where somebody has them. */
const REAL = process.env['SESSIONTREE_TRANSCRIPTS']

/** The S3 server that the S3_TEST_* variables name, where there is one. */
const SERVER = process.env['S3_TEST_ENDPOINT']

const digestOf = ({ messages }: Context<PiMessage>) => hash('sha256', JSON.stringify(messages))

/** Import, compaction, context, fork, context: what each of them left behind. */
async function pass(adapter: StorageAdapter, text: string): Promise<Record<string, unknown>> {
  const transcript = parseTranscript(text)
  const place = { adapter }
  const { leaf } = await record({ transcript, place, id: 's', print: () => {}, signal: new AbortController().signal })
  // Ids and times of what follows are the same everywhere.
  let drawn = 0
  const random: Random = { bytes: (length) => new Uint8Array(length).map(() => drawn++) }
  const clock: Clock = { now: () => 1_800_000_000_000, elapsed: () => 0, timer: () => () => undefined }
  const session = await openSessions(adapter, { format: piFormat, clock, random }).open('s')
  const before = await session.context()
  const compaction = await session.compact({
    summarise: (messages) => `${messages.length} messages`,
    settings: { tailTokens: 300, targetTokens: 30_000, summaryTokens: 100, userTokens: 100 },
  })
  const after = await session.context()
  const fork = await session.fork({ id: 'f' })
  const ofFork = await fork.context()
  await fork.append({ role: 'user', content: 'And now?', timestamp: 1 })
  expect(await session.verify()).toMatchObject({ ok: true })
  expect(await fork.verify()).toMatchObject({ ok: true })
  expect(digestOf(ofFork)).toBe(digestOf(after))
  expect(compaction).toBeDefined()
  expect(after.messages.length).toBeLessThan(before.messages.length)
  return {
    leaf: leaf?.digest,
    before: digestOf(before),
    compaction: compaction?.digest,
    after: digestOf(after),
    forked: (await fork.leaf())?.digest,
    source: (await session.leaf())?.digest,
  }
}

const transcripts: readonly (readonly [name: string, text: () => string])[] = [
  ['a generated transcript', () => generateTranscript()],
  ...['before-compaction.jsonl', 'large-session.jsonl'].map(
    (name) => [name, () => readFileSync(join(REAL ?? '', name), 'utf8')] as const,
  ),
]

for (const [name, text] of transcripts) {
  const isThere = !name.endsWith('.jsonl') || (REAL !== undefined && existsSync(join(REAL, name)))
  const title = `${name} has the same digests on every adapter, through compaction and fork`
  test.skipIf(!isThere)(
    isThere ? title : `${title}: set SESSIONTREE_TRANSCRIPTS to its folder`,
    { timeout: 300_000 },
    async () => {
      await using every = await everyAdapter()
      const digests: Record<string, unknown> = {}
      for (const adapter of every.adapters) digests[adapter.name] = await pass(adapter, text())
      expect(Object.keys(digests)).toEqual(['memory', 'node-fs', 'sqlite', 's3'])
      for (const found of Object.values(digests)) expect(found).toEqual(digests['memory'])
      for (const digest of Object.values(digests['memory'] as object)) expect(digest).toMatch(/^[0-9a-f]{64}$/)
    },
  )

  test.skipIf(!isThere || SERVER === undefined)(
    `${name} has the digests of memory on an S3 server, through compaction and fork`,
    { timeout: 600_000 },
    async () => {
      await using server = await onServer()
      expect(await pass(server.adapter, text())).toEqual(await pass(memory(), text()))
    },
  )
}

/** A part of the server's bucket of its own, emptied in the end. */
async function onServer() {
  const env = process.env
  const client = new S3Client({
    endpoint: SERVER ?? '',
    region: env['S3_TEST_REGION'] ?? 'us-east-1',
    forcePathStyle: env['S3_TEST_FORCE_PATH_STYLE'] === '1',
    credentials: {
      accessKeyId: env['S3_TEST_ACCESS_KEY_ID'] ?? '',
      secretAccessKey: env['S3_TEST_SECRET_ACCESS_KEY'] ?? '',
    },
  })
  const [Bucket, prefix] = [env['S3_TEST_BUCKET'] ?? 'sessiontree-test', `${crypto.randomUUID()}/`]
  await client.send(new CreateBucketCommand({ Bucket })).catch((error: Error) => {
    if (!error.name.startsWith('BucketAlready')) throw error
  })
  const adapter = s3({ client, bucket: Bucket, prefix })
  return {
    adapter,
    async [Symbol.asyncDispose]() {
      await adapter.close()
      for (;;) {
        const { Contents = [] } = await client.send(new ListObjectsV2Command({ Bucket, Prefix: prefix }))
        if (Contents.length === 0) break
        const Objects = Contents.map(({ Key }) => ({ Key }))
        await client.send(new DeleteObjectsCommand({ Bucket, Delete: { Objects, Quiet: true } }))
      }
      client.destroy()
    },
  }
}
