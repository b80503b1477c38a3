import { appendFileSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { localFileSystem } from '../src/file-system.ts'
import { nodeFs, openNodeFs, type NodeFsOptions } from '../src/node-fs.ts'
import { freshRoot, ObservedSystem, readAll } from './observed-system.ts'

function setUp(options: NodeFsOptions = {}) {
  const root = freshRoot()
  const observed = new ObservedSystem()
  const adapter = openNodeFs(root, options, observed.system)
  return { root, observed, adapter, other: nodeFs(root), path: join(root, 'log', 'a.jsonl') }
}

describe('what an append costs', () => {
  test('warm: one write, one fstat, one fdatasync and nothing else', async () => {
    const { adapter, observed } = setUp()
    await adapter.append('a', 0, ['0'])
    observed.reset()
    for (let at = 1; at <= 10; at++) await adapter.append('a', at, [String(at)])
    expect(observed.counts).toEqual({ write: 10, fstat: 10, flush: 10 })
  })

  test('warm, for the process only: no flush', async () => {
    const { adapter, observed } = setUp({ durability: 'process' })
    await adapter.append('a', 0, ['0'])
    observed.reset()
    await adapter.append('a', 1, ['1'])
    expect(observed.counts).toEqual({ write: 1, fstat: 1 })
  })

  test('64 at once, each of its own batch: at most two flushes', async () => {
    const { adapter, observed } = setUp()
    await adapter.append('a', 0, ['0'])
    observed.reset()
    await Promise.all(Array.from({ length: 64 }, (_, i) => adapter.append('a', i + 1, [String(i + 1)])))
    expect(observed.counts).toEqual({ write: 2, fstat: 3, flush: 2 })
    expect(await readAll(adapter, 'a')).toEqual(Array.from({ length: 65 }, (_, i) => String(i)))
  })

  test('what waits for a flush is one batch as far as one may go, and the rest the next', async () => {
    const { adapter, observed } = setUp()
    await adapter.append('a', 0, ['0'])
    observed.reset()
    const many = (at: number) => Array.from({ length: 500 }, (_, i) => String(at + i))
    await Promise.all([adapter.append('a', 1, ['1']), ...[2, 502, 1002].map((at) => adapter.append('a', at, many(at)))])
    expect(observed.counts).toMatchObject({ write: 3, flush: 3 })
    expect(await readAll(adapter, 'a')).toEqual(Array.from({ length: 1502 }, (_, i) => String(i)))
  })

  test('of those that wait each has its own outcome, also when the first gives up or is refused', async () => {
    const { adapter, observed, other, path } = setUp()
    await adapter.append('a', 0, ['0'])
    observed.before('flush', () => other.append('a', 2, ['"theirs"']))
    const outcomes = await Promise.allSettled([1, 2, 3, 2].map((at) => adapter.append('a', at, [String(at)])))
    expect(outcomes).toMatchObject([
      { status: 'fulfilled' },
      ...[1, 2, 3].map(() => ({ reason: { code: 'CONFLICT', atLeast: 3 } })),
    ])
    const controller = new AbortController()
    await adapter.append('a', 3, ['3'])
    observed.before('write', () => undefined)
    observed.before('write', () => {
      controller.abort(new Error('enough'))
      appendFileSync(path, 'null\n')
    })
    const [first, second, third] = [4, 5, 6].map((at) =>
      adapter.append('a', at, [String(at)], at === 5 ? { signal: controller.signal } : {}),
    )
    const refused = expect(third).rejects.toMatchObject({ code: 'CONFLICT', atLeast: 5 })
    await first
    await expect(second).rejects.toThrow('enough')
    await refused
    expect(await readAll(other, 'a')).toEqual(['0', '1', '"theirs"', '3', '4'])
  })

  test('cold: the tail of a large log, not the log', async () => {
    const { adapter, root } = setUp({ durability: 'process' })
    for (let at = 0; at < 3000; at += 1000) {
      await adapter.append(
        'a',
        at,
        Array.from({ length: 1000 }, () => `"${'x'.repeat(1000)}"`),
      )
    }
    for (let at = 3000; at < 3200; at++) await adapter.append('a', at, [`"${'x'.repeat(1000)}"`])
    const observed = new ObservedSystem()
    const cold = openNodeFs(root, {}, observed.system)
    let bytes = 0
    observed.before('read', (_file, into) => void (bytes += into.length))
    observed.before('read', (_file, into) => void (bytes += into.length))
    await cold.append('a', 3200, ['"cold"'])
    // The marker of the store, then one window of the tail.
    expect(observed.counts.read).toBe(2)
    expect(bytes).toBeLessThanOrEqual(4096 + 65_536)
  })

  test('at most 64 logs stay open, and none after close', async () => {
    const { adapter, observed } = setUp({ durability: 'process' })
    for (let i = 0; i < 100; i++) await adapter.append(`log-${i}`, 0, ['0'])
    expect(observed.openFiles).toBe(64)
    for (let i = 0; i < 100; i++) await adapter.append(`log-${i}`, 1, ['1'])
    expect(observed.openFiles).toBe(64)
    await adapter.close()
    expect(observed.openFiles).toBe(0)
  })

  test('a read closes its file at its end, when it is left, and at the latest with the handle', async () => {
    const { adapter, observed } = setUp({ durability: 'process' })
    for (let at = 0; at < 9; at++) await adapter.append('a', at, [`"${'x'.repeat(50_000)}"`])
    const open = observed.openFiles
    expect(await readAll(adapter, 'a')).toHaveLength(9)
    for await (const _ of adapter.read('a', { readAhead: 0 })) break
    expect(observed.openFiles).toBe(open)
    await adapter.read('a', { readAhead: 0 })[Symbol.asyncIterator]().next()
    expect(observed.openFiles).toBe(open + 1)
    await adapter.close()
    expect(observed.openFiles).toBe(0)
  })
})

describe('durability', () => {
  test('a handle flushes the folders up to the root with its first append to a file, whoever made it', async () => {
    const { adapter, observed, root } = setUp()
    await adapter.append('a/b/c', 0, ['0'])
    await adapter.append('a/b/c', 1, ['1'])
    const second = new ObservedSystem()
    const folders: string[] = []
    for (let i = 0; i < 5; i++) second.before('flushFolder', (path) => void folders.push(path))
    await openNodeFs(root, {}, second.system).append('a/b/c', 2, ['2'])
    expect(folders).toEqual([join(root, 'log/a/b'), join(root, 'log/a'), join(root, 'log'), root])
    // The first handle also made the store: its root, and all folders above.
    expect(observed.counts.flushFolder).toBe(4 + root.split('/').length)
  })

  test('an append resolves after a flush that began after its write', async () => {
    const { adapter, observed } = setUp()
    await adapter.append('a', 0, ['0'])
    const order: string[] = []
    const release = Promise.withResolvers<void>()
    observed.before('flush', () => release.promise)
    observed.before('flush', () => void order.push('second flush'))
    const first = adapter.append('a', 1, ['1']).then(() => order.push('first append'))
    await new Promise((resolve) => setImmediate(resolve))
    const second = adapter.append('a', 2, ['2']).then(() => order.push('second append'))
    await new Promise((resolve) => setImmediate(resolve))
    expect(order).toEqual([])
    release.resolve()
    await Promise.all([first, second])
    expect(order.indexOf('second flush')).toBeLessThan(order.indexOf('second append'))
    expect(order).toHaveLength(3)
  })

  test('after a failed flush nothing of this handle is built on it, and what waited behind it is uncertain too', async () => {
    const { adapter, observed, other } = setUp()
    await adapter.append('a', 0, ['0'])
    const release = Promise.withResolvers<void>()
    observed.before('flush', () => release.promise)
    const first = adapter.append('a', 1, ['1'])
    await new Promise((resolve) => setImmediate(resolve))
    // The system reports a lost page once: this append's own flush would succeed.
    const second = adapter.append('a', 2, ['2'])
    release.reject(Object.assign(new Error('EIO: i/o error, fdatasync'), { code: 'EIO', syscall: 'fdatasync' }))
    await Promise.all([
      expect(first).rejects.toMatchObject({ code: 'UNCERTAIN', written: 'unknown' }),
      expect(second).rejects.toMatchObject({ code: 'UNCERTAIN', cause: { code: 'IO', cause: { code: 'EIO' } } }),
    ])
    for (const at of [1, 3, 0]) {
      await expect(adapter.append('a', at, ['x'])).rejects.toMatchObject({ code: 'UNCERTAIN' })
    }
    await adapter.append('b', 0, ['other logs go on'])
    // It was never written.
    await other.append('a', 2, ['"other"'])
    expect(await readAll(adapter, 'a')).toEqual(['0', '1', '"other"'])
  })

  test('what others wrote is flushed before anything is built on it, once', async () => {
    const { adapter, observed, other } = setUp()
    await adapter.append('a', 0, ['0'])
    await other.append('a', 1, ['1'])
    const order: string[] = []
    observed.before('flush', () => void order.push('flush of what others wrote'))
    observed.before('write', () => void order.push('write'))
    observed.before('flush', () => void order.push('flush'))
    await adapter.append('a', 2, ['2'])
    expect(order).toEqual(['flush of what others wrote', 'write', 'flush'])
    observed.reset()
    await adapter.append('a', 3, ['3'])
    expect(observed.counts).toEqual({ write: 1, fstat: 1, flush: 1 })
  })

  test('when others append while what they wrote is flushed, nothing is written', async () => {
    const { adapter, observed, other } = setUp()
    await adapter.append('a', 0, ['0'])
    await other.append('a', 1, ['1'])
    observed.before('flush', () => other.append('a', 2, ['theirs']))
    await expect(adapter.append('a', 2, ['2'])).rejects.toMatchObject({ code: 'CONFLICT', atLeast: 3 })
    expect(await readAll(adapter, 'a')).toEqual(['0', '1', 'theirs'])
  })

  test('nothing is written when what others wrote cannot be flushed', async () => {
    const { adapter, observed, other } = setUp()
    await adapter.append('a', 0, ['0'])
    await other.append('a', 1, ['1'])
    observed.fail('flush', 'EIO')
    await expect(adapter.append('a', 2, ['2'])).rejects.toMatchObject({ code: 'UNCERTAIN' })
    await expect(adapter.append('a', 2, ['2'])).rejects.toMatchObject({ code: 'UNCERTAIN' })
    expect(await readAll(other, 'a')).toEqual(['0', '1'])
    await other.append('a', 2, ['2'])
  })

  test('a log whose flush failed goes on in a fresh, flushed copy, for handles that are open already, too', async () => {
    const { adapter, observed, other, path } = setUp()
    await adapter.append('a', 0, ['0'])
    await other.append('a', 1, ['1'])
    const before = { bytes: readFileSync(path), file: statSync(path).ino }
    const order: string[] = []
    // What the other handle wrote is flushed first.
    observed.before('flush', () => undefined)
    observed.fail('flush', 'EIO')
    observed.before('flush', () => void order.push('flush of the copy'))
    observed.before('write', () => undefined)
    observed.before('write', (_file, bytes) => void order.push(bytes.toString('latin1', 0, 8)))
    observed.before('write', (_file, bytes) => void order.push(/"next"/.exec(bytes.toString('latin1'))?.[0] ?? ''))
    await expect(adapter.append('a', 2, ['"in memory only"'])).rejects.toMatchObject({ code: 'UNCERTAIN' })
    expect(order).toEqual(['{"at":0,', 'flush of the copy', '"next"'])
    expect(statSync(path).ino).not.toBe(before.file)
    expect(readFileSync(path).subarray(0, before.bytes.length)).toEqual(before.bytes)
    expect(readdirSync(join(path, '..'))).toEqual(['a.jsonl'])
    await expect(adapter.append('a', 3, ['x'])).rejects.toMatchObject({ code: 'UNCERTAIN' })
    await other.append('a', 3, ['3'])
    expect(await readAll(adapter, 'a')).toEqual(['0', '1', '"in memory only"', '3'])
    expect(observed.openFiles).toBe(0)
  })

  test('others that append while a log is copied are copied with it', async () => {
    const { adapter, observed, other, path } = setUp()
    await adapter.append('a', 0, ['0'])
    await other.append('a', 1, ['1'])
    // What the other handle wrote is flushed first.
    observed.before('flush', () => undefined)
    observed.fail('flush', 'EIO')
    let at = 3
    for (let i = 0; i < 2; i++) observed.before('flush', () => other.append('a', at++, ['"meanwhile"']))
    await expect(adapter.append('a', 2, ['2'])).rejects.toMatchObject({ code: 'UNCERTAIN' })
    expect(at).toBe(5)
    await other.append('a', 5, ['5'])
    expect(await readAll(other, 'a')).toEqual(['0', '1', '2', '"meanwhile"', '"meanwhile"', '5'])
    expect(readdirSync(join(path, '..'))).toEqual(['a.jsonl'])
  })

  test.each(['open', 'write', 'flush', 'flushFolder', 'rename'] as const)(
    'a copy whose %s fails changes nothing for others',
    async (call) => {
      const { adapter, observed, other, path } = setUp()
      await adapter.append('a', 0, ['0'])
      observed.fail('flush', 'EIO')
      if (call === 'open') observed.before('open', () => undefined)
      if (call === 'write') observed.before('write', () => undefined)
      observed.fail(call, 'EIO')
      await expect(adapter.append('a', 1, ['1'])).rejects.toMatchObject({ code: 'UNCERTAIN' })
      await other.append('a', 2, ['2'])
      expect(await readAll(other, 'a')).toEqual(['0', '1', '2'])
      expect(readdirSync(join(path, '..'))).toEqual(['a.jsonl'])
    },
  )

  test('a folder that cannot be flushed leaves the append uncertain', async () => {
    const { adapter, observed } = setUp()
    await adapter.append('a', 0, ['0'])
    observed.fail('flushFolder', 'EIO')
    await expect(adapter.append('b', 0, ['0'])).rejects.toMatchObject({ code: 'UNCERTAIN' })
  })
})

describe('what goes wrong in a write', () => {
  test('a short write counts for nothing; its rest is never written; the next append spoils it', async () => {
    const { adapter, observed, other, path } = setUp()
    await adapter.append('a', 0, ['"first"'])
    const before = readFileSync(path)
    observed.before('write', (file, bytes) => localFileSystem.write(file, bytes.subarray(0, bytes.length - 1)))
    await expect(adapter.append('a', 1, ['"torn"', '"too"'])).rejects.toMatchObject({ code: 'QUOTA', written: 'no' })
    expect(await readAll(other, 'a')).toEqual(['"first"'])
    await adapter.append('a', 1, ['"second"'])
    await other.append('a', 2, ['"third"'])
    expect(await readAll(adapter, 'a')).toEqual(['"first"', '"second"', '"third"'])
    expect(readFileSync(path, 'latin1').slice(before.length)).toMatch(
      /^[^\n]+\n[^\n]+"torn|too"[^\n]+null\n\{"at":1,[^\n]+\n\{"at":2,[^\n]+\n$/,
    )
    // The marker, two appends, and once before a file is gone on with that was opened again.
    expect(observed.counts.flush).toBe(4)
  })

  test.each([
    ['ENOSPC', 'QUOTA', 'no'],
    ['EDQUOT', 'QUOTA', 'no'],
    ['EIO', 'UNCERTAIN', 'unknown'],
  ])('%s is %s, written %s', async (code, expected, written) => {
    const { adapter, observed, other } = setUp()
    await adapter.append('a', 0, ['0'])
    observed.fail('write', code)
    const cause = expected === 'QUOTA' ? { code } : { cause: { code } }
    await expect(adapter.append('a', 1, ['1'])).rejects.toMatchObject({ code: expected, written, cause })
    if (expected === 'QUOTA') await adapter.append('a', 1, ['again'])
    else await other.append('a', 1, ['again'])
    expect(await readAll(adapter, 'a')).toEqual(['0', 'again'])
  })

  test('who cannot see where a write landed is uncertain, and does not build on it', async () => {
    const { adapter, observed, other } = setUp()
    await adapter.append('a', 0, ['0'])
    observed.fail('fstat', 'EIO')
    await expect(adapter.append('a', 1, ['1'])).rejects.toMatchObject({ code: 'UNCERTAIN' })
    await expect(adapter.append('a', 1, ['1'])).rejects.toMatchObject({ code: 'UNCERTAIN' })
    await expect(other.append('a', 1, ['1'])).rejects.toMatchObject({ code: 'CONFLICT', atLeast: 2 })
  })
})

test('arguments of nodeFs that make no sense are TypeErrors', () => {
  expect(() => nodeFs('')).toThrow(TypeError)
  expect(() => nodeFs('x', { durability: 'none' as 'disk' })).toThrow(TypeError)
})
