import { openSessions } from '@sessiontree/core'
import { nodeFs } from '@sessiontree/node-fs'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { generateTranscript } from '../src/generate-transcript.ts'
import { chooseKillPoint } from '../src/kill-point.ts'
import { judge } from '../src/kill-report.ts'
import { piFormat } from '../src/pi-format.ts'
import { record } from '../src/record.ts'
import { recordUntilKilled } from '../src/recording-process.ts'
import { resume } from '../src/resume.ts'
import type { Kill } from '../src/settings.ts'
import { leaveTornLine } from '../src/torn-line.ts'
import { parseTranscript } from '../src/transcript.ts'

const transcript = parseTranscript(generateTranscript())
const { signal } = new AbortController()
const silent = () => {}
// The children read the sources, as this test does.
const ENV = { ...process.env, NODE_OPTIONS: '--conditions=@sessiontree/source' }

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'node-agent-kill-'))
})
afterAll(() => rm(folder, { recursive: true }))

async function killed(dir: string, kill: Kill, seed: number) {
  const settings = { adapter: 'node-fs', dir, id: undefined, transcript: undefined, kill, seed } as const
  const killPoint = chooseKillPoint(transcript.entries, seed) ?? expect.fail()
  const options = { settings, env: ENV, signal, output: 'ignore' } as const
  const recording = await recordUntilKilled(options, killPoint, kill === 'write')
  return { killPoint, ...recording }
}

async function resumed(dir: string) {
  const adapter = nodeFs(dir, { create: false })
  const found = await resume({ id: transcript.id, place: { adapter }, print: silent, columns: 100, signal })
  await adapter.close()
  return found
}

test('killed while a tool runs, it leaves exactly what it acknowledged', async () => {
  const dir = join(folder, 'tool')
  const { code, acknowledged, killPoint } = await killed(dir, 'tool', 1)
  expect(code).toBeUndefined()
  expect(acknowledged.map(({ id }) => id)).toEqual(transcript.entries.slice(0, killPoint.after).map(({ id }) => id))
  const found = await resumed(dir)
  expect(found.recovered).toEqual(acknowledged)
  expect(found.unanswered).toEqual([acknowledged.at(-1)?.id])
})

test.each([1, 2, 3, 4])(
  'killed while it writes (seed %i), it leaves what it acknowledged and at most one more',
  async (seed) => {
    const dir = join(folder, `write-${seed}`)
    const { code, acknowledged, killPoint } = await killed(dir, 'write', seed)
    expect(code).toBeUndefined()
    expect(acknowledged.length - killPoint.after).toBeOneOf([0, 1])
    const found = await resumed(dir)
    const lines: string[] = []
    const cut = { transcript, killPoint, kill: 'write', acknowledged } as const
    expect(
      judge(cut, found, (line) => lines.push(line)),
      lines.join('\n'),
    ).toBe(true)
  },
)

describe('a line cut anywhere', () => {
  const fractions = [0, 0.1, 0.35, 0.6, 0.85, 0.9999]

  test('is left at the end of the file, never with its newline', async () => {
    const dir = join(folder, 'cut')
    const adapter = nodeFs(dir)
    await record({ transcript, place: { adapter }, id: 's', print: silent, signal })
    await adapter.close()
    const file = join(dir, 'log/session/s/0.jsonl')
    const before = await readFile(file)
    for (const fraction of fractions) {
      await writeFile(file, before)
      const { left, of } = await leaveTornLine(dir, 's', fraction)
      const after = await readFile(file)
      expect(after.subarray(0, before.length)).toEqual(before)
      expect(after.length).toBe(before.length + left)
      expect(after.at(-1)).not.toBe('\n'.charCodeAt(0))
      expect(left).toBeGreaterThan(0)
      expect(left).toBeLessThan(of)
    }
  })

  test.each(fractions)('loses nothing and is in nobody’s way: %f of it', async (fraction) => {
    const dir = join(folder, `torn-${fraction}`)
    const cut = { ...transcript, entries: transcript.entries.slice(0, 10) }
    const adapter = nodeFs(dir)
    await record({ transcript: cut, place: { adapter }, id: transcript.id, print: silent, signal })
    await adapter.close()
    await leaveTornLine(dir, transcript.id, fraction)
    const found = await resumed(dir)
    expect(found.recovered.map(({ id }) => id)).toEqual(cut.entries.map(({ id }) => id))
    expect(found.isSound).toBe(true)
    const again = nodeFs(dir, { create: false })
    const session = await openSessions(again, { format: piFormat }).open(transcript.id)
    expect((await session.leaf())?.id).toBe(found.added.at(-1))
    await again.close()
  })
})
