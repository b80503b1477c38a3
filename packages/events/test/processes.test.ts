import { spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { openEvents } from '@sessiontree/events'
import { expect, onTestFinished, test } from 'vitest'
import { openPlace, PLACES } from './place.ts'

const IS_FULL = process.env['SESSIONTREE_TORTURE'] === 'full'
const [EVENTS, KILLS] = IS_FULL ? [5000, 20] : [500, 4]
const WRITER = fileURLToPath(new URL('./writer.ts', import.meta.url))

/** Runs a writer; resolves with its exit code when it has ended. What it acknowledges is noted, and told. */
function write(
  where: readonly string[],
  name: string,
  first: number,
  told: Map<string, number>,
  onLine?: (child: { kill(): void }) => void,
) {
  return new Promise<number | null>((resolve, reject) => {
    const args = ['--conditions=@sessiontree/source', WRITER, ...where, name, String(first), String(EVENTS)]
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
    let text = ''
    child.stdout.on('data', (chunk: Buffer) => {
      text += chunk.toString()
      const lines = text.split('\n')
      text = lines.pop() ?? ''
      for (const line of lines) {
        const [id = '', sequence] = line.split(' ')
        told.set(id, Number(sequence))
        onLine?.({ kill: () => void child.kill('SIGKILL') })
      }
    })
    child.on('error', reject)
    child.on('close', resolve)
  })
}

test.each(PLACES)(
  `events:4, events:31: over %s 2 processes × ${EVENTS} events are exactly 1…${EVENTS * 2}, while one is killed and restarted ${KILLS} times`,
  { timeout: 600_000 },
  async (place) => {
    const folder = await mkdtemp(join(tmpdir(), 'sessiontree-events-'))
    onTestFinished(() => rm(folder, { recursive: true, force: true }))
    const where = [place, folder]
    const told = new Map<string, number>()
    const steady = write(where, 'steady', 0, told)
    let kills = 0
    let acknowledged = 0
    const restless = (async () => {
      for (;;) {
        const until = kills < KILLS ? ((kills + 1) * EVENTS) / (KILLS + 2) : Infinity
        let isDying = false
        const code = await write(where, 'restless', acknowledged, told, (child) => {
          if (++acknowledged < until || isDying) return
          isDying = true
          // Somewhere in the middle of what it does next.
          setTimeout(() => child.kill(), Math.random() * 3)
        })
        if (code === 0) return
        kills++
        // Lines may have been lost with the process: it repeats them under their ids.
        acknowledged = Math.max(0, acknowledged - 7)
      }
    })()
    expect(await steady).toBe(0)
    await restless
    await using adapter = openPlace(place, folder)
    const stored = await (await openEvents(adapter, 's')).query()
    expect(stored.map(({ sequence }) => sequence)).toEqual(Array.from({ length: EVENTS * 2 }, (_, i) => i + 1))
    expect(new Set(stored.map(({ id }) => id)).size).toBe(EVENTS * 2)
    for (const [id, sequence] of told) expect(stored[sequence - 1]?.id).toBe(id)
    expect(kills).toBe(KILLS)
  },
)
