import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import type { StorageAdapter } from '@sessiontree/core'
import { describe, expect, test } from 'vitest'
import { localFileSystem } from '../src/file-system.ts'
import { nodeFs, openNodeFs } from '../src/node-fs.ts'
import { freshRoot, ObservedSystem, readAll } from './observed-system.ts'

async function logs(adapter: StorageAdapter, prefix = '', options = {}): Promise<string[]> {
  const names: string[] = []
  for await (const page of adapter.logs(prefix, options)) names.push(...page)
  return names
}

/** Every kind of call that must not take a missing store for an empty one. */
const calls: readonly (readonly [name: string, call: (adapter: StorageAdapter) => Promise<unknown>])[] = [
  ['append at 0', (adapter) => adapter.append('x', 0, ['0'])],
  ['append behind', (adapter) => adapter.append('x', 1, ['1'])],
  ['read', (adapter) => readAll(adapter, 'x')],
  ['drop', (adapter) => adapter.drop('x')],
  ['logs', (adapter) => logs(adapter)],
  ['get', (adapter) => adapter.get('x')],
  ['put', (adapter) => adapter.put('x', '1', { expect: 'absent' })],
  ['remove', (adapter) => adapter.remove('x', { forget: true })],
  ['keys', (adapter) => adapter.keys('')[Symbol.asyncIterator]().next()],
]

describe('opening', () => {
  test('touches nothing before the first call, which makes root, marker and trees for this user only', async () => {
    const root = freshRoot()
    const nested = join(root, 'deep', 'er')
    const adapter = nodeFs(nested)
    expect(existsSync(root)).toBe(false)
    expect(await adapter.get('a')).toBeUndefined()
    const marker = JSON.parse(readFileSync(join(nested, 'sessiontree.json'), 'utf8')) as Record<string, unknown>
    expect(marker).toEqual({ layout: 1, store: expect.stringMatching(/^[0-9a-f]{32}$/) as string })
    expect(readdirSync(nested).toSorted()).toEqual(['doc', 'log', 'sessiontree.json'])
    await adapter.append('a/b', 0, ['0'])
    await adapter.put('a/b', '0', { expect: 'absent' })
    const modes = ['', 'log', 'log/a', 'doc/a', 'sessiontree.json', 'log/a/b.jsonl', 'doc/a/b.jsonl'].map(
      (path) => statSync(join(nested, path)).mode & 0o777,
    )
    expect(modes).toEqual([0o700, 0o700, 0o700, 0o700, 0o600, 0o600, 0o600])
    await nodeFs(nested).get('a')
    expect(JSON.parse(readFileSync(join(nested, 'sessiontree.json'), 'utf8'))).toEqual(marker)
  })

  test('by many at once makes one store', async () => {
    const root = freshRoot()
    const adapters = Array.from({ length: 8 }, () => nodeFs(root))
    await Promise.all(adapters.map((adapter, i) => adapter.append(`log-${i}`, 0, ['0'])))
    expect(await logs(nodeFs(root))).toHaveLength(8)
    expect(readdirSync(root).toSorted()).toEqual(['doc', 'log', 'sessiontree.json'])
  })

  test.each(['write', 'flush', 'link', 'flushFolder'] as const)(
    'that fails in %s leaves no marker, and works again',
    async (call) => {
      const root = freshRoot()
      const observed = new ObservedSystem()
      const adapter = openNodeFs(root, {}, observed.system)
      if (call === 'write') observed.before('write', (file, bytes) => localFileSystem.write(file, bytes.subarray(0, 9)))
      else observed.fail(call, 'ENOSPC')
      await expect(adapter.get('a')).rejects.toMatchObject({ code: 'QUOTA', written: 'no' })
      expect(readdirSync(root).toSorted()).toEqual(['doc', 'log'])
      expect(await adapter.get('a')).toBeUndefined()
    },
  )

  test.each([
    ['the root alone', ['']],
    ['everything but the marker, by somebody who died', ['', 'log', 'doc']],
  ])('makes the folders above survive before there is a marker: there is %s', async (_what, folders) => {
    const root = freshRoot()
    for (const folder of folders) mkdirSync(join(root, folder))
    const observed = new ObservedSystem()
    const flushed: string[] = []
    for (let i = 0; i < 9; i++) observed.before('flushFolder', (path) => void flushed.push(path))
    observed.before('link', () => void flushed.push('marker'))
    await openNodeFs(root, {}, observed.system).get('a')
    expect(flushed[0]).toBe(join(root, '..'))
    expect(flushed.slice(flushed.indexOf('/'))).toEqual(['/', 'marker', root])
  })

  test('a marker that did not fit is never linked into place, whoever else opens the store', async () => {
    const root = freshRoot()
    const observed = new ObservedSystem()
    observed.before('write', (file, bytes) => localFileSystem.write(file, bytes.subarray(0, 9)))
    let linked = 0
    observed.before('link', () => void linked++)
    await expect(openNodeFs(root, {}, observed.system).get('a')).rejects.toMatchObject({ code: 'QUOTA' })
    expect(linked).toBe(0)
    await nodeFs(root).append('a', 0, ['0'])
    expect(await readAll(nodeFs(root, { create: false }), 'a')).toEqual(['0'])
  })

  test.each(calls)('with create: false and no store, %s is UNAVAILABLE', async (_name, call) => {
    const root = freshRoot()
    await expect(call(nodeFs(root, { create: false }))).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    expect(existsSync(root)).toBe(false)
  })

  test('can be tried again after it failed', async () => {
    const root = freshRoot()
    const adapter = nodeFs(root, { create: false })
    await expect(adapter.get('a')).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    await nodeFs(root).put('a', '1', { expect: 'absent' })
    expect((await adapter.get('a'))?.value).toBe('1')
  })

  test.each(calls)('of a newer layout is FORMAT and %s touches nothing', async (_name, call) => {
    const root = freshRoot()
    mkdirSync(root)
    writeFileSync(join(root, 'sessiontree.json'), '{"layout":2,"store":"x"}')
    await expect(call(nodeFs(root))).rejects.toMatchObject({ code: 'FORMAT' })
    expect(readdirSync(root)).toEqual(['sessiontree.json'])
  })

  test.each(['', '{"layout":"1"}', '{"layout":0}', '{"layout":1', 'null', '[]'])(
    'of the marker %j is CORRUPT',
    async (text) => {
      const root = freshRoot()
      mkdirSync(root)
      writeFileSync(join(root, 'sessiontree.json'), text)
      await expect(nodeFs(root).get('a')).rejects.toMatchObject({
        code: 'CORRUPT',
        where: join(root, 'sessiontree.json'),
      })
    },
  )

  test('of a used store that lost its marker is UNAVAILABLE, not a new store', async () => {
    const root = freshRoot()
    await nodeFs(root).append('a', 0, ['0'])
    rmSync(join(root, 'sessiontree.json'))
    await expect(nodeFs(root).append('b', 0, ['0'])).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    expect(existsSync(join(root, 'sessiontree.json'))).toBe(false)
  })
})

