import type { RecordBatch } from '@sessiontree/core'
import type { S3Request } from '@sessiontree/s3'
import { beforeEach, describe, expect, test } from 'vitest'
import { storeKeys } from '../src/keys.ts'
import { generateLog, openStore, startStub, stubPlace } from './servers.ts'
import { store, stub, useStub } from './stub-store.ts'

useStub()

// Far longer than a busy machine takes from one request to the next that is sent beside it: which of them share a round must not depend on it.
const LATENCY = 300

/** What the stub was asked since the last call, as `{ PutObject: 1 }`, with the length of the longest chain. */
function spent(): Record<string, number> {
  const counts: Record<string, number> = { roundTrips: stub.roundTrips() }
  for (const { operation } of stub.requests) counts[operation] = (counts[operation] ?? 0) + 1
  stub.forget()
  return counts
}

const record = (index: number) => JSON.stringify({ index, text: 'x'.repeat(980) })

function fill(length: number, batch = 1): void {
  generateLog(stub, store, 'log', length, batch, record)
}

/** For the requests of one round: none is answered before all have come, so they are asked for at once, or this never ends. */
function together(count: number): () => unknown {
  const { promise: complete, resolve } = Promise.withResolvers<void>()
  let come = 0
  return () => (++come === count ? resolve() : complete)
}

async function collect(batches: AsyncIterable<RecordBatch>, enough = Infinity): Promise<string[]> {
  const records: string[] = []
  let bytes = 0
  for await (const batch of batches) {
    records.push(...batch.records)
    bytes += batch.records.join('').length
    if (bytes >= enough) break
  }
  return records
}

describe('appends', () => {
  test('a warm one is one PUT, and writes about four times its content', async () => {
    const adapter = store.open()
    await adapter.append('log', 0, [record(0)])
    expect(spent()).toEqual({ ListObjectsV2: 1, PutObject: 1, roundTrips: 2 })
    for (let at = 1; at < 200; at++) await adapter.append('log', at, [record(at)])
    const written = stub.requests.reduce((sum, { received }) => sum + received, 0)
    expect(spent()).toEqual({ PutObject: 199, roundTrips: 199 })
    expect(written / (199 * record(1).length)).toBeLessThan(4.2)
  })

  test('a cold one takes three round trips, and the next object repeats as much as a warm writer would', async () => {
    fill(63)
    const cold = store.open()
    stub.latency = LATENCY
    await cold.append('log', 63, [record(63)])
    stub.latency = 0
    const { GetObject, ...rest } = spent()
    expect(rest).toEqual({ ListObjectsV2: 1, PutObject: 1, roundTrips: 3 })
    expect(GetObject).toBeLessThanOrEqual(6)
    await collect(store.open().read('log'))
    expect(spent()).toMatchObject({ ListObjectsV2: 1, GetObject: 1 })
  })

  test('after a read of the tail the handle is warm', async () => {
    fill(70)
    const adapter = store.open()
    await collect(adapter.read('log', { reverse: true, limit: 1 }))
    expect(spent()).toEqual({ ListObjectsV2: 1, GetObject: 1, roundTrips: 2 })
    await adapter.append('log', 70, [record(70)])
    expect(spent()).toEqual({ PutObject: 1, roundTrips: 1 })
  })

  test('after a read of an absent log too', async () => {
    const adapter = store.open()
    await collect(adapter.read('log', { reverse: true, limit: 1 }))
    expect(spent()).toEqual({ ListObjectsV2: 1, roundTrips: 1 })
    await adapter.append('log', 0, [record(0)])
    expect(spent()).toEqual({ PutObject: 1, roundTrips: 1 })
  })

  test('a lost race is one PUT and one GET, and the next try is one PUT', async () => {
    fill(5)
    const [one, other] = [store.open(), store.open()]
    for (const adapter of [one, other]) await collect(adapter.read('log', { reverse: true, limit: 1 }))
    await one.append('log', 5, [record(5), record(6)])
    spent()
    await expect(other.append('log', 5, [record(5)])).rejects.toMatchObject({ code: 'CONFLICT', atLeast: 7 })
    expect(spent()).toEqual({ PutObject: 1, GetObject: 1, roundTrips: 2 })
    await other.append('log', 7, [record(7)])
    expect(spent()).toEqual({ PutObject: 1, roundTrips: 1 })
  })
})

