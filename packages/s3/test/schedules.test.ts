import type { StorageAdapter } from '@sessiontree/core'
import type { S3Stub } from '@sessiontree/s3-stub'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import {
  hurriedClock,
  openStore,
  recordPuts,
  sendAgain,
  startStub,
  STUB_BUCKET,
  stubPlace,
  type Store,
} from './servers.ts'

// The schedules that broke simpler designs.

let stub: S3Stub & AsyncDisposable
let store: Store
beforeAll(async () => void (stub = await startStub()))
afterAll(() => stub.close())
beforeEach(() => {
  store = openStore(stubPlace(stub))
  return () => store[Symbol.asyncDispose]()
})

const log = 'session/1'

async function read(adapter: StorageAdapter = store.open(), reverse = false): Promise<string[]> {
  const batches = await Array.fromAsync(adapter.read(log, { reverse }))
  return (reverse ? batches.toReversed() : batches).flatMap(({ records }) => records)
}

/** Reads the log in every way that there is: all of it, its tail, a range in it. */
async function expectLog(records: readonly string[]): Promise<void> {
  expect(await read()).toEqual(records)
  expect(await read(store.open(), true)).toEqual(records)
  for (let from = 0; from < 8; from++) {
    const [batch] = await Array.fromAsync(store.open().read(log, { from, limit: 1 }))
    expect(batch?.records[0]).toBe(records[from])
  }
}

function keys(): string[] {
  const { objects } = stub.bucket(STUB_BUCKET).list({ prefix: store.prefix, delimiter: '', after: '', limit: 1000 })
  return objects.map(([key]) => key.slice(store.prefix.length))
}

describe('appends', () => {
  test('S1: an index inside a batch or past the end is refused without a PUT, by warm and cold handles', async () => {
    const warm = store.open()
    await warm.append(log, 0, ['0', '1', '2', '3', '4'])
    await warm.append(log, 5, ['5'])
    stub.forget()
    for (const adapter of [warm, store.open()]) {
      for (const at of [0, 1, 3, 5, 7, 10, 2000]) {
        await expect(adapter.append(log, at, ['"late"'])).rejects.toMatchObject({ code: 'CONFLICT', written: 'no' })
      }
    }
    expect(stub.count('PutObject')).toBe(0)
    await expectLog(['0', '1', '2', '3', '4', '5'])
  })

  test('S2: a writer that was stopped before its PUT meets what the others wrote', async () => {
    const [stopped, other] = [store.open(), store.open()]
    await stopped.append(log, 0, ['0'])
    await read(other)
    for (let at = 1; at < 140; at++) await other.append(log, at, [String(at)])
    await expect(stopped.append(log, 1, ['"stopped"'])).rejects.toMatchObject({ code: 'CONFLICT', atLeast: 2 })
    expect(await read()).toEqual(Array.from({ length: 140 }, (_, i) => String(i)))
  })

  test('S13: an empty slot decides nothing: a put that was cut may still arrive, and then takes its index', async () => {
    const first = store.open({ client: store.newClient({ maxAttempts: 1 }), clock: hurriedClock })
    await first.append(log, 0, ['0'])
    stub.inject({ late: 200 }, { operation: 'PutObject' })
    stub.inject({ status: 503, code: 'SlowDown' }, { operation: 'PutObject', times: 5 })
    stub.inject({ status: 403, code: 'AccessDenied' }, { operation: 'GetObject' })
    await expect(first.append(log, 1, ['"late"'])).rejects.toMatchObject({ code: 'UNCERTAIN', written: 'unknown' })
    await new Promise((resolve) => setTimeout(resolve, 250))
    await expectLog(['0', '"late"'])
    await expect(first.append(log, 1, ['"other"'])).rejects.toMatchObject({ code: 'CONFLICT', atLeast: 2 })
  })
})

