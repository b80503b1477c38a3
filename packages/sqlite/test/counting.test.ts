import { spawn } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { expect, onTestFinished, test } from 'vitest'
import { sqlite } from '../src/index.ts'
import { closing, freshFolder } from './fresh-folder.ts'
import { recordsOf } from './records-of.ts'

const SCRIPT = fileURLToPath(new URL('counting-writer.ts', import.meta.url))
const isFull = process.env['SESSIONTREE_TORTURE'] === 'full'
const COUNT = isFull ? 5_000 : 1_000
const KILLS = isFull ? 20 : 5

for (const durability of ['disk', 'process'] as const) {
  test(
    `2 processes × ${COUNT} appends to one log, one of them killed ${KILLS} times: each once, dense, in order (${durability})`,
    { timeout: 600_000 },
    async () => {
      const file = join(freshFolder(), 'sessions.db')
      const acknowledged: string[] = []
      const start = (name: string, pace = 0) => {
        const args = ['--conditions=@sessiontree/source', '--disable-warning=ExperimentalWarning', SCRIPT]
        const child = spawn(process.execPath, [...args, file, name, String(COUNT), durability, String(pace)], {
          stdio: ['ignore', 'pipe', 'inherit'],
        })
        onTestFinished(() => void child.kill('SIGKILL'))
        let said = ''
        let isUp: () => void
        const up = new Promise<void>((resolve) => (isUp = resolve))
        child.stdout.on('data', (text) => {
          said += String(text)
          isUp()
        })
        const ended = new Promise<unknown>((resolve) => {
          child.once('close', (code, signal) => {
            acknowledged.push(
              ...said
                .split('\n')
                .filter((line) => /^\d+$/.test(line))
                .map((line) => `"${name} ${line}"`),
            )
            resolve(signal ?? code)
          })
        })
        return { child, up, ended }
      }

      // Slow enough to be there as long as the others are killed.
      const steady = start('steady', 2)
      let kills = 0
      while (kills < KILLS) {
        const victim = start('victim')
        await victim.up
        await pause(randomInt(40))
        victim.child.kill('SIGKILL')
        expect(await victim.ended).toBe('SIGKILL')
        kills++
      }
      expect(await start('victim').ended).toBe(0)
      expect(await steady.ended).toBe(0)

      const found = await recordsOf(closing(sqlite(file)), 'count/log')
      expect(found).toHaveLength(2 * COUNT)
      for (const name of ['steady', 'victim']) {
        const own = found.filter((record) => record.startsWith(`"${name} `))
        expect(own).toEqual(Array.from({ length: COUNT }, (_, i) => `"${name} ${i}"`))
      }
      // No acknowledgement was for nothing, and none came twice.
      expect(new Set(acknowledged).size).toBe(acknowledged.length)
      expect(acknowledged.filter((record) => !found.includes(record))).toEqual([])
      // Whoever was killed had begun something.
      expect(acknowledged.length).toBeGreaterThanOrEqual(2 * COUNT - KILLS)
    },
  )
}
