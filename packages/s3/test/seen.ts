import type { StorageAdapter } from '@sessiontree/core'
import type { S3Stub } from '@sessiontree/s3-stub'
import { expect } from 'vitest'
import { STUB_BUCKET, type Store } from './servers.ts'

/** The records of a log, as a handle reads them. */
export async function readLog(adapter: StorageAdapter, log: string, reverse = false): Promise<string[]> {
  const batches = await Array.fromAsync(adapter.read(log, { reverse }))
  return (reverse ? batches.toReversed() : batches).flatMap(({ records }) => records)
}

/** Reads the log in every way that there is, each with a new handle: all of it, its tail, a range in it. */
export async function expectLog(store: Store, log: string, records: readonly string[]): Promise<void> {
  expect(await readLog(store.open(), log)).toEqual(records)
  expect(await readLog(store.open(), log, true)).toEqual(records)
  for (let from = 0; from < 8; from++) {
    const [batch] = await Array.fromAsync(store.open().read(log, { from, limit: 1 }))
    expect(batch?.records[0]).toBe(records[from])
  }
}

/** The keys of a store's objects in the stub, without its prefix and without the proof that conditions count. */
export function keysOf(stub: S3Stub, store: Store): string[] {
  const { objects } = stub.bucket(STUB_BUCKET).list({ prefix: store.prefix, delimiter: '', after: '', limit: 1000 })
  return objects.map(([key]) => key.slice(store.prefix.length)).filter((key) => key !== 'sessiontree.json')
}
