import { SessionError, type ReadRange, type RecordBatch, type StorageAdapter } from '@sessiontree/core'
import { expect, test } from 'vitest'
import { withoutGetAllRecords } from './factory.ts'
import { collect, rig } from './rig.ts'

const LARGE = `"${'x'.repeat(70_000)}"`

async function until(adapter: StorageAdapter, range: ReadRange): Promise<{ batches: RecordBatch[]; error: unknown }> {
  const batches: RecordBatch[] = []
  try {
    for await (const batch of adapter.read('log', range)) batches.push(batch)
  } catch (error) {
    return { batches, error }
  }
  return { batches, error: undefined }
}

test.each([
  ['getAllRecords', undefined],
  ['getAll', withoutGetAllRecords],
])(
  'with %s, a hole is CORRUPT at its edge, after what lies before it; salvage reads on behind it',
  async (...[, without]) => {
    const { open, raw, name } = rig()
    const adapter = open({}, without)
    const records = Array.from({ length: 10 }, (_, i) => (i === 7 ? LARGE : `"${i}"`))
    await adapter.append('log', 0, records)
    const database = await raw()
    for (const at of [3, 4]) await database.delete('records', ['log', at])
    await database.delete('large', ['log', 7])

    const forward = await until(adapter, {})
    expect(forward.batches).toEqual([{ at: 0, records: records.slice(0, 3) }])
    expect(forward.error).toMatchObject({ code: 'CORRUPT', log: 'log', at: 3, written: 'no' })
    expect(forward.error).toMatchObject({ where: `IndexedDB "${name}", store "records", key ["log",3]` })
    const backward = await until(adapter, { reverse: true })
    expect(backward.batches).toEqual([{ at: 8, records: records.slice(8) }])
    expect(backward.error).toMatchObject({ code: 'CORRUPT', at: 7 })
    expect((await until(adapter, { reverse: true, to: 7 })).error).toMatchObject({ code: 'CORRUPT', at: 4 })
    expect(await until(adapter, { from: 5, to: 7 })).toEqual({
      batches: [{ at: 5, records: ['"5"', '"6"'] }],
      error: undefined,
    })

    const salvaged = [
      { at: 0, records: records.slice(0, 3) },
      { at: 5, records: records.slice(5, 7) },
      { at: 8, records: records.slice(8) },
    ]
    expect(await collect(adapter.read('log', { salvage: true }))).toEqual(salvaged)
    expect(await collect(adapter.read('log', { salvage: true, reverse: true }))).toEqual(salvaged.toReversed())
    expect(await collect(adapter.read('log', { salvage: true, limit: 4 }))).toEqual([
      salvaged[0],
      { at: 5, records: ['"5"'] },
    ])
    // The hole is nobody's end of the log.
    await expect(adapter.append('log', 3, ['"x"'])).rejects.toMatchObject({ code: 'CONFLICT', atLeast: 10 })
    expect((await collect(adapter.logs(''))).flat()).toEqual(['log'])
  },
)

test('a hole of any width is skipped at once', async () => {
  const { open, raw } = rig()
  const adapter = open()
  await adapter.append('log', 0, ['"0"', '"1"'])
  await (await raw()).put('records', '"far"', ['log', 2 ** 40])
  const far = { at: 2 ** 40, records: ['"far"'] }
  const near = { at: 0, records: ['"0"', '"1"'] }
  expect(await collect(adapter.read('log', { salvage: true }))).toEqual([near, far])
  expect(await collect(adapter.read('log', { salvage: true, reverse: true }))).toEqual([far, near])
})

test('a log that is dropped while it is read rejects with DELETED, also when a late append took its place', async () => {
  for (const forget of [false, true]) {
    const { open } = rig()
    const [reader, writer] = [open(), open()]
    const records = Array.from({ length: 300 }, (_, i) => JSON.stringify({ i, text: 'x'.repeat(1000) }))
    await writer.append('log', 0, records)
    const batches = reader.read('log')[Symbol.asyncIterator]()
    const first = await batches.next()
    expect(first.value?.records[0]).toBe(records[0])
    await writer.drop('log', { forget })
    if (forget) await writer.append('log', 0, ['"late"'])
    const rest = collect({ [Symbol.asyncIterator]: () => batches })
    await expect(rest).rejects.toSatisfy((error) => SessionError.is(error, 'DELETED'))
  }
})

test('a dropped name is spent until it is forgotten, without a record left of it', async () => {
  const { open, raw } = rig()
  const [one, other] = [open(), open()]
  await one.append('log', 0, [LARGE, '"1"'])
  await one.append('log.other', 0, [LARGE])
  await other.drop('log')
  await other.drop('log')
  for (const at of [0, 1, 2]) {
    await expect(one.append('log', at, ['"late"'])).rejects.toMatchObject({ code: 'CONFLICT', atLeast: 0 })
  }
  expect(await collect(one.read('log'))).toEqual([])
  const database = await raw()
  expect(await database.getAllKeys('large')).toEqual([['log.other', 0]])
  await other.drop('log', { forget: true })
  expect(await database.getAllKeys('records')).toEqual([['log.other', 0]])
  await other.drop('never')
  expect(await database.count('records')).toBe(1)
})

test('a stored document that is none is CORRUPT, is listed, and can be removed', async () => {
  const { open, raw, name } = rig()
  const adapter = open()
  const version = await adapter.put('a/document', '1', { expect: 'absent' })
  const database = await raw()
  const corrupt = {
    code: 'CORRUPT',
    written: 'no',
    where: `IndexedDB "${name}", store "documents", key "a/document"`,
  }
  for (const damage of ['text', { value: 1, version }, { value: '1' }, {}]) {
    await database.put('documents', damage, 'a/document')
    await expect(adapter.get('a/document')).rejects.toMatchObject(corrupt)
    await expect(adapter.put('a/document', '2', { expect: version })).rejects.toMatchObject(corrupt)
    await expect(adapter.put('a/document', '2', { expect: 'absent' })).rejects.toMatchObject(corrupt)
    await expect(adapter.remove('a/document', { expect: version })).rejects.toMatchObject(corrupt)
    expect(await database.get('documents', 'a/document')).toEqual(damage)
    expect((await collect(adapter.keys('a'))).flat()).toEqual(['a/document'])
  }
  await adapter.remove('a/document')
  expect(await adapter.get('a/document')).toBeUndefined()
})
