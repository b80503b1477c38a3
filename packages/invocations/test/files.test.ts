import { createReadStream } from 'node:fs'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openInvocations } from '@sessiontree/invocations'
import { nodeFs } from '@sessiontree/node-fs'
import { expect, onTestFinished, test } from 'vitest'

async function folder(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'sessiontree-invocations-'))
  onTestFinished(() => rm(path, { recursive: true, force: true }))
  return path
}

test('invocations:20: on disk a log is JSONL: one object a line, a line feed behind each, the record in it', async () => {
  const root = await folder()
  await using adapter = nodeFs(root, { durability: 'process' })
  const log = openInvocations(adapter)
  const stored = []
  for (const message of ['one', 'two\nlines', '😀']) stored.push(await log.append('s', { skill: 'tdd', message }))
  const text = await readFile(join(root, 'log', 'invocations', 's', '0', 'entry.jsonl'), 'utf8')
  expect(text.endsWith('\n')).toBe(true)
  const lines = text.slice(0, -1).split('\n')
  expect(lines.map((line) => (JSON.parse(line) as { record: { value: unknown } }).record.value)).toEqual(stored)
})

test('invocations:6, invocations:7: a file of the earlier system is read as a stream: 10 MB lines, a zero time, a torn tail', async () => {
  const root = await folder()
  const file = join(root, 'old.jsonl')
  const long = 'x'.repeat(10_000_000)
  const records = [
    { session_id: 'old', timestamp: '0001-01-01T00:00:00Z', skill: 'tdd', final_status: 'ok', input: { a: '<b>' } },
    {
      session_id: 'old',
      timestamp: '2026-04-18T10:00:00.5+02:00',
      skill: 'tdd',
      final_status: 'error',
      attempts: [{ attempt: 1, model: 'm', runner_output: long, verified: false }],
    },
    { session_id: 'old', timestamp: '2026-04-18T11:00:00Z', skill: 'spec', final_status: 'skipped' },
  ]
  const lines = records.map((record) => `${JSON.stringify(record).replaceAll('<b>', '\\u003cb\\u003e')}\n`)
  await writeFile(file, `${lines.join('\r\n')}{"session_id":"old","skill":"to`)
  await using adapter = nodeFs(join(root, 'store'), { durability: 'process' })
  const log = openInvocations(adapter)
  const report = await log.importJsonl(createReadStream(file, 'utf8'))
  expect([report.imported, report.damage.map(({ line }) => line)]).toEqual([3, [6]])
  expect(await Array.fromAsync(log.read('old'))).toEqual(records)
  expect(await log.passRate({ since: '2026-04-01T00:00:00Z' })).toEqual({ pass: 0, fail: 1, skip: 1, pass_rate: 0 })
  await log.append('old', { skill: 'next' })
  expect((await log.readAll('old')).invocations.length).toBe(4)
})
