import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { openSessions } from '@sessiontree/core'
import { expect, test } from 'vitest'
import { nodeFs } from '../src/node-fs.ts'
import { freshRoot } from './observed-system.ts'

test('every id has a file of its own inside the root, or is refused', async () => {
  const root = freshRoot()
  const words = '. .. ... ../../up a/b a_b a-b a.b A a é con CON nul com1 ~ ~41 / // - %2e%2e ſ ß İ a.jsonl a.jsonl+ 🙂'
  const others = ['e\u0301', '\0', 'a\0b', 'a ', ' a', 'a  ', '\\', 'C:\\x', 'a\n', '__proto__']
  const ids = [...words.split(' '), ...others, ...[86, 87, 1024].map((length) => 'x'.repeat(length))]
  const sessions = openSessions(nodeFs(root, { durability: 'process' }))
  for (const id of ids) {
    const session = await sessions.create(id, { title: id })
    await session.append({ role: 'user', content: id })
  }
  for (const id of ['', 'x'.repeat(10_000), '\ud800']) await expect(sessions.create(id)).rejects.toThrow(TypeError)
  await sessions.close()
  const again = openSessions(nodeFs(root))
  for (const id of ids) {
    const entries = await Array.fromAsync((await again.open(id)).entries())
    expect(entries.map((entry) => 'message' in entry && entry.message)).toEqual([{ role: 'user', content: id }])
  }
  expect((await Array.fromAsync(again.list())).map(({ id }) => id).toSorted()).toEqual(ids.toSorted())
  expect(readdirSync(join(root, '..'))).toEqual(['store'])
  expect(readdirSync(root).toSorted()).toEqual(['doc', 'log', 'sessiontree.json'])
  const files = readdirSync(join(root, 'doc/session')).map((name) => name.toLowerCase().normalize('NFC'))
  expect(new Set(files).size).toBe(ids.length)
  for (const file of files) expect(file).toMatch(/^[a-z0-9_~-]+\.jsonl$/)
})

test('tail -f follows a log line by line', async () => {
  const root = freshRoot()
  const adapter = nodeFs(root)
  await adapter.append('a', 0, ['"first"'])
  const tail = spawn('tail', ['-n', '+1', '-f', join(root, 'log/a.jsonl')])
  const ended = once(tail, 'close')
  const seen: unknown[] = []
  try {
    for await (const line of createInterface({ input: tail.stdout })) {
      seen.push((JSON.parse(line) as { record: unknown }).record)
      if (seen.length === 3) break
      await adapter.append('a', seen.length, [JSON.stringify(`after ${seen.length}`)])
    }
  } finally {
    tail.kill()
    await ended
  }
  expect(seen).toEqual(['first', 'after 1', 'after 2'])
})

test('jq reads the records of a log', async ({ skip }) => {
  try {
    execFileSync('jq', ['--version'])
  } catch {
    skip('there is no jq')
  }
  const root = freshRoot()
  const adapter = nodeFs(root)
  await adapter.append('a', 0, ['{"n":1}', '{"n":2}'])
  await adapter.append('a', 2, ['"three"'])
  expect(execFileSync('jq', ['-c', '.record', join(root, 'log/a.jsonl')], { encoding: 'utf8' })).toBe(
    '{"n":1}\n{"n":2}\n"three"\n',
  )
  const session = await openSessions(adapter).create('s')
  await session.append({ role: 'user', content: 'x' })
  expect(execFileSync('jq', ['-r', '.record.type', join(root, 'log/session/s/0.jsonl')], { encoding: 'utf8' })).toBe(
    'user_message\n',
  )
})
