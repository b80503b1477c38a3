import { openSessions } from '@sessiontree/core'
import { beforeEach, describe, expect, test } from 'vitest'
import { hurriedClock } from './servers.ts'
import { store, stub, useStub } from './stub-store.ts'

// Opening a session and reading its context, by a process that knows nothing.

useStub()

const TEXT = 'x'.repeat(600)
const ID = 'support-42'
const LOG = 'session/support-42/0'

const message = (content: string) => ({ role: 'user', content })

/** Makes a session with so many messages of about 1 kB. */
async function fill(count: number): Promise<void> {
  await using sessions = openSessions(store.open())
  const session = await sessions.create(ID)
  for (let i = 0; i < count; i++) await session.append(message(`${i} ${TEXT}`))
  stub.forget()
}

function counts(): Record<string, number> {
  const found: Record<string, number> = { roundTrips: stub.roundTrips() }
  for (const { operation } of stub.requests) found[operation] = (found[operation] ?? 0) + 1
  stub.forget()
  return found
}

describe('two round trips', () => {
  beforeEach(() => () => void (stub.latency = 0))

  test('document and listing together, then the objects, and a listing that vouches for them', async () => {
    await fill(100)
    // Each request takes its time, so that what is asked for at once is seen to be.
    stub.latency = 400
    await using sessions = openSessions(store.open())
    const session = await sessions.open(ID)
    const { messages } = await session.context({ maxBytes: 32 * 1024, compacted: false })
    stub.latency = 0
    expect(messages.at(-1)).toEqual(message(`99 ${TEXT}`))
    const { GetObject = 0, ...rest } = counts()
    expect(rest).toEqual({ roundTrips: 2, ListObjectsV2: 2 })
    expect(GetObject).toBeLessThanOrEqual(10)
    await session.append(message('one more'))
    expect(counts()).toEqual({ PutObject: 1, roundTrips: 1 })
  })

  test('a session that was opened and not yet there is created and appended to without a listing of its own', async () => {
    await using sessions = openSessions(store.open())
    await (await sessions.getOrCreate('new')).append(message('first'))
    expect(counts()['ListObjectsV2']).toBeLessThanOrEqual(2)
  })
})

describe('what was fetched early is used only if it is still the truth', () => {
  test('what others appended since the session was opened is seen', async () => {
    await fill(70)
    await using sessions = openSessions(store.open())
    const session = await sessions.open(ID)
    await using others = openSessions(store.open())
    await (await others.open(ID)).append(message('from elsewhere'), { onConflict: 'rebase' })
    const { messages } = await session.context()
    expect(messages).toHaveLength(71)
    expect(messages.at(-1)).toEqual(message('from elsewhere'))
  })

  test('a session that was deleted since is DELETED', async () => {
    await fill(10)
    await using sessions = openSessions(store.open())
    const session = await sessions.open(ID)
    await using others = openSessions(store.open())
    await others.delete(ID)
    await expect(session.context()).rejects.toMatchObject({ code: 'DELETED' })
  })

  test('a fetch that failed is made again by the read', async () => {
    await fill(10)
    stub.inject({ status: 403, code: 'AccessDenied' }, { operation: 'GetObject', key: /log\// })
    await using sessions = openSessions(store.open())
    const { messages } = await (await sessions.open(ID)).context()
    expect(messages).toHaveLength(10)
  })

  test('a listing that failed leaves everything to the read', async () => {
    await fill(10)
    stub.inject({ status: 403, code: 'AccessDenied' }, { operation: 'ListObjectsV2' })
    await using sessions = openSessions(store.open())
    const { messages } = await (await sessions.open(ID)).context()
    expect(messages).toHaveLength(10)
  })

  test('an object that is no longer the one listed is fetched anew', async () => {
    await using adapter = store.open()
    await adapter.append(LOG, 0, ['"0"'])
    await adapter.append(LOG, 1, ['"1"'])
    const reading = store.open()
    reading.prepare?.(LOG, { reverse: true })
    await stub.settled()
    await adapter.append(LOG, 2, ['"2"'])
    stub.forget()
    const batches = await Array.fromAsync(reading.read(LOG, { reverse: true }))
    expect(batches.toReversed().flatMap(({ records }) => records)).toEqual(['"0"', '"1"', '"2"'])
    await adapter.drop(LOG)
    reading.prepare?.(LOG, { reverse: true })
    expect(await Array.fromAsync(reading.read(LOG, { reverse: true }))).toEqual([])
    await reading.close()
  })
})

test('closing ends what was begun, and an abort ends the waiting for it', async () => {
  await fill(10)
  const { promise: held, resolve: release } = Promise.withResolvers<void>()
  let asked = 0
  const hold = () => {
    asked++
    return held
  }
  stub.inject({ delay: hold }, { operation: 'GetObject', key: /log\//, times: 99 })
  const adapter = store.open({ clock: hurriedClock })
  adapter.prepare?.(LOG, { reverse: true })
  const controller = new AbortController()
  const reading = Array.fromAsync(adapter.read(LOG, { reverse: true, signal: controller.signal }))
  const refused = expect(reading).rejects.toThrow('enough')
  await expect.poll(() => asked).toBeGreaterThan(0)
  controller.abort(new Error('enough'))
  await refused
  await adapter.close()
  release()
  await stub.settled()
})