async function used() {
  const root = freshRoot()
  const adapter = nodeFs(root)
  await adapter.append('a', 0, ['0'])
  return { root, adapter }
}

describe('a store that goes away under a handle', () => {
  test.each(calls)('removed: %s is UNAVAILABLE and makes no new one', async (_name, call) => {
    const { root, adapter } = await used()
    rmSync(root, { recursive: true })
    await expect(call(adapter)).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    expect(existsSync(root)).toBe(false)
  })

  test('made anew with the same inode numbers: the time of its marker tells', async () => {
    const { root } = await used()
    const observed = new ObservedSystem()
    const adapter = openNodeFs(root, {}, observed.system)
    expect(await readAll(adapter, 'a')).toEqual(['0'])
    observed.before('stat', () => undefined)
    observed.before('stat', (path) => Object.assign(statSync(path), { mtimeMs: 1 }))
    await expect(readAll(adapter, 'a')).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    observed.fail('stat', 'EACCES')
    await expect(readAll(adapter, 'a')).rejects.toMatchObject({ code: 'DENIED', cause: { code: 'EACCES' } })
    expect(await readAll(adapter, 'a')).toEqual(['0'])
  })

  test('removed: an append through the open file is UNAVAILABLE, too', async () => {
    const { root, adapter } = await used()
    rmSync(root, { recursive: true })
    await expect(adapter.append('a', 1, ['1'])).rejects.toMatchObject({ code: 'UNAVAILABLE' })
  })

  test.each(calls)('removed and made anew: %s is UNAVAILABLE', async (_name, call) => {
    const { root, adapter } = await used()
    rmSync(root, { recursive: true })
    await nodeFs(root).append('other', 0, ['0'])
    await expect(call(adapter)).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    expect(await logs(nodeFs(root))).toEqual(['other'])
  })

  test.each(calls)('replaced by another store: %s is UNAVAILABLE and does not touch it', async (_name, call) => {
    const { root, adapter } = await used()
    renameSync(root, `${root}-moved`)
    await nodeFs(root).append('other', 0, ['0'])
    await expect(call(adapter)).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    expect(await logs(nodeFs(root))).toEqual(['other'])
  })

  test.each(['log', 'doc'])('without its folder %s: nothing in there is taken for empty', async (tree) => {
    const { root, adapter } = await used()
    rmSync(join(root, tree), { recursive: true })
    for (const [, call] of calls.slice(tree === 'log' ? 0 : 5, tree === 'log' ? 5 : undefined)) {
      await expect(call(adapter)).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    }
  })
})

