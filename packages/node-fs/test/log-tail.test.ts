import { appendFileSync, readFileSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { SessionError, type ReadRange, type StorageAdapter } from '@sessiontree/core'
import { describe, expect, test } from 'vitest'
import { encodeBatch, LARGEST_BATCH } from '../src/line.ts'
import { nodeFs, openNodeFs } from '../src/node-fs.ts'
import { freshRoot, ObservedSystem } from './observed-system.ts'

/** What a read delivers, and the error that ends it. */
async function readTo(adapter: StorageAdapter, range: ReadRange = {}) {
  const records: string[] = []
  try {
    for await (const batch of adapter.read('a', range)) records.push(...batch.records)
    return { records, error: undefined }
  } catch (error) {
    if (!SessionError.is(error, 'CORRUPT')) throw error
    return { records, error }
  }
}

/** A log of six records, the last two in one batch if asked for, and the bytes of its file. */
async function logOfSix(last: 1 | 2 = 1) {
  const root = freshRoot()
  const path = join(root, 'log', 'a.jsonl')
  const adapter = nodeFs(root, { durability: 'process' })
  const texts = Array.from({ length: 6 }, (_, i) => `"record ${i}"`)
  for (let at = 0; at < 6 - last + 1; at++) {
    await adapter.append('a', at, texts.slice(at, at === 6 - last ? 6 : at + 1))
  }
  const bytes = readFileSync(path)
  const starts = Array.from({ length: 6 }, (_, i) => bytes.indexOf(`{"at":${i},`))
  return { path, texts, bytes, starts, open: () => nodeFs(root, { durability: 'process' }) }
}

describe('damage at the end of a log', () => {
  test('cut at every byte of its last three records: what is before is read, and the next append with it', async () => {
    const { path, texts, bytes, starts, open } = await logOfSix()
    for (let size = starts[3] ?? 0; size <= bytes.length; size++) {
      writeFileSync(path, bytes.subarray(0, size))
      const length = starts.filter((_, i) => (starts[i + 1] ?? bytes.length) <= size).length
      // A cut is what a torn write leaves.
      expect(await readTo(open()), `${size} bytes`).toEqual({ records: texts.slice(0, length), error: undefined })
      await open().append('a', length, ['"next"'])
      expect((await readTo(open())).records).toEqual([...texts.slice(0, length), '"next"'])
    }
  })

  test.each([1, 4, 0x20, 0x80])(
    'every byte of the last record xor %i: told by position; an append goes on there',
    async (mask) => {
      const { path, texts, bytes, starts, open } = await logOfSix()
      for (let at = starts[5] ?? 0; at < bytes.length; at++) {
        const flipped = Buffer.from(bytes)
        flipped.writeUInt8(flipped.readUInt8(at) ^ mask, at)
        writeFileSync(path, flipped)
        const where = `${path}, line 6, byte ${starts[5]}`
        for (const range of [{}, { reverse: true }, { from: 5 }, { from: 6 }, { from: 5, reverse: true }]) {
          const { records, error } = await readTo(open(), range)
          expect(error, `byte ${at}`).toMatchObject({ code: 'CORRUPT', log: 'a', at: 5, where })
          expect(records.toSorted()).toEqual('from' in range ? [] : texts.slice(0, 5))
        }
        const sound = [
          { salvage: true },
          { to: 5 },
          { limit: 5 },
          { to: 5, reverse: true },
          { limit: 5, reverse: true },
        ]
        for (const range of sound) {
          const { records, error } = await readTo(open(), range)
          expect([error, records.toSorted()]).toEqual([undefined, texts.slice(0, 5)])
        }
        await open().append('a', 5, ['"next"'])
        expect(await readTo(open())).toEqual({ records: [...texts.slice(0, 5), '"next"'], error: undefined })
      }
    },
  )

  test('every byte of the record before: a gap, whose error names its place, and nothing is overwritten', async () => {
    const { path, texts, bytes, starts, open } = await logOfSix()
    for (let at = starts[4] ?? 0; at < (starts[5] ?? 0); at++) {
      const flipped = Buffer.from(bytes)
      flipped.writeUInt8(flipped.readUInt8(at) ^ 1, at)
      writeFileSync(path, flipped)
      const forward = await readTo(open())
      expect(forward.error, `byte ${at}`).toMatchObject({ at: 4, where: `${path}, line 5, byte ${starts[4]}` })
      expect(forward.records).toEqual(texts.slice(0, 4))
      expect((await readTo(open(), { reverse: true })).error).toMatchObject({ at: 4 })
      expect((await readTo(open(), { salvage: true })).records).toEqual([...texts.slice(0, 4), texts[5]])
      await expect(open().append('a', 4, ['x'])).rejects.toMatchObject({ code: 'CONFLICT', atLeast: 6 })
      await open().append('a', 6, ['"next"'])
      expect(readFileSync(path).subarray(0, bytes.length)).toEqual(flipped)
    }
  })

  test('every byte of a last batch of two: nobody may take the index of the record that is whole', async () => {
    const { path, texts, bytes, starts, open } = await logOfSix(2)
    for (let at = starts[4] ?? 0; at < bytes.length; at++) {
      const flipped = Buffer.from(bytes)
      flipped.writeUInt8(flipped.readUInt8(at) ^ 1, at)
      writeFileSync(path, flipped)
      for (const next of [3, 4, 5, 6]) {
        await expect(open().append('a', next, ['x']), `byte ${at}`).rejects.toMatchObject({
          code: 'CORRUPT',
          at: 4,
          written: 'no',
        })
      }
      expect(await readTo(open())).toMatchObject({ records: texts.slice(0, 4), error: { at: 4 } })
      expect(await readTo(open(), { reverse: true, limit: 1 })).toMatchObject({ records: [], error: { at: 4 } })
      expect((await readTo(open(), { reverse: true, salvage: true })).records).toHaveLength(4)
      expect(readFileSync(path)).toEqual(flipped)
    }
  })

  test.each([200, 700])('%i NUL bytes, in the middle, at the end, and behind it', async (length) => {
    const { path, texts, bytes, starts, open } = await logOfSix()
    const inside = Buffer.from(bytes).fill(0, (starts[2] ?? 0) - 20, (starts[2] ?? 0) + 30)
    writeFileSync(path, inside)
    expect(await readTo(open())).toMatchObject({ records: texts.slice(0, 1), error: { at: 1 } })
    expect((await readTo(open(), { salvage: true })).records).toEqual([texts[0], ...texts.slice(3)])
    await open().append('a', 6, ['"next"'])

    const behind = Buffer.concat([bytes, Buffer.alloc(length)])
    const atEnd = Buffer.from(bytes).fill(0, (starts[5] ?? 0) + 3)
    for (const [damaged, sound] of [
      [behind, 6],
      [atEnd, 5],
    ] as const) {
      writeFileSync(path, damaged)
      const { records, error } = await readTo(open())
      expect(records).toEqual(texts.slice(0, sound))
      expect(error).toMatchObject({
        at: sound,
        where: `${path}, line ${sound + 1}, byte ${starts[sound] ?? bytes.length}`,
      })
      await open().append('a', sound, ['"next"'])
      expect(await readTo(open())).toEqual({ records: [...texts.slice(0, sound), '"next"'], error: undefined })
    }
  })

  test('the last two records: nobody may take the index of the first', async () => {
    const { path, texts, bytes, starts, open } = await logOfSix()
    const flipped = Buffer.from(bytes)
    for (const at of [4, 5]) flipped.write('#', (starts[at] ?? 0) + 60)
    writeFileSync(path, flipped)
    expect(await readTo(open())).toMatchObject({ records: texts.slice(0, 4), error: { at: 4 } })
    for (const at of [4, 5, 6])
      await expect(open().append('a', at, ['x'])).rejects.toMatchObject({ code: 'CORRUPT', at: 4 })
    expect(readFileSync(path)).toEqual(flipped)
  })

  test('a log of nothing but damage is not an empty one', async () => {
    const { path, open } = await logOfSix()
    writeFileSync(path, 'x'.repeat(50))
    for (const range of [{}, { reverse: true, limit: 1 }, { from: 3 }]) {
      expect((await readTo(open(), range)).error).toMatchObject({ at: 0 })
    }
    expect((await readTo(open(), { salvage: true })).error).toBeUndefined()
  })
})

test('a hole of 140 MiB in a log is passed over in windows, and takes no more than its own record along', async () => {
  const { path, texts, bytes } = await logOfSix()
  const pos = 140 * 2 ** 20
  const behind = encodeBatch({ at: 6, pos, by: 'behind', body: 'record' }, ['"behind"'])
  for (const terminated of [false, true]) {
    writeFileSync(path, bytes)
    truncateSync(path, pos)
    appendFileSync(path, behind)
    if (terminated)
      appendFileSync(path, encodeBatch({ at: 7, pos: pos + behind.length, by: 'x', body: 'record' }, ['7']))
    const observed = new ObservedSystem()
    let largest = 0
    const read = observed.system.read
    const system = {
      ...observed.system,
      read: (file: number, into: Buffer, from: number, position: number) => {
        largest = Math.max(largest, into.length)
        return read(file, into, from, position)
      },
    }
    const adapter = openNodeFs(join(path, '../..'), { durability: 'process' }, system)
    const rest = ['"behind"', ...(terminated ? ['7'] : [])]
    expect((await readTo(adapter)).records).toEqual([...texts, ...rest])
    expect((await readTo(adapter, { reverse: true })).records.toSorted()).toEqual([...texts, ...rest].toSorted())
    expect((await readTo(adapter, { from: 6, limit: 1 })).records).toEqual(['"behind"'])
    await adapter.append('a', 6 + rest.length, ['"next"'])
    expect(largest).toBeLessThanOrEqual(2 * LARGEST_BATCH)
  }
})
