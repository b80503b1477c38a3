import { gating } from '@sessiontree/contract'
import { memory, MemoryStore } from '@sessiontree/memory'
import { describe, expect, test } from 'vitest'
import { reserveIncarnation, switchIncarnation } from '../src/session-document.ts'
import { A_DAY, environment, names, nothing, open, start, user } from './swept-store.ts'

const key = (id: string) => ({ key: `session/${id}`, id })

async function withForks() {
  const store = new MemoryStore()
  const adapter = memory({ store })
  const sessions = open(adapter)
  const a = await sessions.create('a')
  for (const i of [0, 1, 2]) await a.append(user(`a${i}`), { id: `a${i}` })
  return { store, adapter, sessions, a }
}

/** Goes on with the session in a copy of its log, as a repair does. */
async function repaired(store: MemoryStore, id: string): Promise<void> {
  const adapter = memory({ store })
  const { document, incarnation: to } = await reserveIncarnation(environment(adapter), key(id))
  const from = document.incarnation
  await adapter.append(`session/${id}/${to}`, 0, store.logs.get(`session/${id}/${from}`)!)
  await switchIncarnation(environment(adapter), key(id), { from, to })
}

describe('a sweep and forks', () => {
  test('keeps the earlier log of a session as long as a fork reads it, or a fork of that one', async () => {
    const { store, adapter, sessions, a } = await withForks()
    const b = await a.fork({ id: 'b' })
    await repaired(store, 'a')
    const c = await b.fork({ id: 'c' })
    const later = open(adapter, { seed: 2, now: start + 2 * A_DAY })
    const d = await (await later.open('a')).fork({ id: 'd' })
    expect(await later.sweep()).toEqual(nothing)
    await sessions.delete('b')
    expect(await later.sweep()).toEqual(nothing)
    expect(await Array.fromAsync(c.path())).toHaveLength(3)
    await sessions.delete('c')
    expect(await later.sweep()).toEqual({ ...nothing, logsDropped: 1 })
    expect(names(store).filter((name) => name.startsWith('session/a/'))).toEqual(['session/a/1'])
    expect(await Array.fromAsync(d.path())).toHaveLength(3)
  })

  test('keeps it too for a fork that is about to come', async () => {
    const { store, adapter, a } = await withForks()
    const gate = gating(adapter)
    const slow = await open(gate.adapter, { seed: 3 }).open('a')
    const held = gate.park('put', 'before', { name: 'session/b' })
    const forking = slow.fork({ id: 'b', at: 'a1' })
    await held.parked
    await repaired(store, 'a')
    const later = open(adapter, { seed: 2, now: start + 2 * A_DAY })
    expect(await later.sweep()).toEqual(nothing)
    await held.release()
    expect(await Array.fromAsync((await forking).path())).toHaveLength(2)
    expect(await later.sweep()).toEqual(nothing)
    expect((await (await later.open('b')).verify()).ok).toBe(true)
    await a.refresh()
  })

  test('removes references of whoever never depends on the session, and leaves those of a fork in the making', async () => {
    const { adapter, sessions, a } = await withForks()
    await a.fork({ id: 'b' })
    await sessions.create('other')
    await sessions.create('gone')
    await sessions.delete('gone')
    for (const ref of [
      'refs/a/other',
      'refs/a/gone',
      'refs/gone/b',
      'refs/a/soon',
      'children/a/other',
      'children/gone/x',
    ]) {
      await adapter.put(ref, '{"format":1}', { expect: 'absent' })
    }
    expect(await sessions.sweep()).toEqual({ ...nothing, documentsRemoved: 5 })
    const left = await Array.fromAsync(adapter.keys('refs'))
    expect(left.flat()).toEqual(['refs/a/b', 'refs/a/soon'])
    await sessions.delete('a')
    expect(await sessions.sweep()).toEqual(nothing)
    expect((await Array.fromAsync(adapter.keys('refs'))).flat()).toEqual([])
  })

  test('drops a copy that no deletion makes and nothing names, and leaves the others', async () => {
    const { store, adapter, sessions, a } = await withForks()
    await a.fork({ id: 'b' })
    await adapter.append('session/b/base-0123-0', 0, ['"x"'])
    expect(await sessions.sweep()).toEqual({ ...nothing, logsDropped: 1 })
    // While somebody deletes a: its copy is there, and not named yet.
    const gate = gating(adapter)
    const held = gate.park('put', 'before', { name: 'session/b' })
    const deleting = open(gate.adapter, { seed: 3 }).delete('a')
    await held.parked
    const copy = [...store.logs.keys()].find((log) => log.startsWith('session/b/base-'))!
    // The sweep takes the deletion up, by the same copy.
    expect(await sessions.sweep()).toEqual({ ...nothing, deletesFinished: 1 })
    await held.release()
    await deleting
    expect([...store.logs.keys()]).toEqual([copy])
    expect(await sessions.sweep()).toEqual(nothing)
    expect((await (await sessions.open('b')).verify()).ok).toBe(true)
  })
})
