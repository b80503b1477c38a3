import { randomInt } from 'node:crypto'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import type { StorageAdapter } from '@sessiontree/core'
import { expect, test } from 'vitest'
import { nodeFs } from '../../src/node-fs.ts'
import { freshRoot, readAll } from '../observed-system.ts'
import type { LogWriterPlan } from './log-writer.ts'
import { Child } from './processes.ts'
import { checkHistory } from './records.ts'
import { scaled } from './scale.ts'
import { readTestimony } from './testimony.ts'

const WRITER = new URL('log-writer.ts', import.meta.url)
const LOG = 'race/log'
const APPENDS = 5_000
const KILLS = 50
const CUTS = scaled(15, 100)
const STOPS = scaled(1, 10)
const STOP = 5_000

/** A store, and processes that append to its log. */
function arena(durability: 'disk' | 'process') {
  const root = freshRoot()
  const folder = join(root, '..')
  let started = 0
  return {
    adapter: nodeFs(root),
    start(plan: Partial<LogWriterPlan>): Child {
      const name = `writer-${started++}`
      const testimony = join(folder, `${name}.testimony`)
      return new Child(WRITER, { root, log: LOG, durability, name, testimony, appends: APPENDS, ...plan })
    },
    statements() {
      const files = readdirSync(folder).filter((file) => file.endsWith('.testimony'))
      return files.flatMap((file) => readTestimony(join(folder, file)))
    },
  }
}

/** Looks at the tail again and again until it is stopped; returns what it saw, by index. No log ever shrinks, no record changes. */
async function watch(adapter: StorageAdapter, signal: AbortSignal): Promise<ReadonlyMap<number, string>> {
  const seen: Map<number, string> = new Map()
  let length = 0
  while (!signal.aborted) {
    let end: number | undefined
    for await (const { at, records } of adapter.read(LOG, { reverse: true, limit: 30 })) {
      // The first batch is the newest.
      end ??= at + records.length
      for (const [i, text] of records.entries()) {
        if ((seen.get(at + i) ?? text) !== text) throw new Error(`a reader saw record ${at + i} change`)
        seen.set(at + i, text)
      }
    }
    if ((end ?? 0) < length) throw new Error(`a reader saw the log shrink from ${length} to ${end}`)
    length = end ?? 0
    await pause(10)
  }
  return seen
}

for (const durability of ['process', 'disk'] as const) {
  test(
    `4 processes × ${APPENDS} appends to one log: dense, each exactly once (${durability})`,
    { timeout: 300_000 },
    async () => {
      const { adapter, start, statements } = arena(durability)
      const children = Array.from({ length: 4 }, () => start({}))
      await Promise.all(children.map((child) => child.done()))
      const recovered = await readAll(adapter, LOG)
      const all = 4 * APPENDS
      expect(checkHistory(recovered, statements())).toEqual({ attempted: all, acknowledged: all, recovered: all })
      expect(recovered).toHaveLength(all)
    },
  )

  test(
    `the same, with one process killed ${KILLS} times, one stopped ${STOPS} × 5 s, one that cuts its writes (${durability})`,
    { timeout: 600_000 },
    async () => {
      const { adapter, start, statements } = arena(durability)
      const watching = new AbortController()
      const watched = watch(adapter, watching.signal)
      const steady = Array.from({ length: 2 }, () =>
        start({ staysUntilReleased: true, longestPause: 1, largestBatch: 4 }),
      )
      await Promise.all(steady.map((child) => child.up()))

      const killing = (async () => {
        for (let kill = 0; kill < KILLS; kill++) {
          const victim = start({ staysUntilReleased: true, largestBatch: 4 })
          await victim.up()
          await pause(randomInt(40))
          victim.kill()
          expect(await victim.ended()).toMatchObject({ signal: 'SIGKILL', errors: '' })
        }
      })()
      const cutting = (async () => {
        for (let cut = 0; cut < CUTS; cut++) {
          const cutter = start({ staysUntilReleased: true, largestBatch: 4, cutsOneIn: 20, longestPause: 5 })
          expect(await cutter.ended()).toMatchObject({ signal: 'SIGKILL', errors: '' })
        }
      })()
      const stopping = (async () => {
        for (let stop = 0; stop < STOPS; stop++) {
          await steady[0]?.stopFor(STOP)
          await pause(randomInt(500))
        }
      })()
      await Promise.all([killing, cutting, stopping])
      for (const child of steady) child.release()
      await Promise.all(steady.map((child) => child.done()))
      watching.abort()
      const seen = await watched

      const recovered = await readAll(adapter, LOG)
      const { attempted, acknowledged, recovered: batches } = checkHistory(recovered, statements())
      expect(acknowledged).toBeGreaterThanOrEqual(2 * APPENDS)
      // Each process has at most one append under way when it dies.
      expect(attempted - acknowledged).toBeLessThanOrEqual(KILLS + CUTS)
      expect(batches).toBeGreaterThanOrEqual(acknowledged)
      expect(seen.size).toBeGreaterThan(1000)
      for (const [at, text] of seen) expect(recovered[at], `record ${at}, as a reader saw it`).toBe(text)
      await adapter.append(LOG, recovered.length, ['"and it goes on"'])
    },
  )
}
