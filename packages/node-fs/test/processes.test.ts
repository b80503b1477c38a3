import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { nodeFs } from '../src/node-fs.ts'
import { freshRoot, readAll } from './observed-system.ts'

const run = promisify(execFile)
const writer = fileURLToPath(new URL('writer.ts', import.meta.url))
const PROCESSES = 4
const APPENDS = 200

for (const durability of ['disk', 'process'] as const) {
  test(
    `${PROCESSES} processes append ${APPENDS} records each to one log: dense, each once (${durability})`,
    { timeout: 120_000 },
    async () => {
      const root = freshRoot()
      const args = (name: string) => [
        '--conditions=@sessiontree/source',
        writer,
        root,
        durability,
        name,
        String(APPENDS),
      ]
      const names = Array.from({ length: PROCESSES }, (_, i) => `process ${i}`)
      const outputs = await Promise.all(names.map((name) => run(process.execPath, args(name))))
      const expected: string[] = []
      for (const [i, { stdout }] of outputs.entries()) {
        for (const [own, at] of (JSON.parse(stdout) as number[]).entries()) {
          expect(expected[at], `index ${at} was acknowledged twice`).toBeUndefined()
          expected[at] = JSON.stringify({ name: names[i], i: own })
        }
      }
      expect(expected).toHaveLength(PROCESSES * APPENDS)
      expect(await readAll(nodeFs(root), 'race/log')).toEqual(expected)
    },
  )
}
