import { expect, onTestFinished, test } from 'vitest'
import { tabLock } from '../src/web-lock.ts'

const fresh = () => `test-${crypto.randomUUID()}`

test('one holder at a time; a hold ends by disposal, and names and stores are independent', async () => {
  const store = fresh()
  const [one, other] = [tabLock(store), tabLock(store)]
  expect(await one.isHeld('s')).toBe(false)
  const hold = await one.acquire('s')
  expect(hold).toBeDefined()
  expect(await other.isHeld('s')).toBe(true)
  expect(await other.acquire('s')).toBeUndefined()
  expect(await one.acquire('s')).toBeUndefined()
  expect(await other.isHeld('s2')).toBe(false)
  expect(await tabLock(`${store} s`).isHeld('')).toBe(false)
  expect(await tabLock(fresh()).isHeld('s')).toBe(false)
  await hold?.[Symbol.asyncDispose]()
  expect(await other.isHeld('s')).toBe(false)
  // Twice is fine, and ends nobody else's.
  const next = await other.acquire('s')
  await hold?.[Symbol.asyncDispose]()
  expect(await one.isHeld('s')).toBe(true)
  await next?.[Symbol.asyncDispose]()
  expect(await one.isHeld('s')).toBe(false)
})

test('of many that try at once exactly one holds it', async () => {
  const lock = tabLock(fresh())
  const holds = await Promise.all(Array.from({ length: 20 }, () => lock.acquire('s')))
  const [held, ...more] = holds.filter((hold) => hold !== undefined)
  expect(held).toBeDefined()
  expect(more).toEqual([])
  await held?.[Symbol.asyncDispose]()
})

test('a worker that is terminated gives its lock up', async () => {
  const store = fresh()
  const worker = new Worker(new URL('./locking-worker.ts', import.meta.url), { type: 'module', name: store })
  await new Promise((resolve) => worker.addEventListener('message', resolve, { once: true }))
  const lock = tabLock(store)
  expect(await lock.isHeld('s')).toBe(true)
  expect(await lock.acquire('s')).toBeUndefined()
  worker.terminate()
  await expect.poll(() => lock.isHeld('s')).toBe(false)
  await using hold = await lock.acquire('s')
  expect(hold).toBeDefined()
})

test('an aborted signal leaves nothing held', async () => {
  const lock = tabLock(fresh())
  const controller = new AbortController()
  controller.abort(new RangeError('enough'))
  await expect(lock.acquire('s', controller.signal)).rejects.toThrow('enough')
  const later = new AbortController()
  const acquiring = lock.acquire('s', later.signal)
  later.abort(new RangeError('later'))
  await expect(acquiring).rejects.toThrow('later')
  expect(await lock.isHeld('s')).toBe(false)
})

test('without Web Locks nothing can be held, and nothing is called free', async () => {
  Object.defineProperty(navigator, 'locks', { value: undefined, configurable: true })
  onTestFinished(() => void Reflect.deleteProperty(navigator, 'locks'))
  const lock = tabLock(fresh())
  expect(await lock.acquire('s')).toBeUndefined()
  expect(await lock.isHeld('s')).toBe(true)
  expect(() => tabLock('')).toThrow(TypeError)
})
