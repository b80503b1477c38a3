import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { openSessions } from '@sessiontree/core'
import { expect, test } from 'vitest'
import { nodeFs, openNodeFs } from '../src/node-fs.ts'
import { intrude } from './intruder.ts'
import { freshRoot, impatientClock, ObservedSystem } from './observed-system.ts'

function setUp() {
  const root = freshRoot()
  const observed = new ObservedSystem()
  const adapter = openNodeFs(root, { clock: impatientClock().clock }, observed.system)
  const folder = join(root, 'doc')
  return { root, observed, adapter, other: nodeFs(root), folder, path: join(folder, 'a.jsonl') }
}

/** Everything that lies below a folder, names aside. */
function bytesBelow(folder: string): string {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
  return entries.map(({ parentPath, name }) => readFileSync(join(parentPath, name), 'latin1')).join('')
}

test('a put that forgets leaves its value alone on the disk, in a file of its own', async () => {
  const { adapter, other, path, folder, observed, root } = setUp()
  let version = await adapter.put('a', '"secret 1"', { expect: 'absent' })
  version = await other.put('a', '"secret 2"', { expect: version })
  const before = statSync(path).ino
  observed.reset()
  const next = await adapter.put('a', '"tombstone"', { expect: version, forget: true })
  // The new file and its name, the seal, and the name that took the place of the old one.
  expect(observed.counts).toMatchObject({ write: 2, rename: 1, flush: 2 })
  expect(readdirSync(folder)).toEqual(['a.jsonl'])
  expect(statSync(path).ino).not.toBe(before)
  expect(bytesBelow(root)).not.toContain('secret')
  expect(await other.get('a')).toEqual({ value: '"tombstone"', version: next })
  expect(next).toMatch(/^2-/)
  await expect(other.put('a', '"late"', { expect: version })).rejects.toMatchObject({ code: 'CONFLICT' })
  expect(await other.put('a', '"after"', { expect: next })).toMatch(/^3-/)
})

test('the name of the new file survives the machine before the put resolves', async () => {
  const { adapter, observed, folder } = setUp()
  const version = await adapter.put('a', '"secret"', { expect: 'absent' })
  const order: string[] = []
  observed.before('rename', () => void order.push('rename'))
  for (let i = 0; i < 3; i++) observed.before('flushFolder', (path) => void order.push(`flush ${path}`))
  await adapter.put('a', '1', { expect: version, forget: true })
  expect(order).toEqual([`flush ${folder}`, 'rename', `flush ${folder}`])
})

test('takes away what killed writers were about to put in its place, and not what may come after it', async () => {
  const { adapter, folder, path } = setUp()
  const first = await adapter.put('a', '0', { expect: 'absent' })
  const version = await adapter.put('a', '1', { expect: first })
  for (const at of [0, 1, 2, 3]) intrude(`${path}+${at}+left`, at, 'record', `"secret ${at}"`)
  writeFileSync(`${path}+mine`, 'x')
  await adapter.put('a', '2', { expect: version, forget: true })
  expect(readdirSync(folder).toSorted()).toEqual(['a.jsonl', 'a.jsonl+3+left', 'a.jsonl+mine'])
})

test('with a stale version conflicts, and changes nothing', async () => {
  const { adapter, folder, path } = setUp()
  const first = await adapter.put('a', '"kept 1"', { expect: 'absent' })
  await adapter.put('a', '"kept 2"', { expect: first })
  const before = readFileSync(path)
  for (const expected of [first, 'absent']) {
    await expect(adapter.put('a', '3', { expect: expected, forget: true })).rejects.toMatchObject({ code: 'CONFLICT' })
  }
  expect(readFileSync(path)).toEqual(before)
  expect(readdirSync(folder)).toEqual(['a.jsonl'])
})

test('a document that was removed, or torn, and is created again holds nothing of before', async () => {
  for (const before of ['removed', 'torn', 'nothing']) {
    const { adapter, root, path } = setUp()
    if (before === 'removed') {
      await adapter.put('a', '"secret"', { expect: 'absent' })
      await adapter.remove('a')
    }
    if (before === 'torn') {
      await adapter.put('b', '1', { expect: 'absent' })
      writeFileSync(path, '{"at":0,"pos":0,"more":0,"by":"x","record":"secret')
    }
    const version = await adapter.put('a', '"new"', { expect: 'absent', forget: true })
    expect(bytesBelow(root)).not.toContain('secret')
    expect(await adapter.get('a')).toEqual({ value: '"new"', version })
  }
})

test('one that cannot take the old file away says so, and whoever comes next does it', async () => {
  const { adapter, observed, other, root } = setUp()
  const version = await adapter.put('a', '"secret"', { expect: 'absent' })
  observed.fail('rename', 'EIO')
  observed.fail('rename', 'EIO')
  await expect(adapter.put('a', '"new"', { expect: version, forget: true })).rejects.toMatchObject({
    code: 'UNCERTAIN',
  })
  expect((await other.get('a'))?.value).toBe('"new"')
  expect(bytesBelow(root)).not.toContain('secret')
})

test('after a session is deleted, nothing that it held is on the disk', async () => {
  const { root } = setUp()
  await using sessions = openSessions(nodeFs(root))
  const session = await sessions.create('s', { title: 'secret title', metadata: { note: 'secret note' } })
  for (let i = 0; i < 5; i++) await session.append({ role: 'user', content: `secret message ${i}` })
  await session.update({ title: 'another secret title' })
  expect(bytesBelow(root)).toContain('secret title')
  expect(bytesBelow(root)).toContain('secret note')
  expect(bytesBelow(root)).toContain('secret message')
  await sessions.delete('s')
  expect(bytesBelow(root)).not.toContain('secret')
})
