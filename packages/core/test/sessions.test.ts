import { memory, MemoryStore } from '@sessiontree/memory'
import { describe, expect, test } from 'vitest'
import { openSessions, SessionError, type Entry, type StorageAdapter } from '../src/index.ts'
import { seededClock, seededRandom } from './seeded.ts'

const collect = <Item>(items: AsyncIterable<Item>) => Array.fromAsync(items)
const user = (content: string) => ({ role: 'user', content })

function open(adapter: StorageAdapter = memory(), seed = 1) {
  return openSessions(adapter, { clock: seededClock(), random: seededRandom(seed) })
}

async function rejection(promise: Promise<unknown>): Promise<SessionError> {
  const error = await promise.then(
    () => new Error('resolved'),
    (reason: unknown) => reason,
  )
  expect(error).toBeInstanceOf(Error)
  return error as SessionError
}

describe('sessions', () => {
  test('a new session has no leaf, an empty path and an empty context', async () => {
    const session = await open().create('a')
    expect(await session.leaf()).toBeUndefined()
    expect(await collect(session.path())).toEqual([])
    expect((await session.context()).messages).toEqual([])
  })

  test('create without an id makes one; a used id is EXISTS and changes nothing', async () => {
    const sessions = open()
    const first = await sessions.create(undefined, { title: 'one' })
    expect(first.id).toMatch(/^[0-9a-f-]{36}$/)
    await first.append(user('kept'))
    expect(await rejection(sessions.create(first.id, { title: 'two' }))).toMatchObject({
      code: 'EXISTS',
      written: 'no',
    })
    const again = await sessions.open(first.id)
    expect(again.title).toBe('one')
    expect(await collect(again.path())).toHaveLength(1)
  })

  test('open of an unknown id is NOT_FOUND and creates nothing', async () => {
    const store = new MemoryStore()
    expect(await rejection(open(memory({ store })).open('nobody'))).toMatchObject({ code: 'NOT_FOUND' })
    expect(store.documents.size + store.logs.size).toBe(0)
  })

  test('two creators of one id: one session, listed once', async () => {
    const store = new MemoryStore()
    const both = await Promise.all(
      [1, 2].map((seed) =>
        openSessions(memory({ store }), { random: seededRandom(seed), clock: seededClock(seed * 1000) }).getOrCreate(
          'same',
        ),
      ),
    )
    await both[0]?.append(user('first'))
    expect((await collect(both[1]!.path())).length).toBe(1)
    expect((await collect(open(memory({ store })).list())).map(({ id }) => id)).toEqual(['same'])
  })

  test('ids of any kind stay apart, and come back as given', async () => {
    const sessions = open()
    const ids = ['', 'A', 'a', 'a/b', 'a_b', 'é', 'e\u0301', ' a', 'a ', 'con', '..', '😀', 'x'.repeat(1024)].filter(
      Boolean,
    )
    for (const id of ids) await (await sessions.create(id)).append(user(id))
    for (const id of ids) {
      const { messages } = await (await sessions.open(id)).context()
      expect(messages).toEqual([user(id)])
    }
    expect(new Set((await collect(sessions.list())).map(({ id }) => id))).toEqual(new Set(ids))
    await expect(sessions.create('\ud800')).rejects.toThrow(TypeError)
  })

  test('list: newest first, in pages, unaffected by appends; ties by id', async () => {
    const sessions = open()
    const times = [
      ['b', 5],
      ['a', 5],
      ['old', 1],
      ['new', 9],
    ] as const
    for (const [id, time] of times) await sessions.create(id, { createdAt: new Date(time), title: id.toUpperCase() })
    await (await sessions.open('old')).append(user('later'))
    const all = await collect(sessions.list())
    expect(all.map(({ id }) => id)).toEqual(['new', 'a', 'b', 'old'])
    expect(all[0]).toMatchObject({
      title: 'NEW',
      metadata: {},
      createdAt: new Date(9).toISOString(),
      problem: undefined,
    })
    const first = await collect(sessions.list({ limit: 2 }))
    const second = await collect(sessions.list({ limit: 2, after: first[1]!.cursor }))
    expect([...first, ...second].map(({ id }) => id)).toEqual(['new', 'a', 'b', 'old'])
  })

  test('a session of a newer format is shown with its problem, refused, and left alone', async () => {
    const store = new MemoryStore()
    const sessions = open(memory({ store }))
    await sessions.create('s')
    const { value } = store.documents.get('session/s')!
    const newer = { value: value.replace('"format":1', '"format":2'), version: 'x' }
    store.documents.set('session/s', newer)
    expect(await rejection(sessions.open('s'))).toMatchObject({ code: 'FORMAT' })
    expect((await collect(sessions.list()))[0]).toMatchObject({ id: 's', problem: { code: 'FORMAT' } })
    expect(store.documents.get('session/s')).toBe(newer)
  })

  test('scopes do not see each other', async () => {
    const adapter = memory()
    const scoped = (...scope: string[]) => openSessions(adapter, { scope })
    await scoped().create('root')
    await scoped('acme').create('acme')
    await scoped('acme', 'session').create('inner')
    await scoped('session').create('kind')
    for (const [scope, id] of [
      [[], 'root'],
      [['acme'], 'acme'],
      [['acme', 'session'], 'inner'],
      [['session'], 'kind'],
    ] as const) {
      expect((await collect(scoped(...scope).list())).map((info) => info.id)).toEqual([id])
    }
  })

  test('another message format is refused', async () => {
    const adapter = memory()
    await open(adapter).create('s')
    const format = { id: 'text', type: () => 'user_message' as const, fromText: (_role: string, text: string) => text }
    expect(await rejection(openSessions<string>(adapter, { format }).open('s'))).toMatchObject({ code: 'FORMAT' })
  })

  test('closing rejects everything afterwards with CLOSED', async () => {
    const sessions = open()
    const session = await sessions.create('s')
    await sessions.close()
    await sessions.close()
    expect(await rejection(session.append(user('late')))).toMatchObject({ code: 'CLOSED' })
    expect(await rejection(sessions.open('s'))).toMatchObject({ code: 'CLOSED' })
  })
})

