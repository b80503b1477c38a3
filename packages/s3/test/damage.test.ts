import { CorruptError, type ReadRange, type RecordBatch } from '@sessiontree/core'
import { describe, expect, test } from 'vitest'
import { storeKeys } from '../src/keys.ts'
import { encodeLogObject } from '../src/log-object.ts'
import { generateLog, STUB_BUCKET } from './servers.ts'
import { keysOf } from './seen.ts'
import { store, stub, useStub } from './stub-store.ts'

useStub()

const record = (index: number) => `"r${index}"`
const records = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => record(from + i))
const slot = (at: number) => storeKeys(store.prefix).slot('log', at)
const bucket = () => stub.bucket(STUB_BUCKET)

/** Changes a byte of a record in the object at `at`. */
function damage(at: number): void {
  const text = bucket().get(slot(at)).body.toString()
  bucket().put(slot(at), Buffer.from(text.replace(`"r${at}"`, `"R${at}"`)), {})
}

interface Outcome {
  readonly indices: readonly number[]
  readonly error: unknown
}

/** What a read delivers, index by index, and how it ends. Each record has to be the right one. */
async function read(range: ReadRange = {}): Promise<Outcome> {
  const batches: RecordBatch[] = []
  let error: unknown
  try {
    for await (const batch of store.open().read('log', range)) batches.push(batch)
  } catch (thrown) {
    error = thrown
  }
  const indices: number[] = []
  for (const batch of batches) {
    const here = batch.records.map((text, i) => {
      expect(text).toBe(record(batch.at + i))
      return batch.at + i
    })
    indices.push(...(range.reverse ? here.toReversed() : here))
  }
  return { indices, error }
}

const up = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => from + i)
const down = (from: number, to: number) => up(to, from).toReversed()

const removed = (at: number) => bucket().delete(slot(at))

describe.each([
  { what: 'gone', harm: removed },
  { what: 'damaged', harm: damage },
])('an object that is $what', ({ harm }) => {
  test('does no harm while others repeat its records', async () => {
    generateLog(stub, store, 'log', 200, 1, record)
    for (const at of [5, 6, 70, 100, 126]) harm(at)
    expect(await read()).toEqual({ indices: up(0, 200), error: undefined })
    expect(await read({ reverse: true })).toEqual({ indices: down(200, 0), error: undefined })
    for (const at of [5, 6, 70, 100])
      expect(await read({ from: at, limit: 1 })).toEqual({ indices: [at], error: undefined })
  })

  test('and that held a whole block is made good by the smaller ones', async () => {
    generateLog(stub, store, 'log', 200, 1, record)
    harm(127)
    const { indices, error } = await read()
    // 127 itself was only there.
    expect(indices).toEqual(up(0, 127))
    expect(error).toBeInstanceOf(CorruptError)
    expect(error).toMatchObject({ at: 127, log: 'log', where: `s3://test/${store.prefix}log/log!/` })
    expect(await read({ to: 127 })).toEqual({ indices: up(0, 127), error: undefined })
    expect(await read({ from: 128 })).toEqual({ indices: up(128, 200), error: undefined })
  })

  test('and whose records nobody repeats is a gap, in every direction', async () => {
    generateLog(stub, store, 'log', 40, 4, record)
    // [16, 20): the next to repeat 16 and 17 would have been written by a warm writer; these are all that hold them.
    for (const at of [16, 20, 28]) harm(at)
    const forward = await read()
    expect(forward).toMatchObject({ indices: up(0, 16), error: { code: 'CORRUPT', at: 16 } })
    const reverse = await read({ reverse: true })
    expect(reverse.indices.at(0)).toBe(39)
    expect(reverse.error).toMatchObject({ code: 'CORRUPT', at: (reverse.indices.at(-1) ?? 0) - 1 })
    const salvaged = await read({ salvage: true })
    expect(salvaged.error).toBeUndefined()
    expect(salvaged.indices.slice(0, 17)).toEqual([...up(0, 16), salvaged.indices[16]])
    expect(salvaged.indices).not.toContain(17)
    expect((await read({ salvage: true, reverse: true })).indices).toEqual(salvaged.indices.toReversed())
    for (const limit of [1, 16, 17, 20, 30]) {
      expect((await read({ salvage: true, limit })).indices).toEqual(salvaged.indices.slice(0, limit))
      const back = await read({ salvage: true, limit, reverse: true })
      expect(back.indices).toEqual(salvaged.indices.toReversed().slice(0, limit))
    }
    expect((await read({ salvage: true, from: 17, limit: 1 })).indices).toEqual([salvaged.indices[16]])
    expect(await read({ from: 17, limit: 1 })).toMatchObject({ indices: [], error: { code: 'CORRUPT', at: 17 } })
  })

  test('and was the first never makes the log look empty', async () => {
    generateLog(stub, store, 'log', 140, 70, record)
    harm(0)
    for (const range of [{}, { limit: 1 }, { to: 10 }, { to: 10, reverse: true }, { from: 2, limit: 3 }]) {
      expect(await read(range)).toMatchObject({ indices: [], error: { code: 'CORRUPT' } })
    }
    // The second repeats what is in its own block.
    expect(await read({ reverse: true })).toMatchObject({ indices: down(140, 64), error: { code: 'CORRUPT', at: 63 } })
    await expect(store.open().append('log', 0, ['"new"'])).rejects.toMatchObject({ code: 'CONFLICT' })
  })
})