describe('drops', () => {
  let writer: StorageAdapter
  beforeEach(async () => {
    writer = store.open()
    await writer.append(log, 0, ['"a"', '"b"', '"c"'])
    await writer.append(log, 3, ['"d"'])
    await writer.append(log, 4, ['"e"', '"f"', '"g"'])
  })

  test('a drop leaves a marker and a stub at the old length, nothing of the content', async () => {
    await store.open().drop(log)
    expect(keys()).toEqual([`log/${log}!/!`, `log/${log}!/fffffffffff8`])
    for (const [, { body }] of stub
      .bucket(STUB_BUCKET)
      .list({ prefix: store.prefix, delimiter: '', after: '', limit: 9 }).objects) {
      expect(body.length).toBeLessThan(128)
      expect(body.toString()).not.toMatch(/"[a-g]"\n/)
    }
    await store.open().drop(log, { forget: true })
    expect(keys()).toEqual([])
  })

  test('S7: a warm writer is refused at the old length; elsewhere it may leave garbage, never what was erased', async () => {
    const stale = store.open()
    await read(stale)
    await store.open().drop(log)
    stub.forget()
    await expect(writer.append(log, 7, ['"stopped"'])).rejects.toMatchObject({ code: 'CONFLICT', written: 'no' })
    expect(stub.count('ListObjectsV2')).toBe(0)
    await expectLog([])
    await expect(store.open().append(log, 0, ['"cold"'])).rejects.toMatchObject({ code: 'CONFLICT', atLeast: 0 })
    await expect(store.open().append(log, 7, ['"cold"'])).rejects.toMatchObject({ code: 'CONFLICT', atLeast: 0 })
    await expectLog([])
  })

  test('S7: a writer whose end was old already creates an object that repeats erased records: it stays unread', async () => {
    const stale = store.open()
    await Array.fromAsync(stale.read(log, { to: 4, reverse: true }))
    await store.open().drop(log)
    // It has seen that a batch ends at 4, and the slot is free.
    await stale.append(log, 4, ['"stopped"'])
    expect(keys()).toContain(`log/${log}!/fffffffffffb`)
    await expectLog([])
    await store.open().drop(log)
    expect(keys()).toEqual([`log/${log}!/!`, `log/${log}!/fffffffffff8`])
  })

  test('S8: the first object once more, delayed by the network: the log stays empty', async () => {
    const client = store.newClient()
    const puts = recordPuts(client)
    const name = 'session/2'
    await store.open({ client }).append(name, 0, ['"a"'])
    await store.open().drop(name)
    expect(await sendAgain(store.client, puts[0])).toBe(200)
    expect(await Array.fromAsync(store.open().read(name))).toEqual([])
    expect(await Array.fromAsync(store.open().read(name, { from: 0, limit: 1 }))).toEqual([])
    expect(await Array.fromAsync(store.open().read(name, { reverse: true, limit: 1 }))).toEqual([])
  })

  test('S8 in a long log: not even a handle that knows its length reads what came late', async () => {
    const client = store.newClient()
    const puts = recordPuts(client)
    const name = 'session/3'
    const [first, warm] = [store.open({ client }), store.open()]
    for (let at = 0; at < 200; at += 20) await first.append(name, at, range(at, at + 20).map(String))
    await Array.fromAsync(warm.read(name))
    await store.open().drop(name)
    for (const put of puts.slice(0, 9)) expect(await sendAgain(store.client, put)).toBe(200)
    for (const adapter of [warm, store.open(), first]) {
      for (const options of [{}, { reverse: true }, { from: 30, limit: 1 }, { to: 5 }, { to: 5, reverse: true }]) {
        expect(await Array.fromAsync(adapter.read(name, options))).toEqual([])
      }
    }
  })

  test('without its marker, which somebody removed by hand, a dropped log is dropped all the same', async () => {
    await store.open().drop(log)
    stub.bucket(STUB_BUCKET).delete(`${store.prefix}log/${log}!/!`)
    await expectLog([])
    await expect(store.open().append(log, 7, ['"cold"'])).rejects.toMatchObject({ code: 'CONFLICT', atLeast: 0 })
    await expect(store.open().append(log, 0, ['"cold"'])).rejects.toMatchObject({ code: 'CONFLICT', atLeast: 0 })
  })

  test('what the store did not delete is told', async () => {
    const client = store.newClient()
    client.middlewareStack.add(
      (next, context) => async (args) => {
        const result = await next(args)
        if ((context as { commandName?: string }).commandName === 'DeleteObjectsCommand') {
          Object.assign(result.output, { Errors: [{ Key: 'k', Code: 'AccessDenied' }] })
        }
        return result
      },
      { step: 'initialize' },
    )
    await expect(store.open({ client }).drop(log)).rejects.toMatchObject({ code: 'DENIED' })
    await expectLog([])
  })

  test.each([1, 2, 3, 4])(
    'S9: a drop that stops before its request %i of deletion or later leaves an empty log, and can be repeated',
    async (step) => {
      // The steps: marker, stub, delete; each fails for good.
      const operation = step === 1 ? ('ListObjectsV2' as const) : step === 4 ? ('DeleteObjects' as const) : undefined
      if (step === 1) stub.inject({ delay: 0 }, { operation: 'ListObjectsV2' })
      if (operation) stub.inject({ status: 403, code: 'AccessDenied' }, { operation })
      if (step === 2) stub.inject({ status: 403, code: 'AccessDenied' }, { operation: 'GetObject' })
      if (step === 3) stub.inject({ status: 403, code: 'AccessDenied' }, { operation: 'PutObject', key: /fff8$/ })
      await expect(store.open().drop(log)).rejects.toMatchObject({ code: 'DENIED' })
      await expectLog([])
      await store.open().drop(log)
      await expectLog([])
      expect(keys()).toEqual([`log/${log}!/!`, `log/${log}!/fffffffffff8`])
    },
  )

  test('a writer that wins the index just before the stub makes the drop take the next one', async () => {
    stub.inject({ delay: 40 }, { operation: 'PutObject', key: /fff8$/ })
    const dropping = store.open().drop(log)
    while (stub.requests.at(-1)?.operation !== 'GetObject') await new Promise((resolve) => setTimeout(resolve, 1))
    await writer.append(log, 7, ['"h"', '"i"'])
    await dropping
    expect(keys()).toEqual([`log/${log}!/!`, `log/${log}!/fffffffffff6`])
    await expect(writer.append(log, 9, ['"late"'])).rejects.toMatchObject({ code: 'CONFLICT' })
    await expectLog([])
  })

  test('a drop of what never was leaves nothing, and the name can still be used', async () => {
    const adapter = store.open()
    await adapter.drop('never')
    await adapter.drop('never', { forget: true })
    expect(keys().filter((key) => key.includes('never'))).toEqual([])
    await adapter.append('never', 0, ['1'])
  })
})

