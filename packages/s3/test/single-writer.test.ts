import { expect, test } from 'vitest'
import { hurriedClock, recordPuts } from './servers.ts'
import { store, stub, useStub } from './stub-store.ts'

// A store that takes no notice of conditions, and a handle that knows it.

useStub({ ignoreConditions: true })

const open = () => store.open({ singleWriter: true })

async function log(): Promise<string[]> {
  return (await Array.fromAsync(open().read('log'))).flatMap(({ records }) => records)
}

test('says so in its capabilities', () => {
  expect(open().capabilities).toEqual({ durability: 'remote', sharing: 'none', watch: false })
  expect(store.open().capabilities).toEqual({ durability: 'remote', sharing: 'network', watch: false })
})

test('sends no condition', async () => {
  const client = store.newClient()
  const puts = recordPuts(client)
  const adapter = store.open({ client, singleWriter: true })
  await adapter.append('log', 0, ['0'])
  await adapter.put('doc', '2', { expect: await adapter.put('doc', '1', { expect: 'absent' }) })
  await adapter.remove('doc', { forget: true })
  await adapter.drop('log')
  expect(puts.length).toBe(7)
  for (const put of puts) expect([put.IfMatch, put.IfNoneMatch]).toEqual([undefined, undefined])
})

test('of several appends at one index one wins, and of several puts one', async () => {
  const adapter = open()
  const appends = await Promise.allSettled([0, 1, 2, 3].map((i) => adapter.append('log', 0, [String(i)])))
  expect(appends.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'rejected', 'rejected'])
  for (const result of appends.slice(1)) expect(result).toMatchObject({ reason: { code: 'CONFLICT', atLeast: 1 } })
  expect(await log()).toEqual(['0'])
  const version = await adapter.put('doc', '0', { expect: 'absent' })
  const puts = await Promise.allSettled([1, 2, 3].map((i) => adapter.put('doc', String(i), { expect: version })))
  expect(puts.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'rejected'])
  expect((await adapter.get('doc'))?.value).toBe('1')
  for (const old of ['absent', version]) {
    await expect(adapter.put('doc', '"stale"', { expect: old })).rejects.toMatchObject({ code: 'CONFLICT' })
    await expect(open().put('doc', '"stale"', { expect: old })).rejects.toMatchObject({ code: 'CONFLICT' })
  }
})

test('a lost answer is settled by the same bytes again', async () => {
  const adapter = store.open({ client: store.newClient({ maxAttempts: 1 }), clock: hurriedClock, singleWriter: true })
  stub.inject('swallow', { operation: 'PutObject', times: 2 })
  await adapter.append('log', 0, ['0'])
  stub.inject({ status: 500, code: 'InternalError', done: true }, { operation: 'PutObject' })
  const version = await adapter.put('doc', '1', { expect: 'absent' })
  expect(await log()).toEqual(['0'])
  expect(await open().get('doc')).toEqual({ value: '1', version })
})

test('a dropped log and a removed document stay gone', async () => {
  const adapter = open()
  await adapter.append('log', 0, ['0'])
  await adapter.drop('log')
  await expect(adapter.append('log', 1, ['1'])).rejects.toMatchObject({ code: 'CONFLICT' })
  expect(await log()).toEqual([])
  await adapter.put('doc', '1', { expect: 'absent' })
  await adapter.remove('doc')
  expect(await adapter.get('doc')).toBeUndefined()
  await adapter.put('doc', '2', { expect: 'absent' })
  expect((await adapter.get('doc'))?.value).toBe('2')
})
