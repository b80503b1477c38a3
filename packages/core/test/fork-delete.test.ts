import { counting, crashing } from '@sessiontree/contract'
import { memory, MemoryStore } from '@sessiontree/memory'
import { describe, expect, test } from 'vitest'
import { SessionError, type RoleMessage, type Session } from '../src/index.ts'
import { nothing, open, user } from './swept-store.ts'

const texts = async (session: Session<RoleMessage>) =>
  (await session.context()).messages.map(({ content }) => content as string)
const codeOf = async (call: Promise<unknown>) => {
  const error = await call.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  return SessionError.is(error) ? error.code : error
}
const stored = (store: MemoryStore, id: string) => JSON.parse(store.documents.get(`session/${id}`)!.value) as object

/** A session a of four messages; b forks it at a2, with a branch of its own; c forks b; d is an empty fork. */
async function family() {
  const store = new MemoryStore()
  const sessions = open(memory({ store }))
  const a = await sessions.create('a')
  for (const i of [0, 1]) await a.append(user(`a${i}`), { id: `a${i}` })
  await a.append(user('off'), { id: 'off' })
  await a.moveTo('a1')
  for (const i of [2, 3]) await a.append(user(`a${i}`), { id: `a${i}` })
  const b = await a.fork({ id: 'b', at: 'a2' })
  await b.append(user('b0'), { id: 'b0' })
  await b.moveTo('a1')
  await b.append([user('b1'), user('b2')], { id: ['b1', 'b2'] })
  const c = await b.fork({ id: 'c' })
  await c.append(user('c0'), { id: 'c0' })
  const d = await a.fork({ id: 'd', before: 'a0' })
  return { store, sessions, a, b, c, d }
}

const B = ['a0', 'a1', 'b1', 'b2']
const C = [...B, 'c0']

/** What must hold of b and c whatever was deleted before them. */
async function expectWhole(store: MemoryStore, ids: readonly string[], seed = 77): Promise<void> {
  const sessions = open(memory({ store }), { seed })
  for (const id of ids) {
    const session = await sessions.open(id)
    expect(await texts(session)).toEqual(id === 'b' ? B : C)
    expect(await session.verify()).toMatchObject({ ok: true, problems: [] })
    expect((await session.entry('a0')).id).toBe('a0')
    expect(await codeOf(session.entry('off'))).toBe('NOT_FOUND')
  }
}