describe('reads', () => {
  beforeEach(() => {
    stub.latency = LATENCY
    return () => void (stub.latency = 0)
  })

  test.each([
    { length: 1000, batch: 1 },
    { length: 1063, batch: 1 },
    { length: 1000, batch: 3 },
  ])('64 KiB of tail at $length records in batches of $batch: two round trips', async ({ length, batch }) => {
    fill(length, batch)
    const tail = await collect(store.open().read('log', { reverse: true }), 65_536)
    expect(tail.length).toBeGreaterThanOrEqual(65)
    const { GetObject, ...rest } = spent()
    expect(rest).toEqual({ ListObjectsV2: 1, roundTrips: 2 })
    expect(GetObject).toBeLessThanOrEqual(8)
  })

  test('a full read takes about one GET per 64 records', async () => {
    fill(1000)
    stub.latency = 0
    stub.inject({ delay: together(17) }, { operation: 'GetObject', times: 17 })
    const all = await collect(store.open().read('log', { readAhead: Infinity }))
    expect(all).toEqual(Array.from({ length: 1000 }, (_, i) => record(i)))
    // 1000 = 15 * 64 + 32 + 8
    expect(spent()).toEqual({ ListObjectsV2: 1, GetObject: 17, roundTrips: 2 })
  })

  test('a full read of more than a listing holds goes on listing by listing', async () => {
    fill(2500)
    const all = await collect(store.open().read('log', { readAhead: Infinity }))
    expect(all).toEqual(Array.from({ length: 2500 }, (_, i) => record(i)))
    const { ListObjectsV2, GetObject } = spent()
    expect(ListObjectsV2).toBeLessThanOrEqual(3)
    expect(GetObject).toBeLessThanOrEqual(42)
    const back = await collect(store.open().read('log', { readAhead: Infinity, reverse: true }))
    expect(back).toHaveLength(2500)
    expect(spent()['GetObject']).toBeLessThanOrEqual(44)
  }, 60_000)

  test('a full read of 10,000 records: 10 listings and 157 GETs in three round trips', async () => {
    fill(10_000)
    // More connections than a client has by default, so that nothing waits for one.
    const client = store.newClient({ requestHandler: { httpAgent: { maxSockets: 256 } } })
    stub.latency = 0
    stub.inject({ delay: 0 }, { operation: 'ListObjectsV2' })
    stub.inject({ delay: together(9) }, { operation: 'ListObjectsV2', times: 9 })
    stub.inject({ delay: together(157) }, { operation: 'GetObject', times: 157 })
    const all = await collect(store.open({ client }).read('log', { readAhead: Infinity }))
    expect(all).toEqual(Array.from({ length: 10_000 }, (_, i) => record(i)))
    expect(spent()).toEqual({ ListObjectsV2: 10, GetObject: 157, roundTrips: 3 })
  }, 60_000)

  test('a full read of large batches lists no more than it needs', async () => {
    generateLog(stub, store, 'log', 24_000, 8, String)
    const all = await collect(store.open().read('log', { readAhead: Infinity }))
    expect(all).toEqual(Array.from({ length: 24_000 }, (_, i) => String(i)))
    expect(spent()['ListObjectsV2']).toBeLessThanOrEqual(4)
  }, 60_000)

  test('one record anywhere is two round trips', async () => {
    fill(300)
    const cold = store.open()
    expect(await collect(cold.read('log', { from: 100, limit: 1 }))).toEqual([record(100)])
    expect(spent()).toEqual({ ListObjectsV2: 2, GetObject: 1, roundTrips: 2 })
    await collect(cold.read('log', { reverse: true, limit: 1 }))
    spent()
    expect(await collect(cold.read('log', { from: 100, limit: 1 }))).toEqual([record(100)])
    // The drop marker and the record.
    expect(spent()).toEqual({ ListObjectsV2: 1, GetObject: 2, roundTrips: 2 })
  })

  test('a range within a block is one object, if the block is full', async () => {
    fill(300)
    const adapter = store.open()
    await collect(adapter.read('log', { reverse: true, limit: 1 }))
    for (const [from, to] of [
      [0, 61],
      [65, 120],
      [200, 256],
    ] as const) {
      spent()
      for (const reverse of [false, true]) {
        const [batch] = await Array.fromAsync(adapter.read('log', { from, to, reverse }))
        expect(batch?.records).toEqual(Array.from({ length: to - from }, (_, i) => record(from + i)))
      }
      // Twice the drop marker and the object.
      expect(spent()).toEqual({ ListObjectsV2: 2, GetObject: 4, roundTrips: 4 })
    }
  })

  test('looking for news when there are none is one LIST', async () => {
    fill(10)
    const adapter = store.open()
    await collect(adapter.read('log', { reverse: true, limit: 1 }))
    spent()
    expect(await collect(adapter.read('log', { from: 10 }))).toEqual([])
    expect(spent()).toEqual({ ListObjectsV2: 1, roundTrips: 1 })
  })

  test('what is asked for first is all that is fetched first', async () => {
    fill(1000)
    const [batch] = await Array.fromAsync(take(store.open().read('log', { readAhead: 1000 }), 1))
    expect(batch?.at).toBe(0)
    expect(spent()).toMatchObject({ ListObjectsV2: 1, GetObject: 1 })
  })

  test('the work ends when the loop is left, also what is under way', async () => {
    // Of its own: what is aborted on the way may reach the stub late, and would count in another test.
    await using own = await startStub()
    await using place = openStore(stubPlace(own))
    generateLog(own, place, 'log', 210 * 64, 64, record)
    const { promise: left, resolve: leave } = Promise.withResolvers<void>()
    let asked = 0
    // The first batch is answered, and with it the loop is left; what else is under way hangs until then.
    const hang = () => {
      asked++
      return left
    }
    const first = storeKeys(place.prefix).slot('log', 0)
    const others = new RegExp(`^(?!${first}$)${place.prefix}log/`)
    own.inject({ delay: hang }, { operation: 'GetObject', key: others, times: Infinity })
    const statuses: number[] = []
    const onRequest = ({ operation, key, status }: S3Request) => {
      if (operation === 'GetObject' && others.test(key ?? '')) statuses.push(status)
    }
    const adapter = place.open({ onRequest })
    for await (const _ of adapter.read('log', { readAhead: Infinity })) break
    leave()
    await own.settled()
    // Answers that would have led to more have come when this one has.
    await adapter.append('other', 0, [record(0)])
    await own.settled()
    // Of 210 objects 192 at once, the first among them, and one in its place if the loop was left late.
    expect(asked).toBeLessThanOrEqual(192)
    expect(statuses.filter((status) => status !== 0)).toEqual([])
    expect(statuses.length).toBeGreaterThanOrEqual(191)
    expect(statuses.length).toBeLessThanOrEqual(192)
  })
})

