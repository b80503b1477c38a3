import { S3Client } from '@aws-sdk/client-s3'
import type { StorageAdapter } from '@sessiontree/core'
import { memory } from '@sessiontree/memory'
import { nodeFs } from '@sessiontree/node-fs'
import { s3 } from '@sessiontree/s3'
import { sqlite } from '@sessiontree/sqlite'
import { startS3Stub } from '@sessiontree/s3-stub'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { generateTranscript } from '../src/generate-transcript.ts'
import { record } from '../src/record.ts'
import { parseTranscript } from '../src/transcript.ts'

const cleanUp: (() => unknown)[] = []
const adapters: StorageAdapter[] = []

beforeAll(async () => {
  const folder = await mkdtemp(join(tmpdir(), 'node-agent-test-'))
  cleanUp.push(() => rm(folder, { recursive: true }))
  const stub = await startS3Stub({ buckets: ['b'] })
  cleanUp.push(() => stub.close())
  const client = new S3Client({
    endpoint: stub.endpoint,
    region: 'us-east-1',
    forcePathStyle: true,
    credentials: { accessKeyId: 'stub', secretAccessKey: 'stub' },
  })
  cleanUp.push(() => client.destroy())
  adapters.push(
    memory(),
    nodeFs(folder),
    sqlite(join(folder, 'sqlite', 'sessions.db')),
    s3({ client, bucket: 'b', prefix: 'p/' }),
  )
})

afterAll(async () => {
  for (const adapter of adapters) await adapter.close()
  for (const step of cleanUp.toReversed()) await step()
})

test('the digest of the leaf is the same on every adapter', async () => {
  const transcript = parseTranscript(generateTranscript())
  const digests: Record<string, string | undefined> = {}
  for (const adapter of adapters) {
    const { name } = adapter
    const { leaf } = await record({
      transcript,
      place: { adapter },
      id: transcript.id,
      print: () => {},
      signal: new AbortController().signal,
    })
    digests[name] = leaf?.digest
  }
  expect(Object.keys(digests)).toEqual(['memory', 'node-fs', 'sqlite', 's3'])
  expect(digests['memory']).toMatch(/^[0-9a-f]{64}$/)
  expect(new Set(Object.values(digests)).size).toBe(1)
})
