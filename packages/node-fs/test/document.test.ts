import { existsSync, readdirSync, readFileSync, unlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { nodeFs, openNodeFs } from '../src/node-fs.ts'
import { intrude, rollOver } from './intruder.ts'
import { freshRoot, impatientClock, ObservedSystem, systemError } from './observed-system.ts'

function setUp() {
  const root = freshRoot()
  const observed = new ObservedSystem()
  const adapter = openNodeFs(root, { clock: impatientClock().clock }, observed.system)
  return { root, observed, adapter, other: nodeFs(root), path: join(root, 'doc', 'a.jsonl') }
}

describe('the file of a document', () => {
  test('is a log of values whose last one counts, removal included', async () => {
    const { adapter, path } = setUp()
    const first = await adapter.put('a', '{"next":"x"}', { expect: 'absent' })
    const second = await adapter.put('a', 'null', { expect: first })
    await adapter.remove('a', { expect: second })
    const third = await adapter.put('a', '3', { expect: 'absent' })
    const lines = readFileSync(path, 'utf8').trimEnd().split('\n')
    const parsed = lines.map((line) => JSON.parse(line) as Record<string, unknown>)
    expect(parsed).toMatchObject([
      { at: 0, record: { next: 'x' } },
      { at: 1, record: null },
      { at: 2, removed: true },
      { at: 3, record: 3 },
    ])
    expect([first, second, third]).toEqual([0, 1, 3].map((i) => `${i}-${String(parsed[i]?.['by'])}`))
  })

  test('is opened once for each call, read from its tail, and closed', async () => {
    const { adapter, observed } = setUp()
    let version = await adapter.put('a', '0', { expect: 'absent' })
    for (let i = 0; i < 1000; i++) version = await adapter.put('a', `"${'x'.repeat(300)}"`, { expect: version })
    observed.reset()
    expect((await adapter.get('a'))?.version).toBe(version)
    expect(observed.counts).toEqual({ open: 1, stat: 2, fstat: 1, read: 1, close: 1 })
    observed.reset()
    await adapter.put('a', '1', { expect: version })
    expect(observed.counts).toEqual({ open: 1, stat: 2, fstat: 2, read: 1, write: 1, flush: 1, close: 1 })
    expect(observed.openFiles).toBe(0)
  })

  test('leaves no trace after forget, and no version returns', async () => {
    const { adapter, other, root } = setUp()
    const versions = new Set<string>()
    for (let i = 0; i < 20; i++) {
      const version = await adapter.put('a/b', '1', { expect: 'absent' })
      versions.add(version)
      await other.remove('a/b', { expect: version, forget: true })
      expect(readdirSync(join(root, 'doc'))).toEqual([])
      await expect(adapter.put('a/b', '2', { expect: version })).rejects.toMatchObject({ code: 'CONFLICT' })
    }
    expect(versions.size).toBe(20)
    await adapter.put('a/b', '1', { expect: 'absent' })
    await adapter.remove('a/b')
    expect(readdirSync(join(root, 'doc/a'))).toEqual(['b.jsonl'])
    await adapter.remove('a/b', { forget: true })
    expect(readdirSync(join(root, 'doc'))).toEqual([])
  })
})

describe('a document that another process rolls over', () => {
  test('is found behind its seal, whoever renames', async () => {
    for (const rename of [false, true]) {
      const { adapter, path, root } = setUp()
      await adapter.put('a', '"old"', { expect: 'absent' })
      rollOver(path, 1, '"new"', { rename })
      const document = await adapter.get('a')
      expect(document).toEqual({ value: '"new"', version: '1-intruder' })
      expect(readdirSync(join(root, 'doc'))).toEqual(['a.jsonl'])
      const next = await adapter.put('a', '"newer"', { expect: '1-intruder' })
      expect(next).toMatch(/^2-/)
    }
  })

  test('is listed once, whatever files of it lie about', async () => {
    const { adapter, path } = setUp()
    await adapter.put('a', '"old"', { expect: 'absent' })
    writeFileSync(`${path}+1+abandoned`, 'never sealed in')
    rollOver(path, 1, '"new"')
    expect((await Array.fromAsync(adapter.keys(''))).flat()).toEqual(['a'])
  })

  test('between the look and the write of a put refuses it, and no write lands in the old file (d1, d2)', async () => {
    const { adapter, observed, path } = setUp()
    const version = await adapter.put('a', '"old"', { expect: 'absent' })
    observed.before('write', () => void rollOver(path, 1, '"theirs"'))
    await expect(adapter.put('a', '"mine"', { expect: version })).rejects.toMatchObject({ code: 'CONFLICT' })
    expect((await adapter.get('a'))?.value).toBe('"theirs"')
    observed.before('write', () => void rollOver(path, 2, '"again"', { rename: true }))
    await adapter.remove('a')
    expect(await adapter.get('a')).toBeUndefined()
  })

  test('between the write of a put and its look keeps what was put (d9)', async () => {
    const { adapter, observed, path } = setUp()
    await adapter.put('a', '"old"', { expect: 'absent' })
    observed.before('fstat', () => undefined)
    observed.before('fstat', () => void rollOver(path, 2, '"theirs"', { rename: true }))
    const version = await adapter.put('a', '"mine"', { expect: (await nodeFs(join(path, '../..')).get('a'))!.version })
    expect(version).toMatch(/^1-/)
    expect((await adapter.get('a'))?.value).toBe('"theirs"')
    await expect(adapter.put('a', '"late"', { expect: version })).rejects.toMatchObject({ code: 'CONFLICT' })
  })

  test('and forgotten between the look and the write of a put is created anew', async () => {
    const { adapter, observed, path, root } = setUp()
    const version = await adapter.put('a', '"old"', { expect: 'absent' })
    await adapter.remove('a', { expect: version })
    observed.before('write', () => unlinkSync(path))
    await adapter.put('a', '"new"', { expect: 'absent' })
    expect((await nodeFs(root).get('a'))?.value).toBe('"new"')
  })

  test('that is created again while it is forgotten stays', async () => {
    const { adapter, observed, other } = setUp()
    await adapter.put('a', '"old"', { expect: 'absent' })
    const release = Promise.withResolvers<void>()
    observed.before('flush', () => release.promise)
    const removed = adapter.remove('a', { forget: true })
    await new Promise((resolve) => setImmediate(resolve))
    await other.put('a', '"new"', { expect: 'absent' })
    release.resolve()
    await removed
    expect((await adapter.get('a'))?.value).toBe('"new"')
  })

  test('whose new file is missing, or lies elsewhere, is CORRUPT', async () => {
    for (const next of ['a.jsonl+1+missing', '../sessiontree.json', 'b.jsonl', '/etc/passwd', 'a.jsonl+/../../x']) {
      const { adapter, path, root } = setUp()
      await adapter.put('a', '"old"', { expect: 'absent' })
      await adapter.put('b', '"other"', { expect: 'absent' })
      intrude(path, 1, 'next', JSON.stringify(next))
      await expect(adapter.get('a')).rejects.toMatchObject({ code: 'CORRUPT', where: path })
      await expect(adapter.put('a', '1', { expect: 'absent' })).rejects.toMatchObject({ code: 'CORRUPT' })
      expect((await adapter.get('b'))?.value).toBe('"other"')
      expect(existsSync(join(root, 'sessiontree.json'))).toBe(true)
    }
  })
})

describe('a damaged document', () => {
  test('is CORRUPT at any flipped byte, never absent and never the value before; only removing it helps', async () => {
    const { adapter, path } = setUp()
    const first = await adapter.put('a', '"first"', { expect: 'absent' })
    const one = readFileSync(path)
    await adapter.put('a', '"second"', { expect: first })
    const two = readFileSync(path)
    for (const [whole, from] of [
      [one, 0],
      [two, one.length],
    ] as const) {
      for (let at = from; at < whole.length; at++) {
        const bytes = Buffer.from(whole)
        bytes.writeUInt8(bytes.readUInt8(at) ^ 4, at)
        writeFileSync(path, bytes)
        await expect(adapter.get('a'), `byte ${at}`).rejects.toMatchObject({ code: 'CORRUPT' })
        await expect(adapter.put('a', '1', { expect: 'absent' })).rejects.toMatchObject({ code: 'CORRUPT' })
      }
    }
    for (const whole of [one, two]) {
      writeFileSync(path, whole.toString('latin1').replace(/"(crc":"[^"]+"}\n)$/, '#$1'), 'latin1')
      await expect(adapter.get('a')).rejects.toMatchObject({ code: 'CORRUPT' })
      await adapter.remove('a')
      expect(await adapter.get('a')).toBeUndefined()
    }
    await adapter.put('a', '"anew"', { expect: 'absent' })
    expect((await adapter.get('a'))?.value).toBe('"anew"')
  })

  test('is not damaged by another byte for a line feed before its last line', async () => {
    const { adapter, path } = setUp()
    let version = await adapter.put('a', '1', { expect: 'absent' })
    for (const value of ['2', '3']) version = await adapter.put('a', value, { expect: version })
    const bytes = readFileSync(path)
    bytes[bytes.lastIndexOf('\n', bytes.length - 2)] = 0x20
    writeFileSync(path, bytes)
    expect(await adapter.get('a')).toEqual({ value: '3', version })
  })

  test('is not damaged by a put that never reached the disk before the machine crashed', async () => {
    const { adapter, path } = setUp()
    const version = await adapter.put('a', '"value"', { expect: 'absent' })
    const { length } = readFileSync(path)
    for (const size of [length + 300, 2048]) {
      writeFileSync(path, Buffer.concat([readFileSync(path), Buffer.alloc(size - length)]))
      expect(await adapter.get('a')).toEqual({ value: '"value"', version })
    }
    const next = await adapter.put('a', '"next"', { expect: version })
    expect(await adapter.get('a')).toEqual({ value: '"next"', version: next })
  })

  test('is not damaged by sectors of a put that never reached the disk, where others did', async () => {
    const { adapter, path } = setUp()
    const version = await adapter.put('a', '"value"', { expect: 'absent' })
    const { length } = readFileSync(path)
    await adapter.put('a', `"${'x'.repeat(2000)}"`, { expect: version })
    const whole = readFileSync(path)
    for (let sector = 0; sector * 512 < whole.length; sector++) {
      writeFileSync(
        path,
        Buffer.from(whole).fill(0, Math.max(length, sector * 512), Math.min(whole.length, (sector + 1) * 512)),
      )
      expect(await adapter.get('a'), `sector ${sector}`).toEqual({ value: '"value"', version })
      const next = await adapter.put('a', '"next"', { expect: version })
      expect(await nodeFs(join(path, '../..')).get('a')).toEqual({ value: '"next"', version: next })
    }
  })

  test('that was cut in its first write is absent, and can be created', async () => {
    const { adapter, path } = setUp()
    await adapter.put('a', '"first"', { expect: 'absent' })
    const whole = readFileSync(path)
    for (let size = 0; size < whole.length; size += 7) {
      writeFileSync(path, whole.subarray(0, size))
      expect(await adapter.get('a')).toBeUndefined()
      await adapter.put('a', '"first"', { expect: 'absent' })
      expect((await adapter.get('a'))?.value).toBe('"first"')
    }
  })
})

test('a put whose flush fails is UNCERTAIN, and this handle builds nothing on it', async () => {
  const { adapter, observed, other } = setUp()
  const first = await adapter.put('a', '1', { expect: 'absent' })
  observed.before('flush', () => {
    throw systemError('EIO', 'fdatasync')
  })
  await expect(adapter.put('a', '2', { expect: first })).rejects.toMatchObject({ code: 'UNCERTAIN' })
  const seen = await adapter.get('a')
  expect(seen?.value).toBe('2')
  await expect(adapter.put('a', '3', { expect: seen!.version })).rejects.toMatchObject({ code: 'UNCERTAIN' })
  await other.put('a', '3', { expect: seen!.version })
  expect(observed.openFiles).toBe(0)
})
