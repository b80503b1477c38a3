import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { checkHistory, parseHistory, recording, type HistoryEvent } from '@sessiontree/contract/history'
import { expect, test } from 'vitest'
import { nodeFs } from '../src/index.ts'

const script = fileURLToPath(new URL('model-process.ts', import.meta.url))
// The killed one would go on much longer.
const ROUNDS = ['1000000', '150', '150']
const KILL_AT_BYTES = 60_000

test(
  'the histories of several processes, one of them killed, are one history without a broken promise',
  { timeout: 120_000 },
  async () => {
    const folder = await mkdtemp(join(tmpdir(), 'sessiontree-history-'))
    const root = join(folder, 'store')
    const files = ROUNDS.map((_, i) => join(folder, `${i}.jsonl`))
    const exits = await Promise.all(
      files.map(async (file, i) => {
        const args = ['--conditions=@sessiontree/source', script, root, file, `process ${i}`, ROUNDS[i] ?? '']
        const child = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'inherit'] })
        const exited = new Promise((resolve) => child.once('exit', (code, signal) => resolve(signal ?? code)))
        if (i === 0) {
          while (!existsSync(file) || (await stat(file)).size < KILL_AT_BYTES) await setTimeout(5)
          child.kill('SIGKILL')
        }
        return exited
      }),
    )
    expect(exits).toEqual(['SIGKILL', 0, 0])

    const events: HistoryEvent[] = (await Promise.all(files.map((file) => readFile(file, 'utf8')))).flatMap(
      parseHistory,
    )
    const last = recording(nodeFs(root), {
      actor: 'last',
      time: () => Number(process.hrtime.bigint()),
      write: (event) => events.push(event),
    })
    await Array.fromAsync(last.read('race/log'))
    await last.get('race/document')
    await last.close()
    expect(checkHistory(events)).toEqual([])

    const count = (wanted: (event: HistoryEvent) => boolean) => events.filter(wanted).length
    const started = count((event) => 'started' in event)
    expect(started - count((event) => 'ended' in event)).toBeLessThanOrEqual(1)
    expect(count((event) => 'ended' in event && event.ended.code === 'CONFLICT')).toBeGreaterThan(0)
    // The checker is awake: without its last record the same history is broken.
    const shortened = JSON.parse(JSON.stringify(events)) as HistoryEvent[]
    const final = shortened.findLast((event) => 'ended' in event && event.ended.batches !== undefined)
    const batch = final && 'ended' in final ? final.ended.batches?.at(-1) : undefined
    expect((batch?.records as string[] | undefined)?.pop()).toMatch(/too"$/)
    expect(checkHistory(shortened).map(({ rule }) => rule)).toContain('append.torn')
    await rm(folder, { recursive: true })
  },
)
