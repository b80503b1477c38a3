import { memory, MemoryStore } from '@sessiontree/memory'
import { expect, test } from 'vitest'
import { A_DAY, nothing, open, start, user } from './swept-store.ts'

/** Session a with five messages, b that forks it at the fourth, c that forks b; record 1 of a is damaged. */
async function damaged() {
  const store = new MemoryStore()
  const adapter = memory({ store })
  const sessions = open(adapter)
  const a = await sessions.create('a')
  for (const i of [0, 1, 2, 3, 4]) await a.append(user(`a${i}`), { id: `a${i}` })
  const b = await a.fork({ id: 'b', at: 'a3' })
  await b.append(user('b0'), { id: 'b0' })
  await (await b.fork({ id: 'c' })).append(user('c0'), { id: 'c0' })
  const [first, , ...rest] = store.logs.get('session/a/0')!
  store.logs.set('session/a/0', [first!, '{}', ...rest])
  return { store, adapter, sessions: open(adapter, { seed: 2 }) }
}

test('damage in what a fork shares is reported with its log, and nothing is invented', async () => {
  const { sessions } = await damaged()
  const c = await sessions.open('c')
  await expect(Array.fromAsync(c.path())).rejects.toMatchObject({ code: 'CORRUPT', log: 'session/a/0', at: 1 })
  expect(await Array.fromAsync(c.path({ last: 3 }))).toHaveLength(3)
  const { ok, problems } = await c.verify()
  expect([ok, problems[0]]).toEqual([false, expect.objectContaining({ log: 'session/a/0', at: 1, kind: 'missing' })])
  // Its own log is sound, and its source is not repaired: nothing to do.
  expect(await c.repair()).toMatchObject({ repaired: false })
  expect(await c.append(user('more'))).toMatchObject({ parentId: 'c0' })
})

test('once the source is repaired its forks go on in the copy, and the damaged log can go', async () => {
  const { store, adapter, sessions } = await damaged()
  expect(await (await sessions.open('a')).repair()).toMatchObject({ repaired: true, lost: [{ first: 1, last: 1 }] })
  const later = open(adapter, { seed: 3, now: start + 2 * A_DAY })
  expect(await later.sweep()).toEqual(nothing)
  for (const id of ['b', 'c']) {
    const fork = await sessions.open(id)
    expect(await fork.repair()).toMatchObject({ repaired: true, records: 0, lost: [] })
    expect(
      (await Array.fromAsync(fork.path())).map((one) => ((one.type as string) === 'lost' ? 'lost' : one.id)),
    ).toEqual(['a0', 'lost', 'a2', 'a3', 'b0', 'c0'].slice(0, id === 'b' ? 5 : 6))
    expect(await fork.verify()).toMatchObject({ ok: true, lost: 1 })
    expect(await fork.repair()).toMatchObject({ repaired: false })
  }
  expect(await later.sweep()).toEqual({ ...nothing, logsDropped: 1 })
  expect([...store.logs.keys()].filter((log) => log.startsWith('session/a/'))).toEqual(['session/a/1'])
  await sessions.delete('a')
  const c = await sessions.open('c')
  expect(await c.verify()).toMatchObject({ ok: true, lost: 1 })
  expect((await c.context()).messages.map(({ content }) => content)).toEqual(['a0', 'a2', 'a3', 'b0', 'c0'])
})

test('a fork whose own log is damaged is repaired like any session, and stands on its ancestors', async () => {
  const { store, sessions } = await damaged()
  await (await sessions.open('a')).repair()
  store.logs.set('session/b/0', ['{}'])
  const b = await sessions.open('b')
  expect(await b.repair()).toMatchObject({ repaired: true, lost: [{ first: 0, last: 0 }] })
  await b.append(user('b1'))
  expect((await b.context()).messages.map(({ content }) => content)).toEqual(['a0', 'a2', 'a3', 'b1'])
})