describe('append', () => {
  test('links to the leaf and becomes the leaf; messages come out as they went in', async () => {
    const session = await open().create('s')
    const message = { role: 'assistant', content: [{ type: 'text', text: 'hi' }], __proto__: null, zeta: 1, alpha: 2 }
    const one = await session.append(user('hello'))
    const two = await session.append(message)
    expect(one).toMatchObject({ parentId: null, type: 'user_message', message: user('hello'), position: [0, 0] })
    expect(two).toMatchObject({ parentId: one.id, type: 'assistant_message', position: [0, 1] })
    expect((await session.leaf())?.id).toBe(two.id)
    const { messages, entries, bytes } = await session.context()
    expect(JSON.stringify(messages[1])).toBe(JSON.stringify(message))
    expect(entries.map(({ id }) => id)).toEqual([one.id, two.id])
    expect(bytes).toBe(Buffer.byteLength(messages.map((each) => JSON.stringify(each)).join('')))
  })

  test('a batch is one append and one chain', async () => {
    const store = new MemoryStore()
    const session = await open(memory({ store })).create('s')
    const batch = await session.append([user('1'), user('2'), user('3')])
    expect(batch.map(({ parentId }) => parentId)).toEqual([null, batch[0]!.id, batch[1]!.id])
    expect(await session.append([])).toEqual([])
    expect(store.logs.get('session/s/0')).toHaveLength(3)
  })

  test('what JSON cannot keep is a TypeError that names the place, and nothing is written', async () => {
    const store = new MemoryStore()
    const session = await open(memory({ store })).create('s')
    for (const content of [new Date(), NaN, 1n, new Uint8Array(2), new Map(), () => {}, [undefined], Symbol('x')]) {
      await expect(session.append({ role: 'user', content })).rejects.toThrow(/\["message"\]\["content"\].* is /)
    }
    await expect(session.append({ role: 'wizard', content: 'x' })).rejects.toThrow(/message\.role/)
    await expect(session.record({ type: 'custom', name: 'x', leaf: 1 } as never)).rejects.toThrow(/\["leaf"\]/)
    await expect(session.record({ type: 'leaf_move', target: null })).rejects.toThrow(TypeError)
    await expect(session.append(user('x'), { id: '' })).rejects.toThrow(TypeError)
    await expect(session.append([user('x'), user('y')], { id: ['a', 'a'] })).rejects.toThrow(TypeError)
    await expect(session.append(user('x'), { createdAt: 'yesterday' })).rejects.toThrow(TypeError)
    expect(store.logs.size).toBe(0)
  })

  test('the caller may change its objects at once, and what comes back is its own', async () => {
    const session = await open().create('s')
    const message = { role: 'user', content: { deep: ['kept'] } }
    const appending = session.append(message)
    message.content.deep[0] = 'changed'
    const entry = (await appending) as Entry<typeof message> & { message: typeof message }
    expect(entry.message.content.deep).toEqual(['kept'])
    entry.message.content.deep[0] = 'changed too'
    const { messages } = await session.context()
    expect(messages[0]).toEqual({ role: 'user', content: { deep: ['kept'] } })
  })

  test('an explicit parent branches, and the new entry becomes the leaf', async () => {
    const session = await open().create('s')
    const root = await session.append(user('root'))
    const left = await session.append(user('left'))
    const right = await session.append(user('right'), { parent: root })
    const far = await session.append(user('far'), { parent: left.id })
    expect(right.parentId).toBe(root.id)
    expect((await collect(session.path())).map(({ id }) => id)).toEqual([root.id, left.id, far.id])
    expect((await collect(session.path({ leaf: right }))).map(({ id }) => id)).toEqual([root.id, right.id])
    expect((await collect(session.path({ last: 1 }))).map(({ id }) => id)).toEqual([far.id])
    expect((await collect(session.entries())).map(({ id }) => id)).toEqual([root.id, left.id, right.id, far.id])
    const second = await session.append(user('second root'), { parent: null })
    expect((await collect(session.path())).map(({ id }) => id)).toEqual([second.id])
  })

  test('an unknown parent is INVALID_PARENT and stores nothing', async () => {
    const store = new MemoryStore()
    const session = await open(memory({ store })).create('s')
    expect(await rejection(session.append(user('x'), { id: 'self', parent: 'self' }))).toMatchObject({
      code: 'INVALID_PARENT',
    })
    expect(store.logs.size).toBe(0)
  })

  test('ids make it idempotent: same content gives the stored entry, other content is DUPLICATE', async () => {
    const session = await open().create('s')
    const first = await session.append(user('x'), { id: 'm1' })
    await session.append(user('y'))
    expect(await session.append(user('x'), { id: 'm1' })).toEqual(first)
    expect(await rejection(session.append(user('z'), { id: 'm1' }))).toMatchObject({ code: 'DUPLICATE', written: 'no' })
    expect(await collect(session.entries())).toHaveLength(2)
  })

  test('many appends at once: all stored, in call order, one chain', async () => {
    const session = await open().create('s')
    const entries = await Promise.all(Array.from({ length: 50 }, (_, i) => session.append(user(String(i)))))
    const path = await collect(session.path())
    expect(path.map(({ id }) => id)).toEqual(entries.map(({ id }) => id))
  })

  test('two handles: the second one is told what it missed; rebase goes behind it', async () => {
    const store = new MemoryStore()
    const one = await open(memory({ store }), 1).create('s')
    const two = await open(memory({ store }), 2).open('s')
    const base = await one.append(user('base'))
    expect(await collect(two.path())).toHaveLength(1)
    const missed = await one.append(user('from one'))
    const error = await rejection(two.append(user('from two')))
    expect(SessionError.is(error, 'CONFLICT') && error.entries).toEqual([missed])
    const now = await two.append(user('again'))
    expect(now.parentId).toBe(missed.id)
    const rebased = await one.append(user('rebased'), { onConflict: 'rebase' })
    expect(rebased.parentId).toBe(now.id)
    const sibling = await two.append(user('sibling'), { parent: base })
    expect(sibling.parentId).toBe(base.id)
    expect(await collect(one.entries())).toHaveLength(5)
    const unseen = await one.append(user('unseen by two'))
    expect((await two.append(user('below it'), { parent: unseen.id })).parentId).toBe(unseen.id)
    const after = await one.append(user('after'), { onConflict: 'rebase' })
    await two.moveTo(after.id)
    expect((await two.leaf())?.id).toBe(after.id)
  })
})