async function* take<Item>(items: AsyncIterable<Item>, count: number): AsyncGenerator<Item> {
  let left = count
  for await (const item of items) {
    yield item
    if (--left === 0) return
  }
}

describe('documents', () => {
  test('create, get and replace are one request each', async () => {
    const adapter = store.open()
    const version = await adapter.put('doc', '1', { expect: 'absent' })
    expect(spent()).toEqual({ PutObject: 1, roundTrips: 1 })
    await adapter.put('doc', '2', { expect: version })
    expect(spent()).toEqual({ PutObject: 1, roundTrips: 1 })
    const other = store.open()
    const found = await other.get('doc')
    expect(spent()).toEqual({ GetObject: 1, roundTrips: 1 })
    await other.remove('doc', { expect: found?.version })
    expect(spent()).toEqual({ PutObject: 1, roundTrips: 1 })
  })

  test('a version from elsewhere costs one GET more, and if it is old, no PUT', async () => {
    const version = await store.open().put('doc', '1', { expect: 'absent' })
    stub.forget()
    const other = store.open()
    await other.put('doc', '2', { expect: version })
    expect(spent()).toEqual({ GetObject: 1, PutObject: 1, roundTrips: 2 })
    await expect(store.open().put('doc', '3', { expect: version })).rejects.toMatchObject({ code: 'CONFLICT' })
    expect(spent()).toEqual({ GetObject: 1, roundTrips: 1 })
  })

  test('a listing is LISTs alone, tombstones left out and pages filled up', async () => {
    const adapter = store.open()
    for (let i = 100; i < 300; i++) await adapter.put(`d/${i}`, String(i), { expect: 'absent' })
    for (let i = 100; i < 280; i++) await adapter.remove(`d/${i}`)
    stub.forget()
    const listed = (await Array.fromAsync(adapter.keys('d', { limit: 15 }))).flat()
    expect(listed).toEqual(Array.from({ length: 15 }, (_, i) => `d/${280 + i}`))
    expect(Object.keys(spent())).toEqual(['roundTrips', 'ListObjectsV2'])
    expect((await Array.fromAsync(adapter.keys('d', { after: 'd/279' }))).flat()).toHaveLength(20)
    expect(spent()).toEqual({ ListObjectsV2: 1, roundTrips: 1 })
  })
})

test('onRequest is told of every request', async () => {
  const seen: S3Request[] = []
  const adapter = store.open({ onRequest: (request) => void seen.push(request) })
  await adapter.append('log', 0, [record(0)])
  await collect(adapter.read('log'))
  await expect(adapter.append('log', 0, [record(0)])).rejects.toMatchObject({ code: 'CONFLICT' })
  const key = `${store.prefix}log/log!/ffffffffffff`
  const proof = `${store.prefix}sessiontree.json`
  expect(seen.map(({ attempts }) => attempts)).toEqual(seen.map(() => 1))
  expect(seen.filter((request) => request.key !== proof)).toMatchObject([
    { operation: 'ListObjectsV2', key: undefined, bytes: 0, status: 200 },
    { operation: 'PutObject', key, bytes: 1152, status: 200 },
    { operation: 'ListObjectsV2', key: undefined, bytes: 0, status: 200 },
    { operation: 'GetObject', key, bytes: 1152, status: 200 },
    { operation: 'ListObjectsV2', key: undefined, bytes: 0, status: 200 },
  ])
  // The proof is looked for beside the first listing.
  expect(new Set(seen.slice(0, 2).map(({ began }) => began))).toEqual(new Set([1, 2]))
  expect(seen).toHaveLength(stub.count() + 1)
})
