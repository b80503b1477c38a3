import { memory, MemoryStore } from '@sessiontree/memory'
import { describe, expect, test } from 'vitest'
import { openSessions } from '../src/index.ts'
import { seededClock, seededRandom } from './seeded.ts'

const user = (content: string) => ({ role: 'user', content })

async function answered(status = 'completed') {
  const store = new MemoryStore()
  let seed = 1
  const open = () => openSessions(memory({ store }), { random: seededRandom(seed++), clock: seededClock() })
  const session = await open().create('s')
  await session.append(user('Where is my parcel?'))
  await session.record({ type: 'turn_marker', status: status as 'completed' })
  const document = () => JSON.parse(store.documents.get('session/s')!.value) as Record<string, unknown>
  return { store, open, session, document }
}

describe('generateTitle', () => {
  test.each(['completed', 'waiting'])(
    'after a turn that is %s: of what the model is shown, normalised',
    async (status) => {
      const { session, document, open } = await answered(status)
      const given: unknown[] = []
      const title = await session.generateTitle(async (messages) => {
        given.push(...messages)
        return '  "Lost   parcel." '
      })
      expect([title, session.title, given]).toEqual(['Lost parcel', 'Lost parcel', [user('Where is my parcel?')]])
      expect(document()['titleState']).toMatchObject({ status: 'ready', source: 'provider', generation: 1 })
      expect((await open().open('s')).title).toBe('Lost parcel')
      expect(await session.generateTitle(() => expect.unreachable()), 'there is one').toBe('Lost parcel')
    },
  )

  test('not before, and not after a turn that failed', async () => {
    for (const status of ['started', 'failed', 'aborted']) {
      const { session, store } = await answered(status)
      const { puts } = store
      expect(await session.generateTitle(() => expect.unreachable())).toBeUndefined()
      expect(store.puts).toBe(puts)
    }
  })

  test('a failure is noted and rejects nothing; the next call tries again', async () => {
    const { session, document } = await answered()
    expect(await session.generateTitle(() => Promise.reject(new Error('no quota')))).toBeUndefined()
    expect(document()['titleState']).toMatchObject({ status: 'failed', error: 'no quota', generation: 1 })
    expect(await session.generateTitle(() => '?!')).toBeUndefined()
    expect(document()['titleState']).toMatchObject({ status: 'failed', generation: 2 })
    expect(await session.generateTitle(() => 7 as never)).toBeUndefined()
    expect(await session.generateTitle(() => 'At last')).toBe('At last')
    expect(document()['titleState']).toEqual(expect.not.objectContaining({ error: expect.anything() as unknown }))
  })

  test("a host's title wins, and so does taking it away: a late answer is dropped", async () => {
    const { session, document, open } = await answered()
    const host = await open().open('s')
    expect(
      await session.generateTitle(async () => {
        await host.update({ title: 'Mine', archived: true })
        return 'Late'
      }),
    ).toBe('Mine')
    expect(document()).toMatchObject({ title: 'Mine', archived: true })
    await host.update({ title: null })
    await session.generateTitle(async () => {
      await host.update({ title: 'Mine' })
      await host.update({ title: null })
      return 'Late'
    })
    expect(document()['title']).toBeUndefined()
  })

  test('of two attempts the later one counts, whichever answers first', async () => {
    const { session, document, open } = await answered()
    const later = await open().open('s')
    await session.generateTitle(async () => {
      await later.generateTitle(() => Promise.reject(new Error('soon again')))
      return 'Late'
    })
    expect(document()).toMatchObject({ titleState: { status: 'failed', error: 'soon again', generation: 2 } })
    expect(document()['title']).toBeUndefined()
  })

  test('keeps the order of the list and whatever else was changed meanwhile', async () => {
    const { session, open } = await answered()
    const sessions = open()
    await sessions.create('newer')
    const before = await Array.fromAsync(sessions.list())
    await session.generateTitle(async () => {
      await (await sessions.open('s')).update({ metadata: { seen: true } })
      return 'Lost parcel'
    })
    const after = await Array.fromAsync(sessions.list())
    expect(after.map(({ id, updatedAt }) => [id, updatedAt])).toEqual(
      before.map(({ id, updatedAt }) => [id, updatedAt]),
    )
    expect(after.find(({ id }) => id === 's')).toMatchObject({ title: 'Lost parcel', metadata: { seen: true } })
  })

  test('an abort is told, not noted', async () => {
    const { session, document } = await answered()
    const controller = new AbortController()
    const reason = new Error('called off')
    const asking = session.generateTitle(
      async () => {
        controller.abort(reason)
        throw new Error('stopped')
      },
      { signal: controller.signal },
    )
    await expect(asking).rejects.toBe(reason)
    expect(document()['titleState']).toEqual({ generation: 1 })
  })
})
