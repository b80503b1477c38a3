import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { sqlite } from '../src/index.ts'
import { closing, freshFolder } from './fresh-folder.ts'
import { recordsOf } from './records-of.ts'

const WRITER = fileURLToPath(new URL('outcome-writer.ts', import.meta.url))
const COUNT = 12

const trial = process.platform === 'linux' ? spawnSync('strace', ['-f', '-o', '/dev/null', 'true']) : undefined
const isThere = trial?.status === 0
const isRequired = (process.env['SESSIONTREE_REQUIRE'] ?? '').split(',').includes('strace')

test.runIf(isRequired)('strace is there, as SESSIONTREE_REQUIRE demands', () => {
  expect(isThere).toBe(true)
})

interface Outcome {
  readonly at: number
  readonly code: string
}

/** Runs the writer under strace. Its outcomes, in order, and the calls that were traced. */
function run(folder: string, durability: 'disk' | 'process', trace: string, inject?: string) {
  const output = join(folder, 'trace')
  const args = ['-f', '-q', '-y', '-s', '0', '-o', output, '-e', `trace=${trace}`]
  if (inject !== undefined) args.push('-e', `inject=${inject}`)
  const file = join(folder, 'sessions.db')
  for (const companion of ['', '-wal']) args.push('-P', file + companion)
  const node = [process.execPath, '--conditions=@sessiontree/source', '--disable-warning=ExperimentalWarning']
  const { stdout, stderr } = spawnSync('strace', [...args, ...node, WRITER, file, durability, String(COUNT)], {
    encoding: 'utf8',
  })
  expect(stderr).toBe('')
  const outcomes = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Outcome)
  return { file, outcomes, calls: readFileSync(output, 'utf8').split('\n') }
}

describe.skipIf(!isThere)('system calls', () => {
  test('FULL flushes the log once for each append before it resolves, NORMAL never', { timeout: 60_000 }, () => {
    const flushes = (durability: 'disk' | 'process') => {
      const { outcomes, calls } = run(freshFolder(), durability, 'fdatasync,fsync,pwrite64')
      expect(outcomes.map(({ code }) => code)).toEqual(Array.from({ length: COUNT }, () => 'ok'))
      const onLog = calls.filter((call) => call.includes('sessions.db-wal'))
      // From the first write of a record to the last: opening and closing flush as well.
      const last = onLog.findLastIndex((call) => call.includes('pwrite64'))
      return onLog.slice(0, last + 2).filter((call) => /f(data)?sync\(/.test(call)).length
    }
    expect(flushes('disk')).toBeGreaterThanOrEqual(COUNT)
    expect(flushes('process')).toBeLessThan(COUNT / 2)
  })

  // The calls of opening come first; which number hits an append differs, so a few are tried.
  test.each([8, 10, 12])(
    'a flush that fails (call %d) is UNCERTAIN, and so is all that follows on that handle',
    { timeout: 60_000 },
    async (n) => {
      const { file, outcomes } = run(freshFolder(), 'disk', 'fdatasync,fsync', `fdatasync,fsync:error=EIO:when=${n}`)
      const first = outcomes.findIndex(({ code }) => code === 'UNCERTAIN')
      expect(first).toBeGreaterThanOrEqual(0)
      expect(outcomes.slice(first).every(({ code }) => code === 'UNCERTAIN')).toBe(true)
      const acknowledged = outcomes.filter(({ code }) => code === 'ok').map(({ at }) => `"${at}"`)
      const adapter = closing(sqlite(file))
      const found = await recordsOf(adapter, 'a/log')
      expect(found.slice(0, acknowledged.length)).toEqual(acknowledged)
      await adapter.append('a/log', found.length, ['"and it goes on"'])
    },
  )

  test.each(['ENOSPC', 'EIO'])(
    'a write to the log that fails with %s loses nothing that was acknowledged, and the handle goes on',
    { timeout: 60_000 },
    async (errno) => {
      const { file, outcomes } = run(freshFolder(), 'disk', 'pwrite64', `pwrite64:error=${errno}:when=30`)
      const failed = outcomes.filter(({ code }) => code !== 'ok')
      expect(failed.map(({ code }) => code)).toEqual([errno === 'ENOSPC' ? 'QUOTA' : 'UNCERTAIN'])
      expect(outcomes.at(-1)?.code).toBe('ok')
      const found = await recordsOf(closing(sqlite(file)), 'a/log')
      const acknowledged = outcomes.filter(({ code }) => code === 'ok').map(({ at }) => `"${at}"`)
      expect(found.filter((record) => acknowledged.includes(record))).toEqual(acknowledged)
    },
  )
})
