import { expect, test } from 'vitest'
import { collect, rig } from './rig.ts'
import { BATCH, numbered } from './terminated.ts'

test('a worker that is terminated in the middle of an append leaves whole batches, every acknowledged one among them', async () => {
  const { name, open } = rig()
  const adapter = open()
  for (let round = 0; round < 4; round++) {
    const worker = new Worker(new URL('./appending-worker.ts', import.meta.url), { type: 'module', name })
    let acknowledged = 0
    await new Promise<void>((resolve, reject) => {
      worker.addEventListener('error', ({ message }) => reject(new Error(message)))
      worker.addEventListener('message', ({ data }) => {
        acknowledged = data as number
        resolve()
      })
    })
    // The next append is under way, at another point of it each time.
    await new Promise((resolve) => setTimeout(resolve, 4 * round))
    worker.terminate()
    const records = (await collect(adapter.read('log'))).flatMap((batch) => batch.records)
    expect(records.length % BATCH).toBe(0)
    expect(records.length).toBeGreaterThanOrEqual(acknowledged)
    expect(records.map((text) => (JSON.parse(text) as { at: number }).at)).toEqual([...records.keys()])
    await adapter.append('log', records.length, numbered(records.length))
  }
})
