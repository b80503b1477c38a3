import type { S3ClientConfig } from '@aws-sdk/client-s3'
import { SessionError, type StorageAdapter } from '@sessiontree/core'
import type { MemoryStore } from '@sessiontree/memory'
import { existsSync } from 'node:fs'
import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Settings } from './settings.ts'

/** Requests by operation: how many, and the bytes of their bodies, sent or received. */
export type Requests = Map<string, { count: number; bytes: number }>

/** An adapter on the place that the settings name. */
export interface Place {
  readonly adapter: StorageAdapter
  /** How many bytes lie there, for a place that can tell. */
  readonly size?: () => Promise<number>
  /** The requests sent so far, by operation, for a place that is asked by requests. */
  readonly requests?: Requests
}

/** A place with what closes it. */
export interface OpenPlace extends Place {
  readonly close: () => Promise<void>
}

/**
 * Opens the place, and with `create` makes it where it is missing; the store of `memory` comes from the caller, because it lives no longer than
 * its process.
 */
export async function openPlace(
  settings: Settings,
  store: MemoryStore | undefined,
  create: boolean,
): Promise<OpenPlace> {
  // Each adapter is loaded when it is used: the S3 client alone takes longer to load than the rest of the demo to run.
  if (settings.adapter === 'memory') {
    const { memory } = await import('@sessiontree/memory')
    const adapter = memory(store ? { store } : {})
    return { adapter, close: () => adapter.close() }
  }
  if (settings.adapter === 'node-fs') {
    const { nodeFs } = await import('@sessiontree/node-fs')
    const adapter = nodeFs(settings.dir, { create })
    return { adapter, size: () => sizeOnDisk(settings.dir), close: () => adapter.close() }
  }
  if (settings.adapter === 'sqlite') {
    const { sqlite } = await import('@sessiontree/sqlite')
    const adapter = sqlite(databaseIn(settings.dir), { create })
    return { adapter, size: () => sizeOnDisk(settings.dir), close: () => adapter.close() }
  }
  return openBucket(settings.dir, create)
}

/** The database that the demo keeps in a folder. */
export function databaseIn(folder: string): string {
  return join(folder, 'sessions.db')
}

async function sizeOnDisk(folder: string): Promise<number> {
  let bytes = 0
  if (!existsSync(folder)) return 0
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (entry.isFile()) bytes += (await stat(join(entry.parentPath, entry.name))).size
  }
  return bytes
}

async function openBucket(dir: string, create: boolean): Promise<OpenPlace> {
  const [{ CreateBucketCommand, S3Client: Client }, { s3 }] = await Promise.all([
    import('@aws-sdk/client-s3'),
    import('@sessiontree/s3'),
  ])
  const bucket = process.env['S3_TEST_BUCKET'] ?? 'sessiontree-demo'
  const client = new Client(clientConfig())
  const requests: Requests = new Map()
  const adapter = s3({
    client,
    bucket,
    prefix: dir.endsWith('/') ? dir : `${dir}/`,
    onRequest({ operation, bytes }) {
      const before = requests.get(operation) ?? { count: 0, bytes: 0 }
      requests.set(operation, { count: before.count + 1, bytes: before.bytes + bytes })
    },
  })
  if (create) {
    await client.send(new CreateBucketCommand({ Bucket: bucket })).catch((error: Error) => {
      if (BUCKET_IS_THERE.has(error.name)) return
      throw new SessionError('UNAVAILABLE', `Bucket ${bucket} cannot be created.`, { cause: error })
    })
  }
  return { adapter, requests, close: () => adapter.close().finally(() => client.destroy()) }
}

function clientConfig(): S3ClientConfig {
  const {
    S3_TEST_ENDPOINT: endpoint,
    S3_TEST_REGION: region = 'us-east-1',
    S3_TEST_ACCESS_KEY_ID: accessKeyId,
    S3_TEST_SECRET_ACCESS_KEY: secretAccessKey = '',
    S3_TEST_FORCE_PATH_STYLE: pathStyle,
  } = process.env
  return {
    region,
    forcePathStyle: pathStyle === '1',
    ...(endpoint === undefined ? {} : { endpoint }),
    ...(accessKeyId === undefined ? {} : { credentials: { accessKeyId, secretAccessKey } }),
  }
}

const BUCKET_IS_THERE = new Set(['BucketAlreadyOwnedByYou', 'BucketAlreadyExists'])
