import { counting } from '@sessiontree/contract'
import { memory, MemoryStore } from '@sessiontree/memory'
import { describe, expect, test } from 'vitest'
import { SessionError, type RoleMessage, type Session } from '../src/index.ts'
import { names, open, user } from './swept-store.ts'

const texts = async (session: Session<RoleMessage>) =>
  (await session.context()).messages.map(({ content }) => content as string)
const ids = async (session: Session<RoleMessage>) => (await Array.fromAsync(session.entries())).map(({ id }) => id)
const code = async (call: Promise<unknown>) => {
  const error = await call.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  return SessionError.is(error) ? error.code : error
}

/** A session of five messages a0 to a4, of which a2b is a sibling of a2. */
async function source() {
  const store = new MemoryStore()
  const sessions = open(memory({ store }))
  const session = await sessions.create('a', { title: 'The source', metadata: { of: 'a' } })
  for (const i of [0, 1]) await session.append(user(`a${i}`), { id: `a${i}` })
  await session.append(user('a2b'), { id: 'a2b' })
  await session.moveTo('a1')
  for (const i of [2, 3, 4]) await session.append(user(`a${i}`), { id: `a${i}` })
  return { store, sessions, session }
}

describe('fork', () => {
  test('[tree:16] at an entry: the path to it, with its ids, hashes and digests; the source is unchanged', async () => {
    const { store, sessions, session } = await source()
    const before = names(store).filter((name) => name.startsWith('session/'))
    const log = [...store.logs.get('session/a/0')!]
    const document = store.documents.get('session/a')
    const fork = await session.fork({ id: 'b', at: 'a3', title: 'Another' })
    const path = await Array.fromAsync(session.path({ leaf: 'a3' }))
    expect(await Array.fromAsync(fork.path())).toEqual(path)
    expect(await Array.fromAsync((await sessions.open('b')).path())).toEqual(path)
    expect(await Array.fromAsync(fork.entries())).toEqual(path)
    expect(fork.forkedFrom).toEqual({ session: 'a', entry: 'a3' })
    expect([fork.title, fork.metadata]).toEqual(['Another', {}])
    expect(session.forkedFrom).toBeUndefined()
    expect((await fork.leaf())?.id).toBe('a3')
    // Nothing was copied: one document, one reference, one index entry.
    expect(store.logs.get('session/a/0')).toEqual(log)
    expect(store.documents.get('session/a')).toEqual(document)
    expect(names(store).filter((name) => name.startsWith('session/') && !before.includes(name))).toEqual(['session/b'])
    expect(names(store).filter((name) => name.startsWith('refs/'))).toEqual(['refs/a/b'])
  })

  test('of a turn that is running: it counts as closed at the cut, so that the fork begins idle; the turn goes on', async () => {
    const { session } = await source()
    const turn = await session.beginTurn()
    const question = await turn.append(user('asked'))
    const fork = await session.fork({ at: question })
    expect((await texts(fork)).at(-1)).toBe('asked')
    expect([(await fork.status()).canAppend, (await fork.recover()).recovered]).toEqual([true, []])
    await fork.append(user('only in the fork'))
    const own = await fork.beginTurn()
    await own.complete()
    expect((await fork.status()).status).toBe('completed')
    await turn.append(user('only in the source'))
    await turn.complete()
    expect((await texts(session)).at(-1)).toBe('only in the source')
    expect([(await session.verify()).ok, (await fork.verify()).ok]).toEqual([true, true])
  })

  test('[tree:17] before an entry stops at its parent; before the first one it is empty', async () => {
    const { session } = await source()
    const fork = await session.fork({ before: 'a2' })
    expect([await texts(fork), fork.forkedFrom]).toEqual([['a0', 'a1'], { session: 'a', entry: 'a1' }])
    const empty = await session.fork({ id: 'empty', before: 'a0' })
    expect([await texts(empty), await empty.leaf()]).toEqual([[], undefined])
    expect(empty.forkedFrom).toEqual({ session: 'a', entry: null })
    await empty.append(user('e0'))
    expect(await texts(empty)).toEqual(['e0'])
    expect(await texts(session)).toEqual(['a0', 'a1', 'a2', 'a3', 'a4'])
  })

  test('[tree:17] what is unknown, used or deleted is said, and nothing is touched', async () => {
    const { store, sessions, session } = await source()
    await (await sessions.create('used')).append(user('untouched'))
    await sessions.create('deleted')
    await sessions.delete('deleted')
    const before = names(store)
    expect(await code(session.fork({ at: 'nowhere' }))).toBe('NOT_FOUND')
    expect(await code(session.fork({ before: 'nowhere' }))).toBe('NOT_FOUND')
    expect(await code(session.fork({ id: 'used' }))).toBe('EXISTS')
    expect(await code(session.fork({ id: 'a' }))).toBe('EXISTS')
    expect(await code(session.fork({ id: 'deleted' }))).toBe('DELETED')
    expect(await code(session.fork({ at: 'a0', before: 'a1' }))).toBeInstanceOf(TypeError)
    expect(await code(session.fork({ id: '' }))).toBeInstanceOf(TypeError)
    expect(await code(session.fork({ title: 'x'.repeat(1025) }))).toBeInstanceOf(TypeError)
    expect(await code((await sessions.create('new')).fork({ before: 'a0' }))).toBe('NOT_FOUND')
    expect(await texts(await sessions.open('used'))).toEqual(['untouched'])
    await sessions.delete('new')
    expect(names(store)).toEqual([...before, 'session/new'].toSorted())
  })

  test('of an empty session, and of an entry object, and of a leaf that was moved', async () => {
    const { sessions, session } = await source()
    const empty = await (await sessions.create('e')).fork({ id: 'f' })
    expect([await texts(empty), empty.forkedFrom]).toEqual([[], { session: 'e', entry: null }])
    const entry = await session.entry('a2b')
    expect(await texts(await session.fork({ at: entry }))).toEqual(['a0', 'a1', 'a2b'])
    await session.moveTo('a2b')
    expect(await texts(await session.fork())).toEqual(['a0', 'a1', 'a2b'])
    await session.moveTo(null)
    expect(await texts(await session.fork())).toEqual([])
  })

  test('[tree:19] what is appended to either never appears in the other, also side by side', async () => {
    const { sessions, session } = await source()
    const fork = await session.fork({ id: 'b', at: 'a3' })
    const other = await sessions.open('b')
    await Promise.all([
      ...[0, 1, 2].map((i) => session.append(user(`s${i}`))),
      ...[0, 1, 2].map((i) => fork.append(user(`f${i}`))),
    ])
    await other.append(user('g'), { onConflict: 'rebase' })
    expect(await texts(session)).toEqual(['a0', 'a1', 'a2', 'a3', 'a4', 's0', 's1', 's2'])
    expect(await texts(fork)).toEqual(['a0', 'a1', 'a2', 'a3', 'f0', 'f1', 'f2', 'g'])
    expect(await texts(other)).toEqual(await texts(fork))
    expect((await fork.verify()).ok).toBe(true)
    expect((await session.verify()).ok).toBe(true)
  })

  test('of an ancestor only the path is there, by id and by position', async () => {
    const { session } = await source()
    const [off, on, first] = [await session.entry('a2b'), await session.entry('a2'), await session.entry('a0')]
    const fork = await session.fork({ at: 'a3' })
    for (const reference of ['a2b', off, 'a4', await session.entry('a4')]) {
      expect(await code(fork.entry(reference))).toBe('NOT_FOUND')
      expect(await code(fork.moveTo(reference))).toBe('NOT_FOUND')
      expect(await code(fork.append(user('x'), { parent: reference }))).toBe('INVALID_PARENT')
      expect(await code(fork.fork({ at: reference }))).toBe('NOT_FOUND')
    }
    expect([await fork.entry('a2'), await fork.entry(on), await fork.entry(first)]).toEqual([on, on, first])
    expect(await ids(fork)).toEqual(['a0', 'a1', 'a2', 'a3'])
  })

  test('the leaf moves into the ancestors, and the branch that begins there can be forked in turn', async () => {
    const { sessions, session } = await source()
    const fork = await session.fork({ id: 'b', at: 'a3' })
    await fork.append(user('b0'), { id: 'b0' })
    await fork.moveTo('a1')
    expect(await texts(fork)).toEqual(['a0', 'a1'])
    expect(await texts(await sessions.open('b'))).toEqual(['a0', 'a1'])
    await fork.append([user('b1'), user('b2')], { id: ['b1', 'b2'] })
    expect(await texts(fork)).toEqual(['a0', 'a1', 'b1', 'b2'])
    expect(await ids(fork)).toEqual(['a0', 'a1', 'a2', 'a3', 'b0', 'b1', 'b2'])
    await fork.moveTo(null)
    await fork.append(user('root'), { id: 'root' })
    expect(await texts(fork)).toEqual(['root'])
    const second = await fork.fork({ id: 'c', at: 'b2' })
    // Of b it sees what leads to b2, of a what leads to a1.
    expect(await ids(second)).toEqual(['a0', 'a1', 'b1', 'b2'])
    expect(await code(second.entry('a2'))).toBe('NOT_FOUND')
    expect(await code(second.entry('b0'))).toBe('NOT_FOUND')
    await second.append(user('c0'), { parent: 'a0' })
    expect(await texts(second)).toEqual(['a0', 'c0'])
    for (const one of [fork, second]) expect(await one.verify()).toMatchObject({ ok: true, problems: [] })
  })

  test('forks of forks have a flat lineage: one reference for each session that holds something of theirs', async () => {
    const { store, session } = await source()
    const b = await session.fork({ id: 'b' })
    await b.append(user('b0'), { id: 'b0' })
    const c = await b.fork({ id: 'c' })
    await c.append(user('c0'), { id: 'c0' })
    const d = await c.fork({ id: 'd' })
    expect(await texts(d)).toEqual(['a0', 'a1', 'a2', 'a3', 'a4', 'b0', 'c0'])
    const early = await c.fork({ id: 'early', at: 'a1' })
    expect(early.forkedFrom).toEqual({ session: 'c', entry: 'a1' })
    expect(await texts(early)).toEqual(['a0', 'a1'])
    expect(names(store).filter((name) => name.startsWith('refs/'))).toEqual(
      ['refs/a/b', 'refs/a/c', 'refs/b/c', 'refs/a/d', 'refs/b/d', 'refs/c/d', 'refs/a/early'].toSorted(),
    )
    // A fork whose own log holds nothing yet hands down what its ancestors hold.
    const again = await d.fork({ id: 'again' })
    expect(await texts(again)).toEqual(await texts(d))
    expect(names(store)).not.toContain('refs/d/again')
    expect((await d.verify()).digest).toBe((await c.verify()).digest)
  })

  test('the same request gives the same fork; another one for its id does not', async () => {
    const { sessions, session } = await source()
    const fork = await session.fork({ requestId: 'r1' })
    await fork.append(user('more'))
    await session.append(user('a5'))
    expect((await session.fork({ requestId: 'r1' })).id).toBe(fork.id)
    expect(await texts(await session.fork({ requestId: 'r1' }))).toEqual(['a0', 'a1', 'a2', 'a3', 'a4', 'more'])
    expect((await session.fork({ requestId: 'r2' })).id).not.toBe(fork.id)
    expect(await code(session.fork({ requestId: 'r1', at: 'a1' }))).toBe('EXISTS')
    const named = await session.fork({ id: 'named', at: 'a1' })
    expect((await session.fork({ id: 'named', at: 'a1' })).id).toBe(named.id)
    expect(await code(session.fork({ id: 'named', at: 'a2' }))).toBe('EXISTS')
    expect(await code(session.fork({ id: 'named', at: 'a1', requestId: 'r3' }))).toBe('EXISTS')
    expect(await code((await sessions.create('z')).fork({ id: 'named' }))).toBe('EXISTS')
    const both = await Promise.all([session.fork({ requestId: 'r4' }), session.fork({ requestId: 'r4' })])
    expect(both[0].id).toBe(both[1].id)
  })

  test('an id of an entry that the ancestors hold is recognised', async () => {
    const { session } = await source()
    const fork = await session.fork({ at: 'a3' })
    const again = await fork.append(user('a3'), { id: 'a3' })
    expect(again).toEqual(await session.entry('a3'))
    expect(await code(fork.append(user('other'), { id: 'a2' }))).toBe('DUPLICATE')
    expect(await code(fork.append(user('other'), { id: 'a0', ifAbsent: 'whole-log' }))).toBe('DUPLICATE')
    // Not on the path: nobody's here.
    expect((await fork.append(user('a4'), { id: 'a4' })).parentId).toBe('a3')
  })

  test('costs two requests and one for each session it depends on, and one for the list; three rounds', async () => {
    const { store } = await source()
    const { adapter, counts, reset } = counting(memory({ store }))
    const sessions = open(adapter)
    const session = await sessions.open('a')
    const leaf = await session.leaf()
    reset()
    const b = await session.fork({ at: leaf! })
    expect([counts.put.calls, counts.get.calls, counts.read.calls]).toEqual([3, 1, 0])
    const end = await b.append(user('b0'))
    reset()
    await b.fork({ at: end })
    expect([counts.put.calls, counts.get.calls, counts.read.calls]).toEqual([4, 1, 0])
  })
})
