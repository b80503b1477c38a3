import { readdirSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { StorageAdapter } from '@sessiontree/core'
import { describe, expect, test } from 'vitest'
import { localFileSystem } from '../src/file-system.ts'
import { openNodeFs } from '../src/node-fs.ts'
import { intrude, rollOver } from './intruder.ts'
import { freshRoot, impatientClock, ObservedSystem } from './observed-system.ts'

describe('a document that has grown past its bound', () => {
  const value = (i: number) => JSON.stringify({ i, padding: 'x'.repeat(40) })

  function setUpSmall(bound = 1000) {
    const root = freshRoot()
    const observed = new ObservedSystem()
    const options = { clock: impatientClock().clock, documentBound: bound }
    const open = (system = localFileSystem) => openNodeFs(root, options, system)
    const folder = join(root, 'doc')
    return { observed, adapter: open(observed.system), other: open(), folder, path: join(folder, 'a.jsonl') }
  }

  /** Puts until the next put rolls over; returns the version. */
  async function fill(adapter: StorageAdapter, path: string, bound = 1000): Promise<string> {
    let version = await adapter.put('a', value(0), { expect: 'absent' })
    for (let i = 1; statSync(path).size <= bound; i++) version = await adapter.put('a', value(i), { expect: version })
    return version
  }

  test('goes on in a new file that holds its value alone: no version returns, and nothing else is left', async () => {
    const { adapter, other, folder, path } = setUpSmall()
    const versions: string[] = []
    let version = 'absent'
    let rolled = 0
    for (let i = 0; i < 100; i++) {
      const size = i === 0 ? 0 : statSync(path).size
      version = await (i % 3 === 0 ? other : adapter).put('a', value(i), { expect: version })
      versions.push(version)
      if (statSync(path).size < size) rolled++
      expect(await adapter.get('a')).toEqual({ value: value(i), version })
      expect(statSync(path).size).toBeLessThan(1000 + 300)
      await expect(other.put('a', '0', { expect: versions[i - 1] ?? 'x' })).rejects.toMatchObject({ code: 'CONFLICT' })
    }
    expect(rolled).toBeGreaterThan(8)
    expect(versions.map((one) => parseInt(one, 10))).toEqual(versions.map((_, i) => i))
    expect(readdirSync(folder)).toEqual(['a.jsonl'])
  })

  test('costs one file, two flushes, a seal and a rename more, and not with every large value', async () => {
    const { adapter, observed, path } = setUpSmall()
    const version = await fill(adapter, path)
    observed.reset()
    const next = await adapter.put('a', value(99), { expect: version })
    expect(observed.counts).toMatchObject({ write: 2, flush: 2, rename: 1, readFolder: 1 })
    const large = JSON.stringify('x'.repeat(5000))
    let last = await adapter.put('a', large, { expect: next })
    observed.reset()
    for (let i = 0; i < 4; i++) last = await adapter.put('a', large, { expect: last })
    expect(observed.counts.rename).toBeUndefined()
  })

  test('makes the new file survive before the seal that commits it, and that before it says so', async () => {
    const { adapter, observed, path } = setUpSmall()
    const version = await fill(adapter, path)
    const order: string[] = []
    for (const call of ['write', 'flush', 'flushFolder', 'write', 'flush', 'rename'] as const) {
      observed.before(call, () => void order.push(call))
    }
    await adapter.put('a', value(99), { expect: version })
    expect(order).toEqual(['write', 'flush', 'flushFolder', 'write', 'flush', 'rename'])
  })

  test.each(['open', 'write', 'flush', 'flushFolder'] as const)(
    'keeps its value, and leaves no file, when %s of the new one fails',
    async (call) => {
      const { adapter, observed, folder, path } = setUpSmall()
      const version = await fill(adapter, path)
      if (call === 'open') observed.before('open', () => undefined)
      observed.fail(call, 'ENOSPC')
      await expect(adapter.put('a', value(99), { expect: version })).rejects.toMatchObject({
        code: 'QUOTA',
        written: 'no',
      })
      expect((await adapter.get('a'))?.version).toBe(version)
      expect(readdirSync(folder)).toEqual(['a.jsonl'])
      await adapter.put('a', value(99), { expect: version })
      expect((await adapter.get('a'))?.value).toBe(value(99))
    },
  )

  test('refuses the put and removes its file when somebody else writes, or rolls over, before the seal', async () => {
    for (const theirs of ['record', 'next'] as const) {
      const { adapter, observed, folder, path } = setUpSmall()
      const version = await fill(adapter, path)
      const at = parseInt(version, 10) + 1
      observed.before('flushFolder', () => {
        if (theirs === 'record') intrude(path, at, 'record', '"theirs"')
        else rollOver(path, at, '"theirs"', { rename: true })
      })
      await expect(adapter.put('a', value(99), { expect: version })).rejects.toMatchObject({ code: 'CONFLICT' })
      expect((await adapter.get('a'))?.value).toBe('"theirs"')
      expect(readdirSync(folder)).toEqual(['a.jsonl'])
    }
  })

  test('is committed by its seal: a short or refused seal is none, one in doubt keeps its file', async () => {
    for (const [answer, code, left] of [
      ['short', 'QUOTA', 1],
      ['EIO', 'UNCERTAIN', 2],
      ['flush', 'UNCERTAIN', 2],
    ] as const) {
      const { adapter, observed, folder, other, path } = setUpSmall()
      const version = await fill(adapter, path)
      const skipped = answer === 'flush' ? 'flush' : 'write'
      observed.before(skipped, () => undefined)
      if (answer === 'short')
        observed.before('write', (file, bytes) => localFileSystem.write(file, bytes.subarray(0, 9)))
      else observed.fail(skipped, 'EIO')
      await expect(adapter.put('a', value(99), { expect: version })).rejects.toMatchObject({ code })
      expect(readdirSync(folder)).toHaveLength(left)
      const found = await other.get('a')
      expect(found?.value === value(99)).toBe(answer === 'flush')
      await other.put('a', value(100), { expect: found!.version })
      expect((await other.get('a'))?.value).toBe(value(100))
    }
  })

  test('is committed whoever renames, and whether the system lets the writer do it', async () => {
    for (const by of ['other', 'nobody']) {
      const { adapter, observed, folder, other, path } = setUpSmall()
      const version = await fill(adapter, path)
      observed.before('flush', () => undefined)
      if (by === 'other') observed.before('flush', async () => void (await other.get('a')))
      else observed.fail('rename', 'EIO')
      const next = await adapter.put('a', value(99), { expect: version })
      expect(await adapter.get('a')).toEqual({ value: value(99), version: next })
      expect(readdirSync(folder)).toEqual(['a.jsonl'])
    }
  })

  test('removes what a killed writer left once no seal can name it, and no other file', async () => {
    const { adapter, folder, path } = setUpSmall()
    let version = await fill(adapter, path)
    const at = parseInt(version, 10) + 1
    for (const name of [`a.jsonl+0+dead`, `a.jsonl+${at + 1}+pending`, `ab.jsonl+0+other`, 'a.jsonl+mine'])
      writeFileSync(join(folder, name), 'x')
    version = await adapter.put('a', value(99), { expect: version })
    expect(readdirSync(folder).toSorted()).toEqual([
      'a.jsonl',
      `a.jsonl+${at + 1}+pending`,
      'a.jsonl+mine',
      'ab.jsonl+0+other',
    ])
    const size = statSync(path).size
    const removal = await adapter.remove('a', { expect: version, forget: true })
    expect(removal?.bytes).toBeGreaterThan(size)
    expect(readdirSync(folder).toSorted()).toEqual(['a.jsonl+mine', 'ab.jsonl+0+other'])
  })

  test('that was removed is not rolled over while it may be forgotten', async () => {
    const { adapter, observed, path } = setUpSmall()
    await adapter.remove('a', { expect: await fill(adapter, path) })
    observed.reset()
    await adapter.put('a', value(1), { expect: 'absent' })
    expect(observed.counts.rename).toBeUndefined()
  })
})
