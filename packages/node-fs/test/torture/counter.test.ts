import { randomInt } from 'node:crypto'
import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import type { StorageAdapter } from '@sessiontree/core'
import { expect, test } from 'vitest'
import { nodeFs } from '../../src/node-fs.ts'
import { freshRoot } from '../observed-system.ts'
import type { Count, CounterWriterPlan } from './counter-writer.ts'
import { Child } from './processes.ts'
import { scaled } from './scale.ts'
import { readTestimony } from './testimony.ts'

const WRITER = new URL('counter-writer.ts', import.meta.url)
const KEY = 'counter'
const PROCESSES = 8
const INCREMENTS = 3_000
const KILLS = scaled(20, 100)
const CUTS = scaled(10, 100)
const STOPS = scaled(4, 40)
// The bound is 2 KiB; losers of a race leave lines that do not count behind it.
const LARGEST_FILE = 8 * 1024

/** A counter, and processes that increment it. */
function arena(durability: 'disk' | 'process') {
  const root = freshRoot()
  const folder = join(root, '..')
  let started = 0
  return {
    root,
    adapter: nodeFs(root),
    start(plan: Partial<CounterWriterPlan> = {}): Child {
      const name = `process-${started++}`
      const testimony = join(folder, `${name}.testimony`)
      return new Child(WRITER, {
        root,
        key: KEY,
        durability,
        name,
        testimony,
        increments: INCREMENTS,
        ...plan,
      })
    },
    statements() {
      const files = readdirSync(folder).filter((file) => file.endsWith('.testimony'))
      return files.flatMap((file) => readTestimony(join(folder, file)))
    },
  }
}

async function read(adapter: StorageAdapter): Promise<Count> {
  const found = await adapter.get(KEY)
  return found ? (JSON.parse(found.value) as Count) : { count: 0, by: '' }
}

/** Reads the counter again and again until it is stopped; throws as soon as it goes back. Returns how often it looked. */
async function watch(adapter: StorageAdapter, signal: AbortSignal): Promise<number> {
  let last = 0
  let looks = 0
  for (; !signal.aborted; looks++) {
    const { count } = await read(adapter)
    if (count < last) throw new Error(`a reader saw the counter go back from ${last} to ${count}`)
    last = count
    await pause(1)
  }
  return looks
}

for (const durability of ['process', 'disk'] as const) {
  const increments = durability === 'process' ? INCREMENTS : scaled(300, INCREMENTS)
  test(
    `${PROCESSES} processes × ${increments} increments of a document, with ${STOPS} SIGSTOPs and ${KILLS + CUTS} SIGKILLs: the sum is right (${durability})`,
    { timeout: 600_000 },
    async () => {
      const { root, adapter, start, statements } = arena(durability)
      const watching = new AbortController()
      const watched = watch(adapter, watching.signal)
      const steady = Array.from({ length: PROCESSES - 1 }, () => start({ increments }))
      const stopping = (async () => {
        for (let stop = 0; stop < STOPS; stop++) {
          await pause(randomInt(200))
          await steady[stop % steady.length]?.stopFor(randomInt(100, 500))
        }
      })()
      const cutting = (async () => {
        for (let cut = 0; cut < CUTS; cut++) {
          expect(await start({ cutsOneIn: 20 }).ended()).toMatchObject({ signal: 'SIGKILL', errors: '' })
        }
      })()
      for (let kill = 0; kill < KILLS; kill++) {
        const victim = start()
        await victim.up()
        await pause(randomInt(60))
        victim.kill()
        expect(await victim.ended()).toMatchObject({ signal: 'SIGKILL', errors: '' })
      }
      await cutting
      const last = start({ increments })
      await Promise.all([...steady, last].map((child) => child.done()))
      await stopping
      watching.abort()
      expect(await watched).toBeGreaterThan(100)

      const { count: final } = await read(nodeFs(root))
      const lines = statements()
      const acknowledged = lines.flatMap((line) => ('acknowledged' in line ? [line.at] : []))
      const attempted = lines.filter((line) => 'attempt' in line).length
      // Each put raised it by one, so that no two were told the same number and none is missing.
      expect(new Set(acknowledged).size).toBe(acknowledged.length)
      expect(Math.max(...acknowledged)).toBeLessThanOrEqual(final)
      expect(acknowledged.length).toBeGreaterThanOrEqual(PROCESSES * increments)
      expect(final).toBeGreaterThanOrEqual(acknowledged.length)
      expect(final).toBeLessThanOrEqual(attempted)
      expect(attempted - acknowledged.length).toBeLessThanOrEqual(KILLS + CUTS)
      // Rolled over again and again: one file, and what those left who were killed while they made the next one.
      expect(statSync(join(root, 'doc', `${KEY}.jsonl`)).size).toBeLessThan(LARGEST_FILE)
      expect(readdirSync(join(root, 'doc')).length).toBeLessThanOrEqual(1 + KILLS + CUTS)
    },
  )
}
