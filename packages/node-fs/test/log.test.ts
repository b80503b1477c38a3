import {
  appendFileSync,
  existsSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  statSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { encodeBatch } from '../src/line.ts'
import { nodeFs, openNodeFs, type NodeFsOptions } from '../src/node-fs.ts'
import { freshRoot, impatientClock, ObservedSystem, readAll } from './observed-system.ts'

function setUp(options: NodeFsOptions = {}) {
  const root = freshRoot()
  const observed = new ObservedSystem()
  const adapter = openNodeFs(root, options, observed.system)
  return { root, observed, adapter, other: nodeFs(root), path: join(root, 'log', 'a.jsonl') }
}

/** Lets another process append a whole batch to a file. */
function intrude(path: string, at: number, texts: readonly string[], body: 'record' | 'next' = 'record'): void {
  appendFileSync(path, encodeBatch({ at, pos: statSync(path).size, by: 'intruder', body }, texts))
}

/** What a writer leaves whom others kept from its place. */
const displaced = encodeBatch({ at: 1, pos: 7, by: 'slow', body: 'record' }, ['"void"'])

describe('two writers at one place', () => {
  test('of two equal batches only one is acknowledged (schedule 6)', async () => {
    const { adapter, observed, path } = setUp()
    await adapter.append('a', 0, ['0'])
    observed.before('write', () => intrude(path, 1, ['"same"']))
    await expect(adapter.append('a', 1, ['"same"'])).rejects.toMatchObject({
      code: 'CONFLICT',
      atLeast: 2,
      written: 'no',
    })
    expect(await readAll(adapter, 'a')).toEqual(['0', '"same"'])
    await adapter.append('a', 2, ['2'])
    expect(await readAll(adapter, 'a')).toEqual(['0', '"same"', '2'])
  })

  test('who was first and then followed by others knows that it won', async () => {
    const { adapter, observed, path } = setUp()
    await adapter.append('a', 0, ['0'])
    observed.before('fstat', () => intrude(path, 2, ['"follower"']))
    await adapter.append('a', 1, ['"mine"'])
    expect(await readAll(adapter, 'a')).toEqual(['0', '"mine"', '"follower"'])
    await adapter.append('a', 3, ['3'])
  })

  test('void bytes in the way cost a pause with jitter and another try', async () => {
    const { clock, pauses } = impatientClock()
    const random = { bytes: (length: number) => new Uint8Array(length).fill(128) }
    const { adapter, observed, path } = setUp({ clock, random })
    await adapter.append('a', 0, ['0'])
    for (let i = 0; i < 7; i++)
      observed.before('write', () => appendFileSync(path, i % 2 === 0 ? '{"at":1,"pos' : displaced))
    await adapter.append('a', 1, ['1', '2'])
    expect(await readAll(adapter, 'a')).toEqual(['0', '1', '2'])
    const half = 0x80808080 / 2 ** 32
    expect(pauses).toEqual([2, 4, 8, 16, 20, 20, 20].map((longest) => longest * half))
  })

  test('an abort ends the pauses, with nothing written', async () => {
    const { adapter, observed, path } = setUp({ clock: { now: () => 0, elapsed: () => 0, timer: () => () => {} } })
    await adapter.append('a', 0, ['0'])
    const controller = new AbortController()
    observed.before('write', () => appendFileSync(path, '{"at":1'))
    const appended = adapter.append('a', 1, ['1'], { signal: controller.signal })
    setImmediate(() => controller.abort(new Error('enough')))
    await expect(appended).rejects.toThrow('enough')
    expect(await readAll(adapter, 'a')).toEqual(['0'])
  })

  test('who never gets through is told BUSY', async () => {
    const { adapter, observed, path } = setUp({ clock: impatientClock().clock })
    await adapter.append('a', 0, ['0'])
    for (let i = 0; i < 64; i++) observed.before('write', () => appendFileSync(path, displaced))
    await expect(adapter.append('a', 1, ['1'])).rejects.toMatchObject({ code: 'BUSY', retry: true, written: 'no' })
    await adapter.append('a', 1, ['1'])
  })
})

describe('a log that is dropped meanwhile', () => {
  test('an append into a file that has lost its name is CONFLICT (schedule 7)', async () => {
    const { adapter, other, path } = setUp()
    await adapter.append('a', 0, ['0'])
    await other.drop('a')
    await expect(adapter.append('a', 1, ['1'])).rejects.toMatchObject({ code: 'CONFLICT', atLeast: 0 })
    expect(existsSync(path)).toBe(false)
  })

  test('also between its look and its write, and the first append does not create it again', async () => {
    const { adapter, observed, path } = setUp()
    await adapter.append('b', 0, ['makes the store'])
    observed.before('write', () => unlinkSync(path))
    await expect(adapter.append('a', 0, ['0'])).rejects.toMatchObject({ code: 'CONFLICT', atLeast: 0 })
    expect(existsSync(path)).toBe(false)
  })

  test('a handle with a file of before goes on in the log that has the name now', async () => {
    const { adapter, other } = setUp()
    await adapter.append('a', 0, ['0', '1'])
    await other.drop('a', { forget: true })
    await other.append('a', 0, ['"new"'])
    await expect(adapter.append('a', 2, ['2'])).rejects.toMatchObject({ code: 'CONFLICT', atLeast: 1 })
    await adapter.append('a', 1, ['"more"'])
    expect(await readAll(other, 'a')).toEqual(['"new"', '"more"'])
  })

  test('an append that waits for its flush keeps its file open until then', async () => {
    const { adapter, observed, other } = setUp()
    await adapter.append('a', 0, ['0'])
    const release = Promise.withResolvers<void>()
    observed.before('flush', () => release.promise)
    const appended = adapter.append('a', 1, ['1'])
    await new Promise((resolve) => setImmediate(resolve))
    await adapter.drop('a')
    release.resolve()
    await appended
    expect(await readAll(other, 'a')).toEqual([])
    expect(observed.openFiles).toBe(0)
  })

  test('an append behind the end of a log that does not exist makes no file', async () => {
    const { adapter, path } = setUp()
    await expect(adapter.append('a', 1, ['1'])).rejects.toMatchObject({ code: 'CONFLICT', atLeast: 0 })
    expect(existsSync(path)).toBe(false)
  })

  test('drop flushes the folder, and with forget removes the folders of the name', async () => {
    const { adapter, root } = setUp()
    await adapter.append('a/b/c', 0, ['0'])
    await adapter.append('a/d', 0, ['0'])
    const observed = new ObservedSystem()
    const dropper = openNodeFs(root, {}, observed.system)
    const flushed: string[] = []
    observed.before('flushFolder', (path) => void flushed.push(path))
    await dropper.drop('a/b/c')
    expect(flushed).toEqual([join(root, 'log/a/b')])
    await dropper.drop('a/b/c', { forget: true })
    expect(readdirSync(join(root, 'log/a'))).toEqual(['d.jsonl'])
    await dropper.drop('a/d', { forget: true })
    expect(readdirSync(join(root, 'log'))).toEqual([])
    await adapter.append('a/b/c', 0, ['"anew"'])
    expect(await readAll(dropper, 'a/b/c')).toEqual(['"anew"'])
  })

  test('a folder that vanishes under a first append is made again', async () => {
    const { adapter, observed, root } = setUp()
    await adapter.append('b', 0, ['makes the store'])
    observed.before('open', () => undefined)
    observed.before('open', () => rmdirSync(join(root, 'log/x')))
    observed.reset()
    await adapter.append('x/y', 0, ['0'])
    expect(observed.counts).toMatchObject({ open: 3, makeFolder: 2 })
    expect(await readAll(adapter, 'x/y')).toEqual(['0'])
  })
})

/** A log of five records, the third of which is damaged. */
async function damagedLog() {
  const { root, adapter, path } = setUp()
  for (let at = 0; at < 5; at++) await adapter.append('a', at, [`"record ${at}"`])
  writeFileSync(path, readFileSync(path, 'latin1').replace('record 2', 'record #'))
  return { root, path, fresh: nodeFs(root) }
}

describe('a damaged log', () => {
  test('is read up to the missing record, which the error names; its sound tail takes appends', async () => {
    const { fresh, path } = await damagedLog()
    const seen: string[] = []
    const reading = (async () => {
      for await (const { records } of fresh.read('a')) seen.push(...records)
    })()
    await expect(reading).rejects.toMatchObject({
      code: 'CORRUPT',
      at: 2,
      log: 'a',
      where: `${path}, line 3, byte ${readFileSync(path).indexOf('{"at":2')}`,
    })
    expect(seen).toEqual(['"record 0"', '"record 1"'])
    await expect(fresh.append('a', 2, ['2'])).rejects.toMatchObject({ code: 'CONFLICT', atLeast: 5 })
    await fresh.append('a', 5, ['"closed"'])
    for await (const { records } of fresh.read('a', { from: 5 })) expect(records).toEqual(['"closed"'])
  })

  test('with salvage is read on behind the gap', async () => {
    const { fresh } = await damagedLog()
    for (const reverse of [false, true]) {
      const pages = []
      for await (const page of fresh.read('a', { salvage: true, reverse })) pages.push(page)
      const ascending = [
        { at: 0, records: ['"record 0"', '"record 1"'] },
        { at: 3, records: ['"record 3"', '"record 4"'] },
      ]
      expect(pages).toEqual(reverse ? ascending.toReversed() : ascending)
    }
  })

  test('that shrank under a handle is CORRUPT, not shorter', async () => {
    const { adapter, path } = setUp()
    for (let at = 0; at < 3; at++) await adapter.append('a', at, [`"record ${at}"`])
    truncateSync(path, 100)
    await expect(adapter.append('a', 1, ['1'])).rejects.toMatchObject({ code: 'CORRUPT' })
  })
})

test('drop tells how many bytes it took away', async () => {
  const { adapter, path } = setUp()
  await adapter.append('a', 0, ['0', '1'])
  writeFileSync(`${path}+1+left`, 'a copy that nobody needs')
  const bytes = statSync(path).size + statSync(`${path}+1+left`).size
  expect(await adapter.drop('a')).toEqual({ bytes })
  expect(readdirSync(join(path, '..'))).toEqual([])
  expect(await adapter.drop('a')).toEqual({ bytes: 0 })
})

test('a log whose file was sealed goes on in the file that the seal names', async () => {
  const { root, adapter, path } = setUp()
  await adapter.append('a', 0, ['0', '1'])
  const text = readFileSync(path)
  writeFileSync(`${path}+2+copy`, text)
  intrude(path, 2, ['"a.jsonl+2+copy"'], 'next')
  const reader = nodeFs(root)
  expect(await readAll(reader, 'a')).toEqual(['0', '1'])
  await adapter.append('a', 2, ['2'])
  expect(readdirSync(join(root, 'log'))).toEqual(['a.jsonl'])
  expect(readFileSync(path, 'latin1')).not.toContain('next')
  expect(await readAll(reader, 'a')).toEqual(['0', '1', '2'])
})
