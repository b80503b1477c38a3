import { S3Client } from '@aws-sdk/client-s3'
import type { StorageAdapter } from '@sessiontree/core'
import { memory } from '@sessiontree/memory'
import { nodeFs } from '@sessiontree/node-fs'
import { s3 } from '@sessiontree/s3'
import { startS3Stub } from '@sessiontree/s3-stub'
import { sqlite } from '@sessiontree/sqlite'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** Fresh stores, one of each kind that runs in this process. */
export interface EveryAdapter extends AsyncDisposable {
  readonly adapters: readonly StorageAdapter[]
}

export async function everyAdapter(): Promise<EveryAdapter> {
  const folder = await mkdtemp(join(tmpdir(), 'node-agent-test-'))
  const stub = await startS3Stub({ buckets: ['b'] })
  const client = new S3Client({
    endpoint: stub.endpoint,
    region: 'us-east-1',
    forcePathStyle: true,
    credentials: { accessKeyId: 'stub', secretAccessKey: 'stub' },
  })
  const adapters = [
    memory(),
    nodeFs(join(folder, 'node-fs'), { durability: 'process' }),
    sqlite(join(folder, 'sqlite', 'sessions.db')),
    s3({ client, bucket: 'b', prefix: 'p/' }),
  ]
  return {
    adapters,
    async [Symbol.asyncDispose]() {
      for (const adapter of adapters) await adapter.close()
      client.destroy()
      await stub.close()
      await rm(folder, { recursive: true })
    },
  }
}