describe('names and files', () => {
  const names = [
    'a',
    'a-b',
    'a.b',
    'a.jsonl',
    'a.jsonl.jsonl',
    'a.jsonl.jsonl/b',
    'a.jsonl/b',
    'a.jsonl/b.jsonl/c',
    'a/b',
    'a/jsonl',
    'a0',
    '~',
  ]

  test('names never meet, and each file says whose it is', async () => {
    const root = freshRoot()
    const adapter = nodeFs(root, { durability: 'process' })
    for (const name of names) await adapter.append(name, 0, [JSON.stringify(name)])
    for (const name of names) await adapter.put(name, JSON.stringify(name), { expect: 'absent' })
    const other = nodeFs(root)
    for (const name of names) expect(await readAll(other, name)).toEqual([JSON.stringify(name)])
    for (const name of names) expect((await other.get(name))?.value).toBe(JSON.stringify(name))
    expect(await logs(other)).toEqual(names.toSorted())
    for (const name of names)
      expect(await logs(other, '', { after: name, limit: 1 })).toEqual(names.slice(names.indexOf(name) + 1).slice(0, 1))
    expect(await logs(other, 'a.jsonl')).toEqual(['a.jsonl/b', 'a.jsonl/b.jsonl/c'])
    expect(readdirSync(join(root, 'log')).toSorted()).toEqual(
      [
        'a',
        'a-b.jsonl',
        'a.b.jsonl',
        'a.jsonl',
        'a.jsonl+',
        'a.jsonl.jsonl',
        'a.jsonl.jsonl+',
        'a.jsonl.jsonl.jsonl',
        'a0.jsonl',
        '~.jsonl',
      ].toSorted(),
    )
  })

  test('what is not of this store is not listed', async () => {
    const root = freshRoot()
    const adapter = nodeFs(root)
    await adapter.append('a/b', 0, ['0'])
    const log = join(root, 'log')
    for (const name of [
      '.DS_Store',
      'README.md',
      'A.jsonl',
      'x.jsonl+3+abc',
      'con.jsonl',
      '.jsonl',
      'a b.jsonl',
      'x.jsonl~',
    ]) {
      writeFileSync(join(log, name), '')
    }
    for (const name of ['B', 'a+', 'x.jsonl', 'y+', '.git', 'z++']) {
      mkdirSync(join(log, name))
      writeFileSync(join(log, name, 'file.jsonl'), '')
    }
    symlinkSync('/etc', join(log, 'etc'))
    symlinkSync(join(log, 'a/b.jsonl'), join(log, 'linked.jsonl'))
    expect(await logs(adapter)).toEqual(['a/b'])
  })

  test('a listing reads the folders whose turn has come, and those only', async () => {
    const root = freshRoot()
    const writer = nodeFs(root, { durability: 'process' })
    for (let i = 0; i < 30; i++) await writer.append(`f${String(i).padStart(2, '0')}/x`, 0, ['0'])
    const observed = new ObservedSystem()
    const adapter = openNodeFs(root, {}, observed.system)
    await adapter.get('opens')
    observed.reset()
    expect(await logs(adapter, '', { after: 'f10', limit: 2 })).toEqual(['f10/x', 'f11/x'])
    expect(observed.counts.readFolder).toBe(3)
    expect(observed.counts.open).toBeUndefined()
  })

  test('many names come in pages', async () => {
    const root = freshRoot()
    const adapter = nodeFs(root, { durability: 'process' })
    await adapter.get('opens')
    for (let i = 0; i < 2500; i++) writeFileSync(join(root, 'log', `n${i}.jsonl`), '')
    const sizes: number[] = []
    for await (const page of adapter.logs('')) sizes.push(page.length)
    expect(sizes).toEqual([1000, 1000, 500])
  })
})

