import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { CreateBucketCommand, DeleteObjectsCommand, ListObjectsV2Command, S3Client } from '@aws-sdk/client-s3'
import { memory } from '@sessiontree/memory'
import { s3 } from '@sessiontree/s3'
import { expect, test } from 'vitest'
import { generateTranscript } from '../src/generate-transcript.ts'
import { compactedAndForked, DIGESTS_OF_GENERATED, type Digests } from './compacted-and-forked.ts'
import { everyAdapter } from './every-adapter.ts'

/** The folder of the transcripts of real sessions, where somebody has them. */
const REAL = process.env['SESSIONTREE_TRANSCRIPTS']

/** The S3 server that the S3_TEST_* variables name, where there is one. */
const SERVER = process.env['S3_TEST_ENDPOINT']

const GENERATED = 'a generated transcript'

const transcripts: readonly (readonly [name: string, text: () => string])[] = [
  [GENERATED, () => generateTranscript()],
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
      const digests: Record<string, Digests> = {}
      for (const adapter of every.adapters) digests[adapter.name] = await compactedAndForked(adapter, text())
      expect(Object.keys(digests)).toEqual(['memory', 'node-fs', 'sqlite', 's3'])
      const found = digests['memory'] as Digests
      for (const other of Object.values(digests)) expect(other).toEqual(found)
      if (name === GENERATED) expect(found).toEqual(DIGESTS_OF_GENERATED)
      expect(found).toMatchObject({ isWhole: true, ofFork: found.after, source: found.compaction })
      expect(found.sizes.after).toBeLessThan(found.sizes.before)
      expect(new Set([found.leaf, found.before, found.compaction, found.after, found.forked]).size).toBe(5)
    },
  )

  test.skipIf(!isThere || SERVER === undefined)(
    `${name} has the digests of memory on an S3 server, through compaction and fork`,
    { timeout: 600_000 },
    async () => {
      await using server = await onServer()
      expect(await compactedAndForked(server.adapter, text())).toEqual(await compactedAndForked(memory(), text()))
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
