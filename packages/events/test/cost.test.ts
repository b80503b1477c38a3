import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { counting } from '@sessiontree/contract'
import type { StorageAdapter } from '@sessiontree/core'
import { openEvents } from '@sessiontree/events'
import { memory } from '@sessiontree/memory'
import { nodeFs } from '@sessiontree/node-fs'
import { expect, onTestFinished, test } from 'vitest'

const EVENTS = 100_000

/** Fills a session with events, straight in the stored format. */
async function filled(adapter: StorageAdapter): Promise<StorageAdapter> {
  await openEvents(adapter, 's')
  for (let at = 0; at < EVENTS; at += 1000) {
    const records = Array.from({ length: 1000 }, (_, i) => {
      const value = { id: `ev-${at + i}`, turnId: `t${at / 1000}`, type: 'message', agentName: 'coder' }
      return JSON.stringify({
        by: 'filler',
        value: { ...value, timestamp: '2026-11-28T00:00:00Z', content: 'x'.repeat(220) },
      })
    })
    await adapter.append('events/s/0/event', at, records)
  }
  return adapter
}

async function folder(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'sessiontree-events-'))
  onTestFinished(() => rm(path, { recursive: true, force: true }))
  return path
}

for (const [name, open] of [
  ['memory', async () => memory()],
  ['node-fs', async () => nodeFs(await folder(), { durability: 'process' })],
] as const) {
  test(`${name}: of ${EVENTS} events the last 256 are read without the rest, and the next page too`, async () => {
    await using inner = await filled(await open())
    const { adapter, counts, reset } = counting(inner)
    const events = await openEvents(adapter, 's')
    reset()
    const last = await events.query({ limit: 256 })
    expect([last.length, last[0]?.sequence, last.at(-1)?.sequence]).toEqual([256, EVENTS - 255, EVENTS])
    expect(counts.read.records).toBeLessThanOrEqual(257)
    expect([counts.read.calls, counts.get.calls]).toEqual([1, 1])
    reset()
    const page = await events.page({ after: last[0]?.cursor, limit: 100 })
    expect([page.events.length, page.hasMore]).toEqual([100, true])
    expect(counts.read.records).toBeLessThanOrEqual(103)
    reset()
    const turn = await events.query({ turnId: 't99', afterSequence: EVENTS - 300, limit: 5 })
    expect(turn.length).toBe(5)
    expect(counts.read.records).toBeLessThan(2000)
  })
}

test('a warm append is one append; opening is one look; a query is one look and one read', async () => {
  const { adapter, counts, reset } = counting(memory())
  const events = await openEvents(adapter, 's')
  await events.record({ turnId: 't', type: 'm', agentName: 'a', content: 1 })
  reset()
  await events.record({ turnId: 't', type: 'm', agentName: 'a', content: 2 })
  expect([counts.append.calls, counts.read.calls, counts.get.calls, counts.put.calls]).toEqual([1, 0, 0, 0])
  reset()
  const other = await openEvents(adapter, 's')
  expect([counts.get.calls, counts.read.calls, counts.put.calls]).toEqual([1, 0, 0])
  reset()
  await other.query({ limit: 1 })
  expect([counts.get.calls, counts.read.calls, counts.read.records]).toEqual([1, 1, 2])
})
