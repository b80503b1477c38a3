import { expect, onTestFinished, test } from 'vitest'
import { estimate, persist, persisted } from '../src/index.ts'
import { rig } from './rig.ts'

test('estimate tells usage and quota in bytes, and grows with what is stored', async () => {
  const before = await estimate()
  expect(before).toEqual({ usage: expect.any(Number), quota: expect.any(Number) })
  const { open } = rig()
  const random = () => Array.from({ length: 32 }, () => crypto.randomUUID()).join('')
  await open().append('log', 0, [JSON.stringify(Array.from({ length: 2000 }, random))])
  // The browser keeps its own estimate up to date when it gets to it.
  await expect.poll(async () => (await estimate()).usage).toBeGreaterThan((before.usage ?? 0) + 1_000_000)
})

test('persist asks the browser and tells its answer, persisted the state', async () => {
  const answer = await persist()
  expect(answer).toBe(await navigator.storage.persisted())
  expect(await persisted()).toBe(answer)
})

test('where the browser cannot be asked, the answers are false and undefined', async () => {
  Object.defineProperty(navigator, 'storage', { value: undefined, configurable: true })
  onTestFinished(() => void Reflect.deleteProperty(navigator, 'storage'))
  expect(await persist()).toBe(false)
  expect(await persisted()).toBe(false)
  expect(await estimate()).toEqual({ usage: undefined, quota: undefined })
})
