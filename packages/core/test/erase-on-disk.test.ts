import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { nodeFs } from '@sessiontree/node-fs'
import { afterAll, expect, test } from 'vitest'
import { openSessions } from '../src/index.ts'
import { seededClock, seededRandom } from './seeded.ts'

const root = mkdtempSync(join(tmpdir(), 'sessiontree-erase-'))
afterAll(() => rmSync(root, { recursive: true }))

const open = (seed: number, ...scope: string[]) =>
  openSessions(nodeFs(root, { durability: 'process' }), { scope, clock: seededClock(), random: seededRandom(seed) })
const files = () =>
  readdirSync(root, { recursive: true, encoding: 'utf8' })
    .filter((name) => statSync(join(root, name)).isFile())
    .toSorted()

test('on disk: a deleted session has no log, an erased scope leaves one file that says how often', async () => {
  await using sessions = open(1, 'acme')
  await using inner = open(2, 'acme', 'user')
  const session = await sessions.create('a', { title: 'Secret' })
  await session.append({ role: 'user', content: 'secret' })
  await sessions.create('b')
  await (await inner.create('c')).append({ role: 'user', content: 'secret' })

  await sessions.delete('a')
  expect(files().filter((name) => name.includes('acme.0/session/a'))).toEqual(['doc/acme.0/session/a.jsonl'])
  await expect(session.append({ role: 'user', content: 'late' })).rejects.toMatchObject({ code: 'DELETED' })
  expect(await sessions.sweep()).toMatchObject({ deletesFinished: 0, logsDropped: 0, failed: [], orphans: [] })

  expect(await sessions.erase()).toMatchObject({ incarnation: 1, complete: true, failed: [] })
  expect(files()).toEqual(['doc/scope/acme.jsonl', 'sessiontree.json'])
  expect(readFileSync(join(root, 'doc/scope/acme.jsonl'), 'utf8')).toContain('"record":{"format":1,"incarnation":1,')

  // An older handle writes into the void, which a sweep clears.
  await inner.create('late')
  expect(files().length).toBeGreaterThan(2)
  await sessions.sweep()
  expect(files()).toEqual(['doc/scope/acme.jsonl', 'sessiontree.json'])
})
