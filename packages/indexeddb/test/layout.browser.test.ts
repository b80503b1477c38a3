import { expect, test, vi } from 'vitest'
import { withoutGetAllRecords } from './factory.ts'
import { collect, Count, rig } from './rig.ts'

const times = (count: number, record: string) => Array.from({ length: count }, () => record)
const LONGEST_INLINE = JSON.stringify('x'.repeat(16_382))
const LARGE = JSON.stringify('x'.repeat(16_383))

// What is stored is public: a release that stores it in another way cannot be told from damage.
test('the stores hold what docs/decisions/0003-indexeddb.md says', async () => {
  const { open, raw } = rig()
  let byte = 0
  const adapter = open({ random: { bytes: (length) => new Uint8Array(length).fill(byte++) } })
  await adapter.append('a/log', 0, ['"first"', LARGE, LONGEST_INLINE])
  await adapter.append('a/dropped', 0, [LARGE])
  await adapter.drop('a/dropped')
  await adapter.append('a/forgotten', 0, [LARGE])
  await adapter.drop('a/forgotten', { forget: true })
  const version = await adapter.put('a/document', '"one"', { expect: 'absent' })
  expect(await adapter.put('a/document', '"two"', { expect: version })).toBe('02'.repeat(12))
  await adapter.put('a/removed', '"one"', { expect: 'absent' })
  await adapter.remove('a/removed')
  const database = await raw()
  expect(database.version).toBe(1)
  expect([...database.objectStoreNames]).toEqual(['documents', `identity:${'00'.repeat(12)}`, 'large', 'records'])
  expect(await database.getAllKeys('records')).toEqual([
    ['a/dropped', -1],
    ['a/log', 0],
    ['a/log', 1],
    ['a/log', 2],
  ])
  expect(await database.getAll('records')).toEqual([0, '"first"', 16_385, LONGEST_INLINE])
  expect(await database.getAllKeys('large')).toEqual([['a/log', 1]])
  expect(await database.getAll('large')).toEqual([LARGE])
  expect(await database.getAllKeys('documents')).toEqual(['a/document'])
  expect(await database.getAll('documents')).toEqual([{ value: '"two"', version: '02'.repeat(12) }])
})

test('one transaction for an append, a get, a put, and a read or list of what readAhead and limit ask for', async () => {
  const { open } = rig()
  const count = new Count()
  const adapter = open({}, count.see)
  const record = JSON.stringify('r'.repeat(198))
  for (let at = 0; at < 3000; at += 1000) await adapter.append('log', at, times(1000, record))
  expect(await count.of(() => adapter.append('log', 3000, [record]))).toBe(1)
  expect(await count.of(() => adapter.append('log', 3001, times(64, record)))).toBe(1)
  expect(await count.of(() => collect(adapter.read('log', { reverse: true, limit: 1 })))).toBe(1)
  expect(await count.of(() => collect(adapter.read('log', { reverse: true, limit: 50 })))).toBe(1)
  expect(await count.of(() => collect(adapter.read('log', { limit: 50 })))).toBe(1)
  expect(await count.of(() => collect(adapter.read('log', { reverse: true, limit: 327 })))).toBe(1)
  expect(await count.of(() => collect(adapter.read('log', { readAhead: Infinity })))).toBe(1)
  expect(await count.of(() => collect(adapter.read('log', { readAhead: 1 })))).toBeLessThanOrEqual(20)
  const put = (i: number) => adapter.put(`documents/${i}`, '"value"', { expect: 'absent' })
  expect(await count.of(() => put(0))).toBe(1)
  for (let i = 1; i < 40; i++) await put(i)
  expect(await count.of(() => adapter.get('documents/7'))).toBe(1)
  expect(await count.of(() => collect(adapter.keys('documents', { limit: 20 })))).toBe(1)
  expect(await count.of(() => collect(adapter.keys('documents')))).toBe(1)
  expect(await count.of(() => collect(adapter.logs('')))).toBe(1)
})

test('opening costs no transaction beside the one that creates the stores', async () => {
  const { open } = rig()
  await open().get('document')
  const count = new Count()
  const adapter = open({}, count.see)
  expect(
    await count.of(() => Promise.all([adapter.get('document'), adapter.put('other', '1', { expect: 'absent' })])),
  ).toBe(2)
})

test('documents asked for in one go share a transaction, and each caller has its own answer', async () => {
  const { open, raw } = rig()
  const count = new Count()
  const adapter = open({}, count.see)
  const keys = Array.from({ length: 20 }, (_, i) => `documents/${i}`)
  await Promise.all(keys.map((key) => adapter.put(key, `"${key}"`, { expect: 'absent' })))
  await (await raw()).put('documents', { damaged: true }, 'documents/7')
  const controller = new AbortController()
  controller.abort(new RangeError('enough'))
  let answers: PromiseSettledResult<unknown>[] = []
  const asked = () =>
    Promise.allSettled([
      ...keys.map((key) => adapter.get(key)),
      adapter.get('documents/none'),
      adapter.get('documents/1', { signal: controller.signal }),
    ])
  expect(await count.of(async () => (answers = await asked()))).toBe(1)
  for (const [i, key] of keys.entries()) {
    if (i === 7) expect(answers[i]).toMatchObject({ status: 'rejected', reason: { code: 'CORRUPT' } })
    else expect(answers[i]).toMatchObject({ status: 'fulfilled', value: { value: `"${key}"` } })
  }
  expect(answers[20]).toEqual({ status: 'fulfilled', value: undefined })
  expect(answers[21]).toMatchObject({ status: 'rejected', reason: { message: 'enough' } })
  // What was written before the call is seen by it.
  const reading = adapter.get('documents/0')
  const { version } = (await reading) ?? { version: '' }
  await adapter.put('documents/0', '"new"', { expect: version })
  expect(await adapter.get('documents/0')).toMatchObject({ value: '"new"' })
})

