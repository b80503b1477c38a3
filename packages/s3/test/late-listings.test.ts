import { openSessions, SessionError } from '@sessiontree/core'
import { describe, expect, test } from 'vitest'
import { hurriedClock, openStore, startStub, stubPlace } from './servers.ts'

// A store whose listings lag two seconds behind what it gives out: not what the adapter needs, but nothing may be damaged by it.

const LOG = 'log'

/** A stub with its own time, which goes on a little with each listing. */
async function open() {
  let time = 0
  const stub = await startStub({ listLag: { milliseconds: 2000, now: () => time } })
  const store = openStore(stubPlace(stub))
  return {
    stub,
    store,
    wait: (milliseconds: number) => void (time += milliseconds),
    async [Symbol.asyncDispose]() {
      await stub.close()
    },
  }
}

const read = async (adapter: ReturnType<Awaited<ReturnType<typeof open>>['store']['open']>) =>
  (await Array.fromAsync(adapter.read(LOG))).flatMap(({ records }) => records)

describe('a log', () => {
  test('an append where the listing shows the end too early is CONFLICT, and what took the place is read at once', async () => {
    await using place = await open()
    const [warm, cold] = [place.store.open(), place.store.open()]
    await warm.append(LOG, 0, ['0'])
    place.wait(3000)
    for (const at of [1, 2, 3]) await warm.append(LOG, at, [String(at)])
    expect(await read(cold)).toEqual(['0'])
    await expect(cold.append(LOG, 1, ['"cold"'])).rejects.toMatchObject({ code: 'CONFLICT', atLeast: 2, written: 'no' })
    const missed = await Array.fromAsync(cold.read(LOG, { from: 1 }))
    expect(missed.flatMap(({ records }) => records)).toEqual(['1', '2', '3'])
    await cold.append(LOG, 4, ['4'])
    place.wait(3000)
    expect(await read(place.store.open())).toEqual(['0', '1', '2', '3', '4'])
  })

  test('that the listing does not show at all yet is not begun anew', async () => {
    await using place = await open()
    await place.store.open().append(LOG, 0, ['0', '1'])
    const cold = place.store.open()
    await expect(cold.append(LOG, 0, ['"mine"'])).rejects.toMatchObject({ code: 'CONFLICT', atLeast: 2 })
    expect(await Array.fromAsync(cold.read(LOG))).toEqual([{ at: 0, records: ['0', '1'] }])
  })

  test('that was dropped is not damage, and takes no append', async () => {
    await using place = await open()
    const [writer, other, cold] = [place.store.open(), place.store.open(), place.store.open()]
    for (const at of [0, 1, 2]) await writer.append(LOG, at, [String(at)])
    place.wait(3000)
    await read(other)
    await writer.drop(LOG)
    await expect(read(cold)).rejects.toMatchObject({ code: 'DELETED' })
    for (const adapter of [writer, other, cold]) {
      await expect(adapter.append(LOG, 3, ['"late"'])).rejects.toMatchObject({ code: 'CONFLICT', written: 'no' })
    }
    place.wait(3000)
    expect(await read(place.store.open())).toEqual([])
  })
})

test('four sessions race: one chain, every acknowledged message once', async () => {
  await using place = await open()
  const handles = Array.from({ length: 4 }, () => {
    // Time goes on with every request, as it would while one waits for it.
    const adapter = place.store.open({ clock: hurriedClock, onRequest: () => place.wait(20) })
    return openSessions(adapter, { clock: hurriedClock })
  })
  await handles[0]?.create('race')
  const acknowledged: string[] = []
  const failed: unknown[] = []
  await Promise.all(
    handles.map(async (sessions, writer) => {
      const session = await sessions.open('race')
      for (let n = 0; n < 12; n++) {
        const text = `${writer}-${n}`
        try {
          await session.append({ role: 'user', content: text }, { onConflict: 'rebase' })
          acknowledged.push(text)
        } catch (error) {
          failed.push(error)
        }
      }
    }),
  )
  for (const error of failed) {
    expect(
      SessionError.is(error, 'CONFLICT') || SessionError.is(error, 'UNCERTAIN') || SessionError.is(error, 'BUSY'),
    ).toBe(true)
  }
  place.wait(3000)
  const session = await openSessions(place.store.open()).open('race')
  const { ok, problems } = await session.verify()
  expect(problems).toEqual([])
  expect(ok).toBe(true)
  const texts: string[] = []
  for await (const { message } of session.path() as AsyncIterable<{ message?: { content: string } }>) {
    if (message) texts.push(message.content)
  }
  expect(new Set(texts).size).toBe(texts.length)
  expect(texts.filter((text) => acknowledged.includes(text)).toSorted()).toEqual(acknowledged.toSorted())
  expect(acknowledged.length).toBeGreaterThan(40)
})

test('documents do not depend on listings', async () => {
  await using place = await open()
  const [one, other] = [place.store.open(), place.store.open()]
  const version = await one.put('doc', '1', { expect: 'absent' })
  expect(await other.get('doc')).toEqual({ value: '1', version })
  await expect(other.put('doc', '2', { expect: 'absent' })).rejects.toMatchObject({ code: 'CONFLICT' })
})