describe('the newest object', () => {
  test('damaged: the tail is CORRUPT, what is before it can be read, and nothing can be appended', async () => {
    generateLog(stub, store, 'log', 70, 1, record)
    damage(69)
    expect(await read({ reverse: true })).toMatchObject({ indices: [], error: { code: 'CORRUPT', at: 69 } })
    expect(await read()).toMatchObject({ indices: up(0, 69), error: { code: 'CORRUPT', at: 69 } })
    expect(await read({ reverse: true, salvage: true })).toEqual({ indices: down(69, 0), error: undefined })
    for (const at of [70, 71]) {
      await expect(store.open().append('log', at, ['"new"'])).rejects.toMatchObject({ code: 'CORRUPT', at: 69 })
    }
    await expect(store.open().append('log', 69, ['"new"'])).rejects.toMatchObject({ code: 'CONFLICT' })
    await store.open().drop('log')
    expect(await read()).toEqual({ indices: [], error: undefined })
  })

  test('with a header that cannot be read: a drop cannot tell the length, but takes the slot', async () => {
    generateLog(stub, store, 'log', 70, 1, record)
    const stale = store.open()
    await Array.fromAsync(stale.read('log', { to: 69, reverse: true, limit: 1 }))
    const { body } = bucket().get(slot(69))
    bucket().put(slot(69), Buffer.from(body.toString().replace('"n":1', '"n":x')), {})
    await store.open().drop('log')
    expect(await store.open().drop('log')).toMatchObject({ bytes: 0 })
    expect(keysOf(stub, store)).toHaveLength(2)
    await expect(stale.append('log', 69, ['"late"'])).rejects.toMatchObject({ code: 'CONFLICT', written: 'no' })
    expect(await read()).toEqual({ indices: [], error: undefined })
  })

  test('in the slot of an append that was refused: the append does not know whose it is', async () => {
    const adapter = store.open()
    await adapter.append('log', 0, [record(0)])
    await store.open().append('log', 1, [record(1)])
    damage(1)
    await expect(adapter.append('log', 1, ['"mine"'])).rejects.toMatchObject({ code: 'CORRUPT', written: 'unknown' })
  })
})

test('sizes that lie cost requests, not records', async () => {
  generateLog(stub, store, 'log', 300, 1, record)
  for (const at of [17, 63, 127, 200, 255, 290, 299]) {
    const { body } = bucket().get(slot(at))
    bucket().put(slot(at), Buffer.concat([body, Buffer.from(' '.repeat(7 + (at % 40)))]), {})
  }
  expect(await read()).toEqual({ indices: up(0, 300), error: undefined })
  expect(await read({ reverse: true })).toEqual({ indices: down(300, 0), error: undefined })
})

