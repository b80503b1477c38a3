import { memory, MemoryStore } from '@sessiontree/memory'
import { describe, expect, test } from 'vitest'
import { openSessions, SessionError, type StorageAdapter } from '../src/index.ts'
import { seededClock, seededRandom } from './seeded.ts'

const LOG = 'session/s/0'
const user = (content: string) => ({ role: 'user', content })
const codeOf = (promise: Promise<unknown>) =>
  promise.then(
    () => 'resolved',
    (error: unknown) => (error as SessionError).code ?? String(error),
  )

async function stored(count: number) {
  const store = new MemoryStore()
  const open = () => openSessions(memory({ store }), { random: seededRandom(7), clock: seededClock() })
  const session = await open().create('s')
  for (let i = 0; i < count; i++) await session.append(user(String(i)), { id: `e${i}` })
  const edit = (at: number, change: (record: Record<string, unknown>) => void) => {
    const log = store.logs.get(LOG)!
    const record = JSON.parse(log[at]!) as Record<string, unknown>
    change(record)
    log[at] = JSON.stringify(record)
  }
  return { store, edit, reopen: () => open().open('s') }
}

describe('damage', () => {
  test('behind a sound tail: what is sound is read, the rest reported by position, and appending goes on', async () => {
    const { store, reopen } = await stored(60)
    store.logs.get(LOG)![20] = '{"not":"a record"}'
    const session = await reopen()
    expect((await Array.fromAsync(session.path({ last: 5 }))).map(({ id }) => id)).toEqual([
      'e55',
      'e56',
      'e57',
      'e58',
      'e59',
    ])
    await session.append(user('60'), { id: 'e60' })
    const seen: string[] = []
    const error = await (async () => {
      for await (const { id } of session.entries()) seen.push(id)
    })().catch((reason: unknown) => reason)
    expect(seen).toHaveLength(20)
    expect(SessionError.is(error, 'CORRUPT') && [error.log, error.at]).toEqual([LOG, 20])
    expect(await codeOf(session.context())).toBe('CORRUPT')
  })

  test('of the last record: reads and appends are CORRUPT, never an empty session', async () => {
    const { store, reopen } = await stored(3)
    store.logs.get(LOG)![2] = '[]'
    const session = await reopen()
    expect(await codeOf(session.context())).toBe('CORRUPT')
    expect(await codeOf(session.append(user('x')))).toBe('CORRUPT')
    expect(store.logs.get(LOG)).toHaveLength(3)
  })

  test('wrong hints and positions cost a search, never an error', async () => {
    const { edit, reopen } = await stored(10)
    edit(4, (record) => (record['hints'] = null))
    edit(5, (record) => (record['hints'] = { parent: [0, -5] }))
    edit(6, (record) => (record['hints'] = { parent: [0, 1] }))
    edit(7, (record) => (record['hints'] = { parent: 'nonsense' }))
    edit(9, (record) => (record['leaf'] = { id: 'e9' }))
    const path = await Array.fromAsync((await reopen()).path())
    expect(path.map(({ id }) => id)).toEqual(Array.from({ length: 10 }, (_, i) => `e${i}`))
  })

  test('a parent that is not there, and a cycle, end in CORRUPT', async () => {
    const { edit, reopen } = await stored(5)
    edit(2, (record) => (record['parentId'] = 'nobody'))
    expect(await codeOf(Array.fromAsync((await reopen()).path()))).toBe('CORRUPT')
    edit(2, (record) => (record['parentId'] = 'e4'))
    expect(await codeOf(Array.fromAsync((await reopen()).path()))).toBe('CORRUPT')
    edit(2, (record) => (record['parentId'] = 'e2'))
    expect(await codeOf(Array.fromAsync((await reopen()).path()))).toBe('CORRUPT')
  })

  test('two entries of one id: every path takes the one that the record means', async () => {
    const store = new MemoryStore()
    const session = await openSessions(memory({ store })).create('s')
    const first = await session.append(user('x'), { id: 'm1' })
    for (let i = 0; i < 30; i++) await session.append(user('y'.repeat(10_000)))
    const again = await session.append(user('x'), { id: 'm1' })
    expect(again.position).not.toEqual(first.position)
    const child = await session.append(user('c'), { parent: first })
    await session.append(user('d'))
    expect(await Array.fromAsync(session.path({ leaf: child }))).toHaveLength(2)
    expect(await Array.fromAsync(session.path())).toHaveLength(3)
  })

  test('a document that is no session is CORRUPT, is listed with its problem, and hides nobody', async () => {
    const { store, reopen } = await stored(1)
    const sessions = openSessions(memory({ store }))
    await sessions.create('z', { createdAt: new Date(0) })
    for (const value of ['{"format":1,"state":"live"}', '[]', 'null', '{']) {
      store.documents.set('session/s', { value, version: 'x' })
      expect(await codeOf(reopen())).toBe('CORRUPT')
      expect((await Array.fromAsync(sessions.list())).map(({ id, problem }) => [id, problem?.code])).toEqual([
        ['s', 'CORRUPT'],
        ['z', undefined],
      ])
      expect(await codeOf(sessions.create('s'))).toBe('CORRUPT')
    }
  })

  test('moveTo and parent take entries only', async () => {
    const { reopen, store } = await stored(2)
    const session = await reopen()
    await session.moveTo('e0')
    const move = (JSON.parse(store.logs.get(LOG)![2]!) as { id: string }).id
    expect(await codeOf(session.moveTo(move))).toBe('NOT_FOUND')
    expect(await codeOf(session.append(user('x'), { parent: move }))).toBe('INVALID_PARENT')
    expect(await codeOf(session.entry(move))).toBe('NOT_FOUND')
  })
})

