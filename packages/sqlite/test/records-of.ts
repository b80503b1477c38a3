import type { StorageAdapter } from '@sessiontree/core'

/** All records of a log. */
export async function recordsOf(adapter: StorageAdapter, log: string): Promise<readonly string[]> {
  return (await Array.fromAsync(adapter.read(log))).flatMap(({ records }) => records)
}
