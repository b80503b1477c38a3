import { memory, MemoryStore } from '@sessiontree/memory'
import { describe, expect, test } from 'vitest'
import { MAX_LABELS, openSessions, type SessionPatch } from '../src/index.ts'
import { seededClock, seededRandom } from './seeded.ts'

const NOW = 1_700_000_000_000

async function store() {
  const shared = new MemoryStore()
  const adapter = memory({ store: shared })
  const sessions = openSessions(adapter, { random: seededRandom(1), clock: seededClock(NOW) })
  const ids = async (options?: Parameters<typeof sessions.list>[0]) =>
    (await Array.fromAsync(sessions.list(options))).map(({ id }) => id)
  /** Puts fields into a session's document, as whoever ends a turn does. */
  const note = async (id: string, fields: object) => {
    const { value, version } = (await adapter.get(`session/${id}`))!
    await adapter.put(`session/${id}`, JSON.stringify({ ...(JSON.parse(value) as object), ...fields }), {
      expect: version,
    })
  }
  const info = async (id: string) =>
    (await Array.fromAsync(sessions.list({ archived: true }))).find((one) => one.id === id)!
  return { sessions, ids, note, info, shared }
}

describe('lists', () => {
  test('leave out what is archived, unless asked, and fill the page with others', async () => {
    const { sessions, ids } = await store()
    for (const id of ['a', 'b', 'c', 'd']) await sessions.create(id)
    await (await sessions.open('c')).update({ archived: true })
    expect(await ids()).toEqual(['d', 'b', 'a'])
    expect(await ids({ archived: true })).toEqual(['d', 'c', 'b', 'a'])
    expect(await ids({ limit: 2 })).toEqual(['d', 'b'])
    await (await sessions.open('c')).update({ archived: false })
    expect(await ids({ limit: 2 })).toEqual(['d', 'c'])
    await expect(ids({ archived: 'yes' as never })).rejects.toBeInstanceOf(TypeError)
  })

  test('tell what the document says about the log, as of the last end of a turn', async () => {
    const { sessions, note, info } = await store()
    const { createdAt } = await sessions.create('a')
    expect(await info('a')).toMatchObject({
      updatedAt: createdAt,
      status: 'idle',
      archived: false,
      labels: [],
      preview: undefined,
      parent: undefined,
      forkedFrom: undefined,
    })
    const updatedAt = '2026-01-02T03:04:05.678Z'
    await note('a', {
      summary: { updatedAt, status: 'waiting', preview: 'Shall I?', records: 7 },
      parent: { session: 'owner', entry: 'e1' },
      forkedFrom: { session: 'source', entry: null },
    })
    expect(await info('a')).toMatchObject({
      updatedAt,
      status: 'waiting',
      preview: 'Shall I?',
      parent: { session: 'owner', entry: 'e1' },
      forkedFrom: { session: 'source', entry: null },
    })
    await note('a', { summary: 7, lease: 'odd', labels: 'none', archived: 'no', parent: [] })
    expect(await info('a'), 'what somebody else left there').toMatchObject({
      status: 'idle',
      labels: [],
      archived: false,
    })
  })

  test('show a turn as interrupted once its lease has run out', async () => {
    const { sessions, note, info } = await store()
    await sessions.create('a')
    const lease = (milliseconds: number) => ({ expiresAt: new Date(NOW + milliseconds).toISOString() })
    const summary = { updatedAt: new Date(NOW).toISOString(), status: 'running', records: 1 }
    await note('a', { summary, lease: lease(60_000) })
    expect(await info('a')).toMatchObject({ status: 'running' })
    await note('a', { summary, lease: lease(-60_000) })
    expect(await info('a')).toMatchObject({ status: 'interrupted' })
    await note('a', { summary, lease: undefined })
    expect(await info('a')).toMatchObject({ status: 'interrupted' })
  })

  test('of the sessions that hang on another one', async () => {
    const { sessions, ids, note } = await store()
    for (const id of ['a', 'b', 'c']) await sessions.create(id)
    await note('a', { parent: { session: 'owner' } })
    await note('c', { parent: { session: 'owner', entry: 'e' } })
    expect(await ids({ parent: 'owner' })).toEqual(['c', 'a'])
    expect(await ids({ parent: 'owner', limit: 1 })).toEqual(['c'])
    expect(await ids({ parent: 'nobody' })).toEqual([])
    await expect(ids({ parent: '' })).rejects.toBeInstanceOf(TypeError)
  })
})

describe('labels of a session', () => {
  test('are replaced, or added and removed; several writers all take effect', async () => {
    const { sessions, info } = await store()
    const session = await sessions.create('a')
    await session.update({ labels: ['x', 'y', 'x'] })
    expect((await info('a')).labels).toEqual(['x', 'y'])
    const other = await sessions.open('a')
    await Promise.all([
      session.update({ labels: { add: ['mine'], remove: ['x'] } }),
      other.update({ labels: { add: ['theirs'] }, metadata: { a: 1 } }),
      session.update({ archived: true }),
    ])
    const { labels, metadata, archived } = await info('a')
    expect([labels.toSorted(), metadata, archived]).toEqual([['mine', 'theirs', 'y'], { a: 1 }, true])
    await session.update({ labels: [] })
    expect((await info('a')).labels).toEqual([])
  })

  test('a patch that changes nothing writes nothing; a bad one is a TypeError and writes nothing', async () => {
    const { sessions, shared } = await store()
    const session = await sessions.create('a')
    await session.update({ labels: ['x'] })
    const { puts } = shared
    for (const patch of [{ labels: ['x'] }, { labels: { add: ['x'], remove: ['y'] } }, { archived: false }])
      await session.update(patch)
    const bad: unknown[] = [
      { labels: 'x' },
      { labels: [1] },
      { labels: [''] },
      { labels: ['x'.repeat(257)] },
      { labels: { add: ['\ud800'] } },
      { labels: { remove: 'x' } },
      { labels: Array.from({ length: MAX_LABELS + 1 }, (_, i) => String(i)) },
      { archived: null },
      { status: 'running' },
    ]
    for (const patch of bad) await expect(session.update(patch as SessionPatch)).rejects.toBeInstanceOf(TypeError)
    expect(shared.puts).toBe(puts)
  })
})