describe('what is refused leaves no trace', () => {
  test('a used id, a lost race, too large metadata', async () => {
    const store = new MemoryStore()
    const sessions = openSessions(memory({ store }), { clock: seededClock() })
    await sessions.create('s')
    for (let i = 0; i < 5; i++) expect(await codeOf(sessions.create('s'))).toBe('EXISTS')
    await expect(sessions.create('big', { metadata: { text: 'x'.repeat(2 ** 20) } })).rejects.toThrow(TypeError)
    await Promise.all([1, 2, 3].map(() => sessions.getOrCreate('raced')))
    expect([...store.documents.keys()].filter((key) => key.startsWith('index/'))).toHaveLength(2)
  })

  test('an index entry that a crash left behind', async () => {
    const store = new MemoryStore()
    const sessions = openSessions(memory({ store }))
    await sessions.create('s', { createdAt: new Date(5) })
    const [key = ''] = [...store.documents.keys()].filter((name) => name.startsWith('index/'))
    const left = key.replace(/^index\/[0-9a-f]{12}/, `index/${(2 ** 48 - 1 - 7).toString(16)}`)
    for (const name of [left, left.replace(/s$/, 'never-made')])
      store.documents.set(name, { value: '{}', version: 'x' })
    expect((await Array.fromAsync(sessions.list())).map(({ id, createdAt }) => [id, createdAt])).toEqual([
      ['s', new Date(5).toISOString()],
    ])
  })

  test('limits that are no whole numbers', async () => {
    const sessions = openSessions(memory())
    const session = await sessions.create('s')
    for (const bad of [1.5, -1, NaN, '3' as never]) {
      await expect(Array.fromAsync(sessions.list({ limit: bad }))).rejects.toThrow(TypeError)
      await expect(Array.fromAsync(session.path({ last: bad }))).rejects.toThrow(TypeError)
    }
    await expect(Array.fromAsync(sessions.list({ after: 'No Cursor' }))).rejects.toThrow(TypeError)
  })
})

describe('an uncertain write', () => {
  const uncertain = () => Promise.reject(new SessionError('UNCERTAIN', 'nobody knows'))

  test('that cannot be looked up stays UNCERTAIN and names the entries', async () => {
    const { store } = await stored(1)
    const inner = memory({ store })
    let down = false
    const adapter: StorageAdapter = {
      ...inner,
      async append(...call) {
        const before = down
        await inner.append(...call)
        if (before) return
        down = true
        return uncertain()
      },
      async *read(...call) {
        if (down) throw new SessionError('UNAVAILABLE', 'gone')
        yield* inner.read(...call)
      },
    }
    const session = await openSessions(adapter, { clock: seededClock() }).open('s')
    const error = await session.append(user('x'), { id: 'mine' }).catch((reason: unknown) => reason)
    expect(SessionError.is(error, 'UNCERTAIN') && error.written).toBe('unknown')
    expect(error).toMatchObject({ ids: ['mine'], cause: { code: 'UNAVAILABLE' } })
    down = false
    expect((await session.context()).messages).toHaveLength(2)
  })

  test('of a document, followed by a refusal, stays UNCERTAIN', async () => {
    const store = new MemoryStore()
    const inner = memory({ store })
    let puts = 0
    const adapter: StorageAdapter = {
      ...inner,
      async put(key, value, options) {
        if (!key.startsWith('session/')) return inner.put(key, value, options)
        if (puts++ > 0) throw new SessionError('DENIED', 'token expired')
        await inner.put(key, value, options)
        return uncertain()
      },
    }
    expect(await codeOf(openSessions(adapter, { clock: seededClock() }).create('s'))).toBe('UNCERTAIN')
  })
})
