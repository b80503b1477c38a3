import type { StorageAdapter } from '@sessiontree/core'
import { beforeEach, expect, test } from 'vitest'
import { expectLog, keysOf, readLog } from './seen.ts'
import { interruptNext, openStore, recordPuts, sendAgain, startStub, STUB_BUCKET, stubPlace } from './servers.ts'
import { store, stub, useStub } from './stub-store.ts'

// The schedules that broke simpler ways to drop a log.

useStub()

const log = 'session/1'

// The marker, the old length, the last batch.
const trace = [`log/${log}!/!`, `log/${log}!/fffffffffff8`, `log/${log}!/fffffffffffb`]
let writer: StorageAdapter
beforeEach(async () => {
  writer = store.open()
  await writer.append(log, 0, ['"a"', '"b"', '"c"'])
  await writer.append(log, 3, ['"d"'])
  await writer.append(log, 4, ['"e"', '"f"', '"g"'])
})

test('a drop leaves a marker, and stubs at the old length and in place of the last batch, nothing of the content', async () => {
  await store.open().drop(log)
  expect(keysOf(stub, store)).toEqual(trace)
  for (const [, { body }] of stub.bucket(STUB_BUCKET).list({ prefix: store.prefix, delimiter: '', after: '', limit: 9 })
    .objects) {
    expect(body.length).toBeLessThan(128)
    expect(body.toString()).not.toMatch(/"[a-g]"\n/)
  }
  await store.open().drop(log, { forget: true })
  expect(keysOf(stub, store)).toEqual([])
})

test('S7: a warm writer is refused at the old length; elsewhere it may leave garbage, never what was erased', async () => {
  const stale = store.open()
  await readLog(stale, log)
  await store.open().drop(log)
  stub.forget()
  await expect(writer.append(log, 7, ['"stopped"'])).rejects.toMatchObject({ code: 'CONFLICT', written: 'no' })
  expect(stub.count('ListObjectsV2')).toBe(0)
  await expectLog(store, log, [])
  await expect(store.open().append(log, 0, ['"cold"'])).rejects.toMatchObject({ code: 'CONFLICT', atLeast: 0 })
  await expect(store.open().append(log, 7, ['"cold"'])).rejects.toMatchObject({ code: 'CONFLICT', atLeast: 0 })
  await expectLog(store, log, [])
})

test('S7: a writer whose end was old already creates an object that repeats erased records: it stays unread', async () => {
  const stale = store.open()
  await Array.fromAsync(stale.read(log, { to: 3, reverse: true }))
  await store.open().drop(log)
  // It has seen that a batch ends at 3, and the slot is free.
  await stale.append(log, 3, ['"stopped"'])
  expect(keysOf(stub, store)).toContain(`log/${log}!/fffffffffffc`)
  await expectLog(store, log, [])
  await store.open().drop(log)
  expect(keysOf(stub, store)).toEqual(trace)
})

test('S8: the first object once more, delayed by the network: the log stays empty', async () => {
  const client = store.newClient()
  const puts = recordPuts(client)
  const name = 'session/2'
  const adapter = store.open({ client })
  await adapter.append(name, 0, ['"a"'])
  await adapter.append(name, 1, ['"b"'])
  await store.open().drop(name)
  expect(await sendAgain(store.client, puts[1])).toBe(412)
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
  await expectLog(store, log, [])
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
  await expectLog(store, log, [])
})

test('S9: a drop that stops before any of its requests left the log alone or empty, and can be repeated', async () => {
  const fill = async (name: string) => {
    const adapter = store.open()
    for (let at = 0; at < 6; at += 2) await adapter.append(name, at, [`"${at}"`, `"${at + 1}"`])
    stub.forget()
    return adapter
  }
  const tracesOf = (name: string) =>
    keysOf(stub, store).flatMap((key) => (key.startsWith(`log/${name}!/`) ? key.slice(name.length + 6) : []))
  await fill('whole')
  await store.open().drop('whole')
  const requests = stub.requests.map(({ operation }) => operation)
  // The marker, the stubs, the rest.
  expect(requests).toEqual([
    'ListObjectsV2',
    'PutObject',
    'ListObjectsV2',
    'GetObject',
    'PutObject',
    'PutObject',
    'ListObjectsV2',
    'DeleteObjects',
  ])
  for (let step = 0; step < requests.length; step++) {
    const name = `stopped/${step}`
    const warm = await fill(name)
    stub.inject({ delay: 0 }, { times: step })
    stub.inject({ status: 403, code: 'AccessDenied' })
    await expect(store.open().drop(name)).rejects.toMatchObject({ code: 'DENIED' })
    const left = (await Array.fromAsync(store.open().read(name))).flatMap(({ records }) => records)
    expect(left.length, `records after ${step} requests`).toBe(step < 2 ? 6 : 0)
    const removal = await store.open().drop(name)
    expect(removal && removal.bytes, `bytes after ${step} requests`).toBeGreaterThan(0)
    expect(tracesOf(name), `after ${step} requests`).toEqual(tracesOf('whole'))
    expect(await store.open().drop(name)).toMatchObject({ bytes: 0 })
    await expect(warm.append(name, 6, ['"late"'])).rejects.toMatchObject({ code: 'CONFLICT' })
  }
})

test('S14: a writer who missed only the last batch is refused where that began', async () => {
  const stale = store.open()
  await Array.fromAsync(stale.read(log, { to: 4, reverse: true }))
  await store.open().drop(log)
  stub.forget()
  await expect(stale.append(log, 4, ['"late"'])).rejects.toMatchObject({ code: 'CONFLICT', written: 'no' })
  expect(stub.requests.map(({ operation }) => operation)).toEqual(['PutObject', 'GetObject'])
  // What it has learned does not make it bolder.
  for (const at of [0, 4, 7]) {
    await expect(stale.append(log, at, ['"late"'])).rejects.toMatchObject({ code: 'CONFLICT', written: 'no' })
  }
  expect(keysOf(stub, store)).toEqual(trace)
})

