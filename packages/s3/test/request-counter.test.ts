import { RequestCounter, type S3Request } from '@sessiontree/s3'
import { describe, expect, test } from 'vitest'
import { store, stub, useStub } from './stub-store.ts'

useStub()

const request = (began: number, ended: number, more: Partial<S3Request> = {}): S3Request => ({
  operation: 'GetObject',
  key: 'k',
  bytes: 10,
  status: 200,
  attempts: 1,
  began,
  ended,
  ...more,
})

describe('round trips', () => {
  test.each<[string, [number, number][], number]>([
    [
      'one after the other',
      [
        [1, 2],
        [3, 4],
        [5, 6],
      ],
      3,
    ],
    [
      'all at once',
      [
        [1, 4],
        [2, 5],
        [3, 6],
      ],
      1,
    ],
    [
      'two, then three at once',
      [
        [1, 3],
        [2, 4],
        [5, 8],
        [6, 9],
        [7, 10],
      ],
      2,
    ],
    [
      'a slow one beside two quick ones',
      [
        [2, 3],
        [4, 5],
        [1, 6],
      ],
      2,
    ],
    ['none', [], 0],
  ])('%s', (_, requests, expected) => {
    const counter = new RequestCounter()
    for (const [began, ended] of requests) counter.onRequest(request(began, ended))
    expect(counter.usage.roundTrips).toBe(expected)
  })
})

test('agrees with what the store has seen', async () => {
  const counter = new RequestCounter()
  const adapter = store.open({ onRequest: counter.onRequest })
  for (let at = 0; at < 20; at++) await adapter.append('log', at, [`"${'x'.repeat(100)}"`])
  const version = await adapter.put('doc', '1', { expect: 'absent' })
  await adapter.put('doc', '2', { expect: version })
  await Array.fromAsync(adapter.read('log', { reverse: true }))
  await adapter.drop('log')
  await adapter.remove('doc', { forget: true })
  await new Promise((resolve) => setImmediate(resolve))
  const { requests, bytesSent, failures } = counter.usage
  // The stub's log leaves out the look for the proof.
  for (const [operation, count] of Object.entries(requests)) {
    expect([operation, count]).toEqual([
      operation,
      stub.count(operation as 'GetObject') + Number(operation === 'GetObject'),
    ])
  }
  expect(bytesSent).toBe(
    stub.requests.filter(({ operation }) => operation === 'PutObject').reduce((sum, { received }) => sum + received, 0),
  )
  expect(failures).toBe(0)
  const { PutObject, ListObjectsV2, GetObject } = requests
  expect(counter.dollars()).toBeCloseTo((PutObject + ListObjectsV2) * 5e-6 + GetObject * 0.4e-6, 12)
  expect(counter.dollars({ write: 1, read: 0 })).toBe(PutObject + ListObjectsV2)
  expect(counter.reset().requests).toEqual(requests)
  expect([counter.usage.roundTrips, counter.dollars()]).toEqual([0, 0])
})

test('counts what the client repeats on its own, and what fails', async () => {
  const counter = new RequestCounter()
  const adapter = store.open({
    client: store.newClient({ maxAttempts: 3 }),
    onRequest: counter.onRequest,
  })
  await adapter.put('doc', '1', { expect: 'absent' })
  await new Promise((resolve) => setImmediate(resolve))
  counter.reset()
  stub.inject({ status: 503, code: 'SlowDown' }, { operation: 'GetObject', times: 4 })
  await adapter.get('doc')
  await new Promise((resolve) => setImmediate(resolve))
  expect(counter.usage).toMatchObject({ requests: { GetObject: 5 }, failures: 1 })
})
