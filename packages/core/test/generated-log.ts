import { hash } from 'node:crypto'
import { canonicalJson, ROOT_DIGEST, type RecordContent } from '../src/index.ts'

/** The texts of a log's records, of which each is the child of the one before it, straight in the stored format; from index `from` on. */
export function* generatedLog(
  count: number,
  content: (at: number) => RecordContent,
  from = 0,
): Generator<string, void, void> {
  let digest = ROOT_DIGEST
  for (let at = from; at < count; at++) {
    const fields = content(at)
    const id = idAt(at)
    const parentId = at === 0 ? null : idAt(at - 1)
    const createdAt = new Date(1_700_000_000_000 + at).toISOString()
    const contentHash = hash('sha256', canonicalJson(fields))
    digest = hash('sha256', JSON.stringify([digest, id, null, createdAt, contentHash]))
    yield JSON.stringify({ id, parentId, createdAt, ...fields, hash: contentHash, digest })
  }
}

/** The id of the entry at an index of a {@link generatedLog}. */
export const idAt = (at: number): string => `entry-${at}`

/** The content of an entry that says who speaks at an index: the user, then the assistant. */
export function spoken(at: number, bytes = 100): RecordContent {
  const role = at % 2 === 0 ? 'user' : 'assistant'
  return { type: `${role}_message`, message: { role, content: `${at} `.padEnd(bytes, 'x') } }
}
