import { describe, expect, test } from 'vitest'
import { expectLog, keysOf, readLog } from './seen.ts'
import { hurriedClock, recordPuts, sendAgain } from './servers.ts'
import { store, stub, useStub } from './stub-store.ts'

// The schedules that broke simpler designs; those of drops are in drops.test.ts.

useStub()

const log = 'session/1'

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
    await expectLog(store, log, ['0', '1', '2', '3', '4', '5'])
  })

  test('S2: a writer that was stopped before its PUT meets what the others wrote', async () => {
    const [stopped, other] = [store.open(), store.open()]
    await stopped.append(log, 0, ['0'])
    await readLog(other, log)
    for (let at = 1; at < 140; at++) await other.append(log, at, [String(at)])
    await expect(stopped.append(log, 1, ['"stopped"'])).rejects.toMatchObject({ code: 'CONFLICT', atLeast: 2 })
    expect(await readLog(store.open(), log)).toEqual(Array.from({ length: 140 }, (_, i) => String(i)))
  })

  test('S13: an empty slot decides nothing: a put that was cut may still arrive, and then takes its index', async () => {
    const first = store.open({ client: store.newClient({ maxAttempts: 1 }), clock: hurriedClock })
    await first.append(log, 0, ['0'])
    const { promise: arrived, resolve: arrive } = Promise.withResolvers<void>()
    stub.inject({ late: () => arrived }, { operation: 'PutObject' })
    stub.inject({ status: 503, code: 'SlowDown' }, { operation: 'PutObject', times: 5 })
    stub.inject({ status: 403, code: 'AccessDenied' }, { operation: 'GetObject' })
    await expect(first.append(log, 1, ['"late"'])).rejects.toMatchObject({ code: 'UNCERTAIN', written: 'unknown' })
    arrive()
    await stub.settled()
    await expectLog(store, log, ['0', '"late"'])
    await expect(first.append(log, 1, ['"other"'])).rejects.toMatchObject({ code: 'CONFLICT', atLeast: 2 })
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
    expect(keysOf(stub, store)).toEqual([])
  })

  test('forgetting a removed document leaves one alone that was created meanwhile', async () => {
    const adapter = store.open()
    await adapter.put('doc', '1', { expect: 'absent' })
    let version: string | undefined
    const create = async () => void (version = await store.open().put('doc', '2', { expect: 'absent' }))
    stub.inject({ delay: create }, { operation: 'DeleteObject' })
    await adapter.remove('doc', { forget: true })
    expect(version).toBeDefined()
    expect(await adapter.get('doc')).toEqual({ value: '2', version })
  })
})
