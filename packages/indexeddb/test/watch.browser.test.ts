import { openSessions } from '@sessiontree/core'
import { expect, onTestFinished, test } from 'vitest'
import { indexedDb } from '../src/index.ts'
import { rig } from './rig.ts'

const settled = () => new Promise((resolve) => setTimeout(resolve, 100))

test('an append or a drop wakes who watches that log, in its own handle, another one and a worker, where another watcher throws', async () => {
  const { open, name } = rig()
  const [writer, other] = [open(), open()]
  const wakes = { own: 0, other: 0, neighbour: 0 }
  const { signal } = new AbortController()
  writer.watch?.('log', () => wakes.own++, signal)
  other.watch?.('log', () => wakes.other++, signal)
  other.watch?.('log.other', () => wakes.neighbour++, signal)
  const worker = new Worker(new URL('./writing-worker.ts', import.meta.url), { type: 'module', name })
  onTestFinished(() => worker.terminate())
  const heard: unknown[] = []
  worker.addEventListener('message', ({ data }) => heard.push(data))
  await expect.poll(() => heard).toEqual(['watching'])

  await writer.append('log', 0, ['"0"'])
  await expect.poll(() => wakes).toEqual({ own: 1, other: 1, neighbour: 0 })
  await expect.poll(() => heard).toEqual(['watching', 'woken'])
  worker.postMessage('append')
  await expect.poll(() => heard).toContain('appended')
  await expect.poll(() => wakes).toEqual({ own: 2, other: 2, neighbour: 0 })
  await other.drop('log')
  await expect.poll(() => wakes).toEqual({ own: 3, other: 3, neighbour: 0 })
})

test('a wake carries nothing but the name of the log, whatever others send on the channel', async () => {
  const { open, name } = rig()
  const adapter = open()
  const channel = new BroadcastChannel(`sessiontree ${name}`)
  onTestFinished(() => channel.close())
  const seen: unknown[] = []
  channel.addEventListener('message', ({ data }) => seen.push(data))
  const { signal } = new AbortController()
  let wakes = 0
  adapter.watch?.('log', () => wakes++, signal)
  await adapter.append('log', 0, ['"secret"'])
  await expect.poll(() => [seen, wakes]).toEqual([['log'], 1])
  channel.postMessage({ log: 'log' })
  channel.postMessage('log')
  await expect.poll(() => wakes).toBe(2)
})

test('a write of unknown outcome wakes, too; nothing wakes after an abort or a close', async () => {
  const { open } = rig()
  let breaking = false
  const writer = open({}, (transaction) => {
    if (breaking) transaction.commit = () => transaction.abort()
  })
  const [other, closing] = [open(), open()]
  const controller = new AbortController()
  const wakes = { other: 0, aborted: 0, closed: 0 }
  other.watch?.('log', () => wakes.other++, new AbortController().signal)
  other.watch?.('log', () => wakes.aborted++, controller.signal)
  closing.watch?.('log', () => wakes.closed++, new AbortController().signal)
  breaking = true
  await expect(writer.append('log', 0, ['"0"'])).rejects.toMatchObject({ code: 'UNCERTAIN' })
  breaking = false
  await expect.poll(() => wakes).toEqual({ other: 1, aborted: 1, closed: 1 })
  controller.abort()
  await closing.close()
  await writer.append('log', 0, ['"0"'])
  await expect.poll(() => wakes.other).toBe(2)
  await settled()
  expect(wakes).toEqual({ other: 2, aborted: 1, closed: 1 })
})

test('without BroadcastChannel a handle says that it cannot watch, and works', async () => {
  const { name } = rig()
  const { BroadcastChannel } = globalThis
  Reflect.deleteProperty(globalThis, 'BroadcastChannel')
  try {
    const adapter = indexedDb(name)
    expect(adapter.capabilities.watch).toBe(false)
    expect(adapter.watch).toBeUndefined()
    await using sessions = openSessions(adapter)
    const session = await sessions.create('s')
    await session.append({ role: 'user', content: 'Hello' })
    expect((await session.context()).messages).toEqual([{ role: 'user', content: 'Hello' }])
  } finally {
    globalThis.BroadcastChannel = BroadcastChannel
  }
})

test('a channel that the browser refuses costs the hints only', async () => {
  const { name } = rig()
  const { BroadcastChannel } = globalThis
  globalThis.BroadcastChannel = class extends EventTarget {
    constructor() {
      super()
      throw new DOMException('', 'SecurityError')
    }
  } as unknown as typeof BroadcastChannel
  try {
    await using adapter = indexedDb(name)
    let wakes = 0
    adapter.watch?.('log', () => wakes++, new AbortController().signal)
    await adapter.append('log', 0, ['"0"'])
    await expect.poll(() => wakes).toBe(1)
  } finally {
    globalThis.BroadcastChannel = BroadcastChannel
  }
})
