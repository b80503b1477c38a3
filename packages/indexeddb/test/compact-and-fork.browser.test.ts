import { memory } from '@sessiontree/memory'
import { deleteDB } from 'idb'
import { expect, inject, onTestFinished, test } from 'vitest'
import { generateTranscript } from '../../../examples/node-agent/src/generate-transcript.ts'
import { compactedAndForked, DIGESTS_OF_GENERATED } from '../../../examples/node-agent/test/compacted-and-forked.ts'
import { indexedDb } from '../src/index.ts'

async function onIndexedDb(text: string) {
  const name = `transcript-${crypto.randomUUID()}`
  onTestFinished(() => deleteDB(name))
  const adapter = indexedDb(name)
  try {
    return await compactedAndForked(adapter, text)
  } finally {
    await adapter.close()
  }
}

test('a generated transcript has the digests that it has in Node, through compaction and fork', async () => {
  expect(await onIndexedDb(generateTranscript())).toEqual(DIGESTS_OF_GENERATED)
})

const real = Object.entries(inject('transcripts') ?? {})

test.skipIf(real.length === 0)(
  real.length > 0
    ? 'transcripts of real sessions have the digests of memory, through compaction and fork'
    : 'transcripts of real sessions: set SESSIONTREE_TRANSCRIPTS to their folder',
  { timeout: 300_000 },
  async () => {
    for (const [name, text] of real) {
      const found = await onIndexedDb(text)
      expect(found, name).toEqual(await compactedAndForked(memory(), text))
      expect(found, name).toMatchObject({ isWhole: true, ofFork: found.after })
    }
  },
)