test('small records are read without their large neighbours, and large ones a few at a time', async () => {
  const { open } = rig()
  const adapter = open()
  const records = Array.from({ length: 40 }, (_, i) => (i % 4 === 1 ? `"${String(i % 10).repeat(200_000)}"` : `"${i}"`))
  await adapter.append('log', 0, records)
  const get = vi.spyOn(IDBObjectStore.prototype, 'get')
  try {
    expect(await collect(adapter.read('log', { from: 38, limit: 1 }))).toEqual([{ at: 38, records: ['"38"'] }])
    expect(get).not.toHaveBeenCalled()
    for (const reverse of [false, true]) {
      for await (const { records: found } of adapter.read('log', { reverse, readAhead: 1000 })) {
        expect(found.length).toBeGreaterThan(0)
        // The first large record is more than was asked for: no other is touched.
        expect(get.mock.calls.length).toBe(1)
        break
      }
      get.mockClear()
    }
  } finally {
    get.mockRestore()
  }
  expect((await collect(adapter.read('log'))).flatMap((batch) => batch.records)).toEqual(records)
  const backwards = await collect(adapter.read('log', { reverse: true }))
  expect(backwards.toReversed().flatMap((batch) => batch.records)).toEqual(records)
})

test.each(['getAllRecords', 'getAll'] as const)(
  'with %s, one step of a read loads and holds a bounded number of records, whatever their size',
  async (method) => {
    const { open } = rig()
    const adapter = open({}, method === 'getAll' ? withoutGetAllRecords : undefined)
    const record = JSON.stringify('r'.repeat(16_000))
    for (let at = 0; at < 600; at += 200) await adapter.append('log', at, times(200, record))
    await adapter.append('log', 600, times(1000, '"small"'))
    const spy = vi.spyOn(IDBObjectStore.prototype, method as 'getAll')
    const loaded = () => spy.mock.results.map(({ value }) => (value as IDBRequest<unknown[]>).result.length)
    try {
      const pages: number[] = []
      for await (const { records } of adapter.read('log', { to: 600 })) pages.push(records.length)
      expect(pages.reduce((sum, page) => sum + page)).toBe(600)
      expect(pages[0]).toBe(5)
      expect(Math.max(...pages)).toBeLessThanOrEqual(Math.ceil(1_048_576 / 16_000))
      // Only the first step does not know how large records are here.
      expect(loaded()[0]).toBe(64)
      expect(Math.max(...loaded().slice(1))).toBeLessThanOrEqual(Math.ceil(1_048_576 / 16_000))
      spy.mockClear()
      await collect(adapter.read('log', { from: 600 }))
      expect(Math.max(...loaded())).toBe(128)
      for (const range of [{ limit: 3 }, { reverse: true, limit: 3 }, { from: 900, to: 903 }]) {
        spy.mockClear()
        const batches = await collect(adapter.read('log', range))
        expect(batches.flatMap(({ records }) => records).length).toBe(3)
        expect(loaded()).toEqual([3])
      }
    } finally {
      spy.mockRestore()
    }
  },
)

test('listing documents reads keys only, a thousand a transaction', async () => {
  const { open } = rig()
  const count = new Count()
  const adapter = open({}, count.see)
  const keys = Array.from({ length: 1001 }, (_, i) => `d/${String(i).padStart(4, '0')}`)
  await Promise.all(keys.map((key) => adapter.put(key, '"value"', { expect: 'absent' })))
  const spies = (['get', 'getAll', 'openCursor'] as const).map((method) => vi.spyOn(IDBObjectStore.prototype, method))
  try {
    let pages: (readonly string[])[] = []
    expect(await count.of(async () => (pages = await collect(adapter.keys('d'))))).toBe(2)
    expect(pages.map((page) => page.length)).toEqual([1000, 1])
    expect(pages.flat()).toEqual(keys)
    for (const spy of spies) expect(spy).not.toHaveBeenCalled()
  } finally {
    for (const spy of spies) spy.mockRestore()
  }
})

test('logs are found by a jump for each, whatever they hold, and dropped ones are not', async () => {
  const { open } = rig()
  const adapter = open()
  const names = Array.from({ length: 300 }, (_, i) => `logs/${String(i).padStart(3, '0')}`)
  for (const name of names) await adapter.append(name, 0, ['"1"', '"2"', '"3"'])
  for (const name of names.filter((_, i) => i % 3 === 0)) await adapter.drop(name)
  const rest = names.filter((_, i) => i % 3 !== 0)
  expect((await collect(adapter.logs('logs'))).flat()).toEqual(rest)
  expect((await collect(adapter.logs('', { after: 'logs/100', limit: 7 }))).flat()).toEqual(rest.slice(67, 74))
  // "0" is the character behind "/": the first name that is not below the prefix any more.
  for (const after of ['logs/299', 'logs0', 'logs0/a', 'z']) {
    expect(await collect(adapter.logs('logs', { after }))).toEqual([])
    expect(await collect(adapter.keys('logs', { after }))).toEqual([])
  }
})
