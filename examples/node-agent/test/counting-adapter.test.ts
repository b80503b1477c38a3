import { memory } from '@sessiontree/memory'
import { expect, test } from 'vitest'
import { countOperations } from '../src/counting-adapter.ts'

test('counts calls, records and bytes of what succeeded', async () => {
  const { adapter, counts } = countOperations(memory())
  await adapter.append('a', 0, ['"é"', '2'])
  await expect(adapter.append('a', 0, ['3'])).rejects.toMatchObject({ code: 'CONFLICT' })
  const version = await adapter.put('k', '{"x":1}', { expect: 'absent' })
  await expect(adapter.put('k', '{}', { expect: 'absent' })).rejects.toMatchObject({ code: 'CONFLICT' })
  expect((await adapter.get('k'))?.version).toBe(version)
  expect(await adapter.get('none')).toBeUndefined()
  expect(await Array.fromAsync(adapter.read('a', { from: 1 }))).toEqual([{ at: 1, records: ['2'] }])
  await Array.fromAsync(adapter.keys(''))
  await Array.fromAsync(adapter.logs(''))
  expect(counts).toEqual({
    append: { calls: 2, records: 2, bytes: 5 },
    put: { calls: 2, documents: 1, bytes: 7 },
    read: { calls: 1, records: 1, bytes: 1 },
    get: { calls: 2, documents: 1, bytes: 7 },
    keys: { calls: 2 },
  })
})

test('passes the rest through', async () => {
  const inner = memory()
  const { adapter } = countOperations(inner)
  expect([adapter.name, adapter.contract, adapter.capabilities]).toEqual([inner.name, 1, inner.capabilities])
  const woken = new Promise<void>((resolve) => adapter.watch?.('a', resolve, new AbortController().signal))
  await adapter.append('a', 0, ['1'])
  await woken
  await adapter.put('k', '1', { expect: 'absent' })
  await adapter.remove('k')
  expect(await inner.get('k')).toBeUndefined()
  await adapter.drop('a')
  expect(await Array.fromAsync(inner.read('a'))).toEqual([])
  await adapter.close()
  await expect(inner.get('k')).rejects.toMatchObject({ code: 'CLOSED' })
})