test('two objects that claim the same index are CORRUPT, in every direction', async () => {
  generateLog(stub, store, 'log', 5, 5, record)
  const texts = records(3, 6).map((text) => new TextEncoder().encode(text))
  bucket().put(slot(3), Buffer.from(encodeLogObject(3, 'x'.repeat(32), [], texts)), {})
  expect(await read()).toMatchObject({ indices: up(0, 3), error: { code: 'CORRUPT', at: 3 } })
  expect(await read({ reverse: true })).toMatchObject({ indices: down(6, 3), error: { code: 'CORRUPT', at: 3 } })
  expect(await read({ salvage: true })).toEqual({ indices: up(0, 6), error: undefined })
})

test('an object of a newer layout is FORMAT, and is left alone', async () => {
  const adapter = store.open()
  await adapter.append('log', 0, [record(0)])
  bucket().put(slot(1), Buffer.from(`{"f":2,"a":1}${' '.repeat(200)}`), {})
  expect(await read()).toMatchObject({ error: { code: 'FORMAT' } })
  await expect(adapter.append('log', 1, ['"mine"'])).rejects.toMatchObject({ code: 'FORMAT' })
  await expect(store.open().append('log', 2, ['"mine"'])).rejects.toMatchObject({ code: 'FORMAT' })
})

/** A handle whose listings miss these objects, the first `times` times. */
function openLagging(missing: readonly number[], times: number) {
  const client = store.newClient()
  let left = times
  client.middlewareStack.add(
    (next, context) => async (args) => {
      const result = await next(args)
      if ((context as { commandName?: string }).commandName !== 'ListObjectsV2Command' || left-- <= 0) return result
      const output = result.output as { Contents?: { Key?: string }[] }
      const keys = missing.map(slot)
      return {
        ...result,
        output: { ...output, Contents: output.Contents?.filter(({ Key }) => !keys.includes(Key ?? '')) },
      } as typeof result
    },
    { step: 'initialize' },
  )
  return store.open({ client })
}

describe('a listing that lags', () => {
  test('and misses an object in the middle: listed once more', async () => {
    generateLog(stub, store, 'log', 20, 2, record)
    const batches = await Array.fromAsync(openLagging([4, 6], 1).read('log'))
    expect(batches.flatMap((batch) => batch.records)).toEqual(records(0, 20))
  })

  test('and misses the newest objects: the log looks shorter, and an append there is refused', async () => {
    generateLog(stub, store, 'log', 20, 2, record)
    const adapter = openLagging([16, 18], Infinity)
    expect((await Array.fromAsync(adapter.read('log'))).flatMap((batch) => batch.records)).toEqual(records(0, 16))
    await expect(adapter.append('log', 16, ['"mine"'])).rejects.toMatchObject({ code: 'CONFLICT', atLeast: 18 })
    await expect(adapter.append('log', 18, ['"mine"'])).rejects.toMatchObject({ code: 'CONFLICT', atLeast: 20 })
    await adapter.append('log', 20, [record(20)])
    expect(await read()).toEqual({ indices: up(0, 21), error: undefined })
  })
})

test('a body that ends early is fetched again, not taken for damage', async () => {
  const client = store.newClient()
  let cut = 2
  client.middlewareStack.add(
    (next, context) => async (args) => {
      const result = await next(args)
      if ((context as { commandName?: string }).commandName !== 'GetObjectCommand' || cut-- <= 0) return result
      const output = result.output as { Body?: { transformToByteArray(): Promise<Uint8Array> } }
      const whole = await output.Body?.transformToByteArray()
      output.Body = { transformToByteArray: async () => (whole ?? new Uint8Array()).slice(0, 100) }
      return result
    },
    { step: 'initialize' },
  )
  generateLog(stub, store, 'log', 3, 3, record)
  const batches = await Array.fromAsync(store.open({ client }).read('log'))
  expect(batches).toEqual([{ at: 0, records: records(0, 3) }])
})

test('a damaged document is still named, whatever its size became', async () => {
  const adapter = store.open()
  const names = Array.from({ length: 3 }, (_, i) => `doc/${i}`)
  for (const name of names) await adapter.put(name, '"value"', { expect: 'absent' })
  await adapter.remove('doc/2')
  const key = `${store.prefix}doc/doc/1!`
  bucket().put(key, bucket().get(key).body.subarray(0, 100), {})
  expect((await Array.fromAsync(adapter.keys('doc'))).flat()).toEqual(['doc/0', 'doc/1'])
  await expect(store.open().get('doc/1')).rejects.toMatchObject({ code: 'CORRUPT' })
})