describe('what the file system refuses', () => {
  test.each([
    ['EACCES', 'DENIED'],
    ['EPERM', 'DENIED'],
    ['EROFS', 'READ_ONLY'],
    ['EMFILE', 'BUSY'],
    ['ENOTDIR', 'UNAVAILABLE'],
    ['EIO', 'IO'],
  ])('%s is %s with its cause, on reads too', async (system, code) => {
    const root = freshRoot()
    const observed = new ObservedSystem()
    const adapter = openNodeFs(root, {}, observed.system)
    await adapter.append('x', 0, ['0'])
    const expected = { code, written: 'no', cause: { code: system } }
    for (const [name, call] of calls) {
      if (name.startsWith('append') || name === 'drop') continue
      observed.fail(name === 'logs' || name === 'keys' ? 'readFolder' : 'open', system)
      await expect(call(adapter), name).rejects.toMatchObject(expected)
    }
    observed.fail('open', system)
    await expect(adapter.append('y', 0, ['0'])).rejects.toMatchObject(expected)
    observed.fail('unlink', system)
    await expect(adapter.drop('x')).rejects.toMatchObject(expected)
  })

  test.skipIf(process.platform !== 'linux')('a folder that takes no new one is UNAVAILABLE at once', async () => {
    await expect(nodeFs('/proc/sessiontree').get('a')).rejects.toMatchObject({ code: 'UNAVAILABLE' })
  })

  test('a file in the place of a folder is no empty log', async () => {
    const root = freshRoot()
    const adapter = nodeFs(root)
    await adapter.append('x', 0, ['0'])
    writeFileSync(join(root, 'log', 'a'), '')
    writeFileSync(join(root, 'doc', 'a'), '')
    await expect(readAll(adapter, 'a/b')).rejects.toMatchObject({ code: 'UNAVAILABLE', cause: { code: 'ENOTDIR' } })
    await expect(adapter.get('a/b')).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    await expect(adapter.append('a/b', 0, ['0'])).rejects.toMatchObject({ code: 'UNAVAILABLE' })
  })

  test('a file that is a symbolic link is not followed', async () => {
    const root = freshRoot()
    const adapter = nodeFs(root)
    await adapter.append('x', 0, ['0'])
    const target = join(root, '..', 'target')
    writeFileSync(target, '')
    symlinkSync(target, join(root, 'log', 'a.jsonl'))
    symlinkSync(target, join(root, 'doc', 'a.jsonl'))
    await expect(adapter.append('a', 0, ['0'])).rejects.toMatchObject({ code: 'DENIED' })
    await expect(readAll(adapter, 'a')).rejects.toMatchObject({ code: 'DENIED' })
    await expect(adapter.put('a', '1', { expect: 'absent' })).rejects.toMatchObject({ code: 'DENIED' })
    expect(readFileSync(target, 'utf8')).toBe('')
  })
})

describe('a file system that does not keep writers apart', () => {
  test.each(calls)('%s is UNSUPPORTED, says what to do, and makes nothing', async (_name, call) => {
    const root = freshRoot()
    const asked: string[] = []
    // What is not there yet is asked of the folder above.
    const remoteKind = (path: string) => {
      asked.push(path)
      statSync(path)
      return 'NFS'
    }
    const adapter = openNodeFs(join(root, 'deep'), {}, { ...localFileSystem, remoteKind })
    const message = expect.stringMatching(/NFS.*singleWriter: true/) as string
    await expect(call(adapter)).rejects.toMatchObject({ code: 'UNSUPPORTED', written: 'no', message })
    expect(asked).toEqual([join(root, 'deep'), root, join(root, '..')])
    expect(existsSync(root)).toBe(false)
  })

  test('serves one handle at a time, and the handle says so', async () => {
    const system = { ...localFileSystem, remoteKind: () => 'NFS' }
    const adapter = openNodeFs(freshRoot(), { singleWriter: true }, system)
    expect(adapter.capabilities.sharing).toBe('none')
    await adapter.append('a', 0, ['0'])
    expect(await readAll(adapter, 'a')).toEqual(['0'])
    expect(nodeFs(freshRoot()).capabilities.sharing).toBe('process')
  })

  test.skipIf(process.platform !== 'linux')('is told from a local one by statfs', () => {
    expect(localFileSystem.remoteKind?.('/proc')).toBeUndefined()
    expect(localFileSystem.remoteKind?.('/')).toBeUndefined()
    expect(() => localFileSystem.remoteKind?.('/missing')).toThrow('ENOENT')
  })
})