describe('documents', () => {
  test('S10: free, own, free again: the first version is spent', async () => {
    const adapter = store.open()
    const free = await adapter.put('lease', '"free"', { expect: 'absent' })
    const own = await adapter.put('lease', '"own"', { expect: free })
    const again = await adapter.put('lease', '"free"', { expect: own })
    expect(new Set([free, own, again]).size).toBe(3)
    for (const old of [free, own]) {
      for (const handle of [adapter, store.open()]) {
        await expect(handle.put('lease', '"stale"', { expect: old })).rejects.toMatchObject({ code: 'CONFLICT' })
      }
    }
    expect(await store.open().get('lease')).toEqual({ value: '"free"', version: again })
  })

  test('S11: an old acquire once more, after the release: refused by the store', async () => {
    const client = store.newClient()
    const puts = recordPuts(client)
    const adapter = store.open({ client })
    const free = await adapter.put('lease', '"free"', { expect: 'absent' })
    const own = await adapter.put('lease', '"own"', { expect: free })
    const again = await adapter.put('lease', '"free"', { expect: own })
    expect(await sendAgain(store.client, puts[1])).toBe(412)
    expect(await store.open().get('lease')).toEqual({ value: '"free"', version: again })
  })

  test('S12: a create once more, after the remove: refused by the store', async () => {
    const client = store.newClient()
    const puts = recordPuts(client)
    const adapter = store.open({ client })
    await adapter.put('doc', '1', { expect: 'absent' })
    await adapter.remove('doc')
    expect(await sendAgain(store.client, puts[0])).toBe(412)
    expect(await store.open().get('doc')).toBeUndefined()
    expect((await Array.fromAsync(store.open().keys(''))).flat()).toEqual([])
    // To create it anew is to replace the tombstone.
    const version = await store.open().put('doc', '1', { expect: 'absent' })
    expect(await sendAgain(store.client, puts[0])).toBe(412)
    expect(await store.open().get('doc')).toEqual({ value: '1', version })
    await store.open().remove('doc', { forget: true })
    expect(keys()).toEqual([])
  })

  test('forgetting a removed document leaves one alone that was created meanwhile', async () => {
    const adapter = store.open()
    await adapter.put('doc', '1', { expect: 'absent' })
    stub.forget()
    stub.inject({ delay: 50 }, { operation: 'DeleteObject' })
    const removing = adapter.remove('doc', { forget: true })
    while (stub.count('PutObject') === 0) await new Promise((resolve) => setTimeout(resolve, 1))
    const version = await store.open().put('doc', '2', { expect: 'absent' })
    await removing
    expect(await adapter.get('doc')).toEqual({ value: '2', version })
  })
})

const range = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => from + i)