describe('deleting a session with forks', () => {
  for (const order of [['a', 'b'], ['b', 'a'], ['a'], ['b']]) {
    test(`[tree:24] ${order.join(', then ')}: the forks keep what they share, by handles that were open too`, async () => {
      const { store, sessions, b, c, a } = await family()
      const digests = [(await b.verify()).digest, (await c.verify()).digest]
      const [entries, entry] = [await Array.fromAsync(c.entries()), await a.entry('a0')]
      for (const id of order) await sessions.delete(id)
      expect([...store.logs.keys()].filter((log) => order.some((id) => log.startsWith(`session/${id}/`)))).toEqual([])
      expect([...store.documents.keys()].filter((key) => order.some((id) => key.startsWith(`refs/${id}`)))).toEqual([])
      const left = ['b', 'c'].filter((id) => !order.includes(id))
      await expectWhole(store, left)
      // Handles that know the old logs find the copies; old positions name nothing, ids do.
      expect(await texts(c)).toEqual(C)
      const now = await Array.fromAsync(c.entries())
      const told = ({ position: _position, ...rest }: (typeof now)[number]) => rest
      expect(now.map(told)).toEqual(entries.map(told))
      expect(told(await c.entry(entry))).toEqual(told(entry))
      expect((await c.verify()).digest).toBe(digests[1])
      if (left.includes('b')) {
        expect(await texts(b)).toEqual(B)
        expect((await b.verify()).digest).toBe(digests[0])
      }
      await c.append(user('c1'), { parent: 'a0' })
      expect(await texts(await open(memory({ store }), { seed: 5 }).open('c'))).toEqual(['a0', 'c1'])
      expect(await sessions.sweep()).toEqual(nothing)
    })
  }

  test('everything can be deleted, in any order, and nothing is left', async () => {
    for (const order of ['abcd', 'dcba', 'bacd', 'cadb']) {
      const { store, sessions } = await family()
      for (const id of order) await sessions.delete(id)
      expect([...store.logs.keys()]).toEqual([])
      expect([...store.documents.keys()].toSorted()).toEqual(['session/a', 'session/b', 'session/c', 'session/d'])
    }
  })

  test('an open handle goes on in the middle of what it does: append, move, fork, streams', async () => {
    const { store, sessions, b, c } = await family()
    const stream = c.entries()[Symbol.asyncIterator]()
    const first = await stream.next()
    await sessions.delete('a')
    await sessions.delete('b')
    const rest: string[] = []
    for (let step = await stream.next(); !step.done; step = await stream.next()) rest.push(step.value.id)
    expect([first.value?.id, ...rest]).toEqual(['a0', 'a1', 'b1', 'b2', 'c0'])
    const other = open(memory({ store }), { seed: 3 })
    const late = await other.open('c')
    await late.moveTo('a1')
    expect(await codeOf(b.append(user('gone')))).toBe('DELETED')
    const e = await c.fork({ id: 'e', at: 'b1' })
    expect(await texts(e)).toEqual(['a0', 'a1', 'b1'])
    expect(stored(store, 'e')).toMatchObject({ lineage: [{ session: 'c' }, { session: 'c' }] })
    await other.delete('c')
    expect(await texts(e)).toEqual(['a0', 'a1', 'b1'])
    expect((await e.verify()).ok).toBe(true)
  })

  test('a fork of a running fork of a session that is being deleted, at any step of the deletion', async () => {
    let runs = 0
    for (let after = 0, isDone = false; !isDone; after++, runs++) {
      const { store } = await family()
      const { adapter, crashed } = crashing(memory({ store }), { after })
      const deletion = open(adapter, { seed: 2 }).delete('a')
      isDone = await Promise.race([deletion.then(() => true), crashed.then(() => false)])
      const sessions = open(memory({ store }), { seed: 3 })
      const e = await (await sessions.open('c')).fork({ id: 'e' })
      expect(await texts(e)).toEqual(C)
      const isLive = await codeOf(sessions.open('a'))
      const mine = isLive === 'DELETED' ? undefined : await (await sessions.open('a')).fork({ id: 'f', at: 'a1' })
      await sessions.sweep()
      if (isLive === 'DELETED') expect(store.logs.has('session/a/0')).toBe(false)
      await expectWhole(store, ['b', 'c', 'e'])
      if (mine) expect(await texts(mine)).toEqual(['a0', 'a1'])
      expect(await codeOf(sessions.open('a'))).toBe(isLive)
      expect(await sessions.sweep()).toEqual(nothing)
    }
    expect(runs).toBeGreaterThan(40)
  })

  test('[tree:18] interrupted at any step, a fork is absent or complete, and deletions beside it find it', async () => {
    let runs = 0
    for (let after = 0, isDone = false; !isDone; after++, runs++) {
      const { store } = await family()
      const { adapter, crashed } = crashing(memory({ store }), { after })
      const forking = open(adapter, { seed: 2 })
        .open('b')
        .then((b) => b.fork({ id: 'e', requestId: 'r' }))
      isDone = await Promise.race([forking.then(() => true), crashed.then(() => false)])
      const sessions = open(memory({ store }), { seed: 3 })
      const code = await codeOf(sessions.open('e'))
      expect([undefined, 'NOT_FOUND']).toContain(code)
      if (code === undefined) expect(await texts(await sessions.open('e'))).toEqual(B)
      if (runs % 2 === 1) await sessions.delete('a')
      const again = await (await sessions.open('b')).fork({ id: 'e', requestId: 'r' })
      expect(await texts(again)).toEqual(B)
      await sessions.delete('b')
      if (runs % 2 === 0) await sessions.delete('a')
      expect(await texts(again)).toEqual(B)
      expect((await again.verify()).ok).toBe(true)
      await sessions.sweep()
      expect([...store.documents.keys()].filter((key) => key.startsWith('refs/'))).toEqual([])
    }
    expect(runs).toBeGreaterThan(10)
  })

  test('an id that a deletion blocked is free for whoever comes next', async () => {
    for (const next of ['create', 'fork'] as const) {
      const { store, sessions } = await family()
      const { adapter, crashed } = crashing(memory({ store }), { after: 8 })
      await Promise.race([
        open(adapter, { seed: 2 })
          .open('a')
          .then((a) => a.fork({ id: 'e', at: 'a0' })),
        crashed,
      ])
      expect(store.documents.has('refs/a/e')).toBe(true)
      expect(store.documents.has('session/e')).toBe(false)
      await sessions.delete('a')
      expect(stored(store, 'e')).toMatchObject({ state: 'blocked' })
      expect(await codeOf(sessions.open('e'))).toBe('NOT_FOUND')
      expect(await codeOf(sessions.delete('e'))).toBe('NOT_FOUND')
      expect(await sessions.sweep()).toEqual(nothing)
      const e = next === 'create' ? await sessions.create('e') : await (await sessions.open('b')).fork({ id: 'e' })
      expect(await texts(e)).toEqual(next === 'create' ? [] : B)
      expect((await Array.fromAsync(sessions.list())).map(({ id }) => id)).toContain('e')
    }
  })

  test('a thousand forks of one session: each gets its copy, with progress, and memory stays small', async () => {
    const store = new MemoryStore()
    const sessions = open(memory({ store }))
    const a = await sessions.create('a')
    for (let i = 0; i < 20; i++) await a.append(user(`m${i}`), { id: `m${i}` })
    for (let i = 0; i < 1000; i++) await a.fork({ id: `f${i}`, at: `m${i % 20}` })
    const { adapter, counts } = counting(memory({ store }))
    let last = { forks: 0, records: 0 }
    let calls = 0
    await open(adapter, { seed: 2 }).delete('a', {
      onProgress(progress) {
        expect(progress.forks).toBeGreaterThanOrEqual(last.forks)
        last = progress
        calls++
      },
    })
    expect(last).toEqual({ forks: 1000, records: (1000 / 20) * 210 })
    expect(calls).toBe(2000)
    // A fork: read the path twice and the copy's end, append once, get it twice and put it.
    expect(counts.append.calls).toBe(1001)
    expect(counts.put.calls).toBe(1002)
    for (const i of [0, 19, 500, 999]) {
      const fork = await sessions.open(`f${i}`)
      expect(await texts(fork)).toEqual(Array.from({ length: (i % 20) + 1 }, (_, at) => `m${at}`))
      expect((await fork.verify()).ok).toBe(true)
    }
    expect([...store.documents.keys()].filter((key) => key.startsWith('refs/'))).toEqual([])
  }, 60_000)

  test('a damaged fork keeps the deletion from its end: nothing that it may need is dropped', async () => {
    const { store, sessions } = await family()
    const intact = store.documents.get('session/b')!
    store.documents.set('session/b', { ...intact, value: '{"format":1' })
    expect(await codeOf(sessions.delete('a'))).toBe('CORRUPT')
    expect(store.logs.has('session/a/0')).toBe(true)
    expect((await sessions.sweep()).failed).toMatchObject([{ code: 'CORRUPT' }, { code: 'CORRUPT' }])
    store.documents.set('session/b', intact)
    expect(await sessions.sweep()).toEqual({ ...nothing, deletesFinished: 1 })
    await expectWhole(store, ['b', 'c'])
  })
})
