import { generatedLog, idAt, spoken } from './generated-log.ts'

/** How many messages a {@link compactedTail} shows, beside the checkpoint. */
const SHOWN = 50

/**
 * The records of a session of `size` entries, straight in the stored format: notes that nobody reads, then messages of 1 kB with a compaction among
 * them, so that a context shows the checkpoint and 50 messages.
 */
export function* compactedTail(size: number): Generator<string, void, void> {
  const firstKept = size - SHOWN - 1
  // As small as a record can be: what lies before the newest compaction is never decoded.
  for (let at = 0; at < firstKept - 10; at++) {
    yield `{"id":"${idAt(at)}","parentId":${at === 0 ? 'null' : `"${idAt(at - 1)}"`},"createdAt":"2026-11-21T00:00:00.000Z","type":"note","hash":"","digest":""}`
  }
  const compactionAt = size - 40
  const content = (at: number) =>
    at === compactionAt
      ? { type: 'compaction', summary: 'What was.', firstKeptEntryId: idAt(firstKept), generation: 1 }
      : spoken(at, 1_000)
  yield* generatedLog(size, content, Math.max(0, firstKept - 10))
}