describe('moveTo', () => {
  test('survives a reopen; the next append branches there; nothing is lost', async () => {
    const store = new MemoryStore()
    const session = await open(memory({ store }), 1).create('s')
    const one = await session.append(user('one'))
    const two = await session.append(user('two'))
    await session.moveTo(one.id)
    const reopened = await open(memory({ store }), 2).open('s')
    expect((await reopened.leaf())?.id).toBe(one.id)
    const three = await reopened.append(user('three'))
    expect(three.parentId).toBe(one.id)
    await reopened.moveTo(null)
    expect(await reopened.leaf()).toBeUndefined()
    expect(await collect(reopened.path())).toEqual([])
    const root = await reopened.append(user('new root'))
    expect(root.parentId).toBeNull()
    expect((await collect(reopened.entries())).map(({ id }) => id)).toEqual([one.id, two.id, three.id, root.id])
    expect((await collect(reopened.path({ leaf: two.id }))).map(({ id }) => id)).toEqual([one.id, two.id])
  })

  test('on a stale handle moves away from what another one appended', async () => {
    const store = new MemoryStore()
    const one = await open(memory({ store }), 1).create('s')
    const base = await one.append(user('base'))
    await (await open(memory({ store }), 2).open('s')).append(user('foreign'))
    await one.moveTo(base)
    expect((await one.leaf())?.id).toBe(base.id)
  })

  test('to where the leaf is already writes nothing; to an unknown entry is NOT_FOUND', async () => {
    const store = new MemoryStore()
    const session = await open(memory({ store })).create('s')
    const one = await session.append(user('one'))
    await session.moveTo(one)
    expect(store.logs.get('session/s/0')).toHaveLength(1)
    expect(await rejection(session.moveTo('nobody'))).toMatchObject({ code: 'NOT_FOUND' })
    expect(store.logs.get('session/s/0')).toHaveLength(1)
  })
})