test('S15: two drops at once, the other one whole between any two requests of the first', async () => {
  for (let step = 0; step < 8; step++) {
    const name = `both/${step}`
    const adapter = store.open()
    await adapter.append(name, 0, ['"a"'])
    await adapter.append(name, 1, ['"b"', '"c"'])
    const stale = store.open()
    await Array.fromAsync(stale.read(name, { to: 1, reverse: true }))
    const client = store.newClient()
    let requests = 0
    client.middlewareStack.add(
      (next) => async (args) => {
        if (requests++ === step) await store.open().drop(name)
        return next(args)
      },
      { step: 'finalizeRequest', priority: 'low' },
    )
    await store.open({ client }).drop(name)
    expect(keysOf(stub, store).filter((key) => key.startsWith(`log/${name}!/`))).toHaveLength(3)
    for (const [handle, at] of [
      [adapter, 3],
      [stale, 1],
    ] as const) {
      await expect(handle.append(name, at, ['"late"'])).rejects.toMatchObject({ code: 'CONFLICT' })
    }
  }
})

test('S15: many drops at once', async () => {
  await Promise.all(range(0, 8).map(() => store.open().drop(log)))
  expect(keysOf(stub, store)).toEqual(trace)
})

test('S16: an append whose answer was lost, and whose log was dropped before it asked again, took effect', async () => {
  const client = store.newClient({ maxAttempts: 1 })
  interruptNext(client, 'PutObjectCommand', { after: () => store.open().drop(log), lose: 'answer' })
  const adapter = store.open({ client })
  await Array.fromAsync(adapter.read(log, { reverse: true, limit: 1 }))
  await adapter.append(log, 7, ['"h"'])
  await expectLog(store, log, [])
  await expect(adapter.append(log, 8, ['"i"'])).rejects.toMatchObject({ code: 'CONFLICT' })
})

test('S16: an append that never arrived, and whose log was dropped before it was sent again, did not', async () => {
  const client = store.newClient({ maxAttempts: 1 })
  interruptNext(client, 'PutObjectCommand', { before: () => store.open().drop(log), lose: 'request' })
  const adapter = store.open({ client })
  await Array.fromAsync(adapter.read(log, { reverse: true, limit: 1 }))
  await expect(adapter.append(log, 7, ['"h"'])).rejects.toMatchObject({ code: 'CONFLICT', written: 'no' })
  expect(keysOf(stub, store)).toEqual(trace)
})

test('S16: nothing where an append was lost and then refused decides nothing', async () => {
  for (const [lost, outcome] of [
    [true, { code: 'UNCERTAIN', written: 'unknown' }],
    [false, { code: 'CONFLICT', written: 'no' }],
  ] as const) {
    const name = `lost/${lost}`
    const client = store.newClient({ maxAttempts: 1 })
    const adapter = store.open({ client })
    await Array.fromAsync(adapter.read(name))
    if (lost) interruptNext(client, 'PutObjectCommand', { lose: 'answer' })
    else await store.open().append(name, 0, ['"other"'])
    stub.inject({ status: 404, code: 'NoSuchKey' }, { operation: 'GetObject' })
    await expect(adapter.append(name, 0, ['"mine"'])).rejects.toMatchObject(outcome)
  }
})

test.each([
  { from: 0, reverse: false },
  { from: 4, reverse: false },
  { from: 0, reverse: true },
  { from: 4, reverse: true, salvage: true },
])('S17: a read that listed the last batch and finds a stub rejects with DELETED: %o', async (range) => {
  const client = store.newClient()
  interruptNext(client, 'GetObjectCommand', { before: () => store.open().drop(log) })
  const reading = Array.fromAsync(store.open({ client }).read(log, range))
  await expect(reading).rejects.toMatchObject({ code: 'DELETED' })
})

test.each([1, 2, 3])('in pages of %i keys a drop leaves the same', async (pageSize) => {
  await using small = await startStub({ pageSize })
  await using place = openStore(stubPlace(small))
  const adapter = place.open()
  for (let at = 0; at < 10; at += 2) await adapter.append(log, at, ['1', '2'])
  await place.open().drop(log)
  expect(keysOf(small, place).map((key) => key.slice(-4))).toEqual(['1!/!', 'fff5', 'fff7'])
  for (const name of [log, 'never']) expect(await place.open().drop(name)).toMatchObject({ bytes: 0 })
})

test('a writer that wins the index just before the stub makes the drop take the next one', async () => {
  const win = () => writer.append(log, 7, ['"h"', '"i"'])
  stub.inject({ delay: win }, { operation: 'PutObject', key: /fff8$/ })
  await store.open().drop(log)
  expect(keysOf(stub, store)).toEqual([`log/${log}!/!`, `log/${log}!/fffffffffff6`, `log/${log}!/fffffffffff8`])
  await expect(writer.append(log, 9, ['"late"'])).rejects.toMatchObject({ code: 'CONFLICT' })
  await expectLog(store, log, [])
})

test('a drop of what never was leaves nothing, and the name can still be used', async () => {
  const adapter = store.open()
  await adapter.drop('never')
  await adapter.drop('never', { forget: true })
  expect(keysOf(stub, store).filter((key) => key.includes('never'))).toEqual([])
  await adapter.append('never', 0, ['1'])
})

const range = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => from + i)
