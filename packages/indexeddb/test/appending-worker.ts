import { indexedDb } from '../src/index.ts'
import { BATCH, numbered } from './terminated.ts'

// The worker is named after its database. It appends whole batches and never ends; each one is told once it is acknowledged.
const adapter = indexedDb(self.name)
void (async () => {
  let length = 0
  for await (const { at, records } of adapter.read('log')) length = at + records.length
  for (; ; length += BATCH) {
    await adapter.append('log', length, numbered(length))
    postMessage(length + BATCH)
  }
})()
