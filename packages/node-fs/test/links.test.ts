import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { StorageAdapter } from '@sessiontree/core'
import { describe, expect, test } from 'vitest'
import { nodeFs, openNodeFs } from '../src/node-fs.ts'
import { freshRoot, ObservedSystem, readAll } from './observed-system.ts'

async function logs(adapter: StorageAdapter, prefix = ''): Promise<string[]> {
  const names: string[] = []
  for await (const page of adapter.logs(prefix)) names.push(...page)
  return names
}

describe('symbolic links', () => {
  /** A store whose folder `link` in both trees leads to a folder outside. */
  async function linked(target = 'outside') {
    const root = freshRoot()
    const adapter = nodeFs(root)
    await adapter.append('x', 0, ['0'])
    const outside = join(root, '..', 'outside')
    mkdirSync(join(outside, 'deep'), { recursive: true })
    for (const name of ['y.jsonl', 'deep/y.jsonl']) writeFileSync(join(outside, name), '')
    for (const tree of ['log', 'doc']) symlinkSync(join(root, '..', target), join(root, tree, 'link'))
    return { root, adapter, outside }
  }

  test.each(['link/y', 'link/new', 'link/deep/y', 'link/deep/er/new'])(
    'of a folder: %s is DENIED and touches nothing',
    async (name) => {
      const { adapter, outside } = await linked()
      for (const call of [
        () => adapter.append(name, 0, ['0']),
        () => adapter.append(name, 1, ['1']),
        () => readAll(adapter, name),
        () => adapter.drop(name, { forget: true }),
        () => adapter.get(name),
        () => adapter.put(name, '1', { expect: 'absent' }),
        () => adapter.remove(name, { forget: true }),
        () => logs(adapter, 'link'),
        () => adapter.keys('link/deep')[Symbol.asyncIterator]().next(),
      ]) {
        await expect(call()).rejects.toMatchObject({ code: 'DENIED', written: 'no' })
      }
      expect(await logs(adapter)).toEqual(['x'])
      expect(readdirSync(outside).toSorted()).toEqual(['deep', 'y.jsonl'])
      expect(readdirSync(join(outside, 'deep'))).toEqual(['y.jsonl'])
      expect(readFileSync(join(outside, 'y.jsonl'), 'utf8')).toBe('')
    },
  )

  test('that a log is goes, and what it leads to stays', async () => {
    const { root, adapter, outside } = await linked()
    symlinkSync(join(outside, 'y.jsonl'), join(root, 'log/z.jsonl'))
    expect(await adapter.drop('z')).toEqual({ bytes: 0 })
    expect(readdirSync(join(root, 'log')).toSorted()).toEqual(['link', 'x.jsonl'])
    expect(readdirSync(outside).toSorted()).toEqual(['deep', 'y.jsonl'])
  })

  test('that lead nowhere make nothing there', async () => {
    const { root, adapter } = await linked('missing')
    await expect(adapter.append('link/y', 0, ['0'])).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    expect(existsSync(join(root, '../missing'))).toBe(false)
  })

  test('planted under an open handle, also for a whole tree', async () => {
    const { root, adapter, outside } = await linked()
    await adapter.put('a/b', '1', { expect: 'absent' })
    rmSync(join(root, 'doc/a'), { recursive: true })
    symlinkSync(outside, join(root, 'doc/a'))
    await expect(adapter.get('a/y')).rejects.toMatchObject({ code: 'DENIED' })
    rmSync(join(root, 'doc'), { recursive: true })
    symlinkSync(outside, join(root, 'doc'))
    await expect(adapter.get('y')).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    await expect(nodeFs(root).get('y')).rejects.toMatchObject({ code: 'DENIED' })
  })

  test('that the root is, or lies behind, are fine', async () => {
    const { root, adapter } = await linked()
    const link = join(root, '../link')
    symlinkSync(root, link)
    await nodeFs(link).append('a/b', 0, ['0'])
    expect(await readAll(adapter, 'a/b')).toEqual(['0'])
    expect(await logs(nodeFs(join(link, '../link')))).toEqual(['a/b', 'x'])
  })

  test('cost one call for a file in a folder of its own, and a warm append none', async () => {
    const root = freshRoot()
    const observed = new ObservedSystem()
    const adapter = openNodeFs(root, {}, observed.system)
    await adapter.append('session/a/0', 0, ['0'])
    await adapter.put('session/a', '0', { expect: 'absent' })
    observed.reset()
    await adapter.append('session/a/0', 1, ['1'])
    expect(observed.counts).toEqual({ write: 1, fstat: 1, flush: 1 })
    observed.reset()
    await adapter.get('session/a')
    expect(observed.counts).toEqual({ realPath: 1, open: 1, stat: 2, fstat: 1, read: 1, close: 1 })
  })
})