test('paths and finds reach behind what a handle keeps in memory', async () => {
  const store = new MemoryStore()
  const session = await open(memory({ store }), 1).create('s')
  const first = await session.append(user('first'))
  for (let i = 0; i < 700; i++) await session.append(user(`filler ${i}`), i % 2 ? {} : { parent: first })
  const branch = await session.append(user('from the root'), { parent: first.id })
  const reopened = await open(memory({ store }), 2).open('s')
  expect((await collect(reopened.path())).map(({ id }) => id)).toEqual([first.id, branch.id])
  expect((await reopened.entry(first.id)).id).toBe(first.id)
  expect(await collect(reopened.entries())).toHaveLength(702)
})

test('a warm append is one append, with or without an id, whatever the size of what came before', async () => {
  const calls = { append: 0, read: 0, documents: 0 }
  const inner = memory()
  const adapter: StorageAdapter = {
    ...inner,
    append: (...call) => (calls.append++, inner.append(...call)),
    read: (...call) => (calls.read++, inner.read(...call)),
    get: (...call) => (calls.documents++, inner.get(...call)),
    put: (...call) => (calls.documents++, inner.put(...call)),
  }
  const session = await open(adapter).create('s')
  await session.append(user('first'))
  Object.assign(calls, { append: 0, read: 0, documents: 0 })
  for (let i = 0; i < 400; i++)
    await session.append(user('x'.repeat(i % 3 ? 2000 : 9000)), i % 2 ? { id: `id ${i}` } : {})
  expect(calls).toEqual({ append: 400, read: 0, documents: 0 })
})

test('opening a long session reads no more than its tail', async () => {
  const inner = memory()
  let records = 0
  const adapter: StorageAdapter = {
    ...inner,
    async *read(log, range) {
      for await (const batch of inner.read(log, range)) {
        for (let i = batch.records.length - 1; i >= 0; i--) {
          records++
          yield { at: batch.at + i, records: batch.records.slice(i, i + 1) }
        }
      }
    },
  }
  const session = await open(inner).create('s')
  for (let i = 0; i < 300; i++) await session.append(user('x'.repeat(10_000)))
  const reopened = await open(adapter, 2).open('s')
  await reopened.append(user('next'))
  expect(records).toBe(7) // 64 KiB
})
