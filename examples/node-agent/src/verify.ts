import { contentHash, decodeRecord, recordDigest, ROOT_DIGEST, type StorageAdapter } from '@sessiontree/core'

/** What {@link verifyLog} found. */
export interface Verification {
  readonly records: number
  /** The recomputed digest of every entry, by id. */
  readonly digests: ReadonlyMap<string, string>
  /** One line for each record whose hash or digest is not what its content and its parent give. */
  readonly problems: readonly string[]
}

/** Reads a session's log as it is stored and recomputes every hash and the chain of digests from the contents alone. */
export async function verifyLog(adapter: StorageAdapter, log: string, signal?: AbortSignal): Promise<Verification> {
  const digests = new Map<string, string>()
  const problems: string[] = []
  let records = 0
  for await (const batch of adapter.read(log, { signal })) {
    for (const [i, text] of batch.records.entries()) {
      const at = batch.at + i
      records++
      const { id, parentId, turnId, createdAt, hash, digest, content } = decodeRecord(text, [0, at], log)
      const computed = contentHash(content)
      if (computed !== hash) problems.push(`record ${at}: the hash is not that of its content`)
      const parentDigest = parentId === null ? ROOT_DIGEST : digests.get(parentId)
      if (parentDigest === undefined) {
        problems.push(`record ${at}: its parent does not stand before it`)
        continue
      }
      const chained = recordDigest({ parentDigest, id, turnId, createdAt, hash: computed })
      if (chained !== digest) problems.push(`record ${at}: the digest is not that of its path`)
      // Of several records with one id the first is the entry.
      if (!digests.has(id)) digests.set(id, chained)
    }
  }
  return { records, digests, problems }
}
