import { crashing, gating } from '@sessiontree/contract'
import { memory, MemoryStore } from '@sessiontree/memory'
import { describe, expect, test } from 'vitest'
import { nothing, open, start, user } from './swept-store.ts'

/** An owner with two sub-agents, of which one has its own. */
async function withSubAgents() {
  const store = new MemoryStore()
  const sessions = open(memory({ store }))
  const owner = await sessions.create('owner')
  const call = await owner.append(user('go'), { id: 'call' })
  const one = await sessions.create('one', { parent: { session: 'owner', entry: call.id } })
  await sessions.getOrCreate('two', { parent: { session: 'owner' } })
  await sessions.create('inner', { parent: { session: 'one' } })
  return { store, sessions, owner, one }
}
const states = (store: MemoryStore) =>
  Object.fromEntries(
    [...store.documents]
      .filter(([key]) => key.startsWith('session/'))
      .map(([key, { value }]) => [key.slice(8), (JSON.parse(value) as { readonly state: string }).state]),
  )
const marks = (store: MemoryStore) => [...store.documents.keys()].filter((key) => key.startsWith('children/'))

describe('sub-agents', () => {
  test('a session knows its owner; one that is not there is refused, and nothing is written', async () => {
    const { store, sessions, one } = await withSubAgents()
    expect(one.parent).toEqual({ session: 'owner', entry: 'call' })
    expect((await sessions.open('two')).parent).toEqual({ session: 'owner' })
    expect((await sessions.open('owner')).parent).toBeUndefined()
    await sessions.create('deleted')
    await sessions.delete('deleted')
    const before = [...store.documents.keys()]
    for (const [session, code] of [
      ['nobody', 'NOT_FOUND'],
      ['deleted', 'DELETED'],
      ['self', 'NOT_FOUND'],
    ] as const) {
      await expect(sessions.create('self', { parent: { session } })).rejects.toMatchObject({ code })
    }
    for (const parent of [null, 'owner', {}, { session: '' }, { session: 'owner', entry: 1 }]) {
      await expect(sessions.create('x', { parent: parent as never })).rejects.toThrow(TypeError)
    }
    expect([...store.documents.keys()]).toEqual(before)
  })

  test('their owner is not deleted unless it is said what becomes of them', async () => {
    const { store, sessions } = await withSubAgents()
    await expect(sessions.delete('owner')).rejects.toMatchObject({
      code: 'CONFLICT',
      message: expect.stringMatching(/ 2 /),
    })
    await expect(sessions.delete('owner', { subAgents: 'all' as never })).rejects.toThrow(TypeError)
    expect(states(store)['owner']).toBe('live')
    await sessions.delete('two')
    await expect(sessions.delete('owner')).rejects.toMatchObject({ message: expect.stringMatching(/ 1 /) })
    await sessions.delete('inner')
    await sessions.delete('one')
    await sessions.delete('owner')
    expect([states(store)['owner'], marks(store)]).toEqual(['tombstone', []])
  })

  test('"keep" lets them go on without it, "delete" takes them and theirs along', async () => {
    const kept = await withSubAgents()
    await kept.sessions.delete('owner', { subAgents: 'keep' })
    expect(states(kept.store)).toEqual({ owner: 'tombstone', one: 'live', two: 'live', inner: 'live' })
    expect((await kept.sessions.open('one')).parent).toEqual({ session: 'owner', entry: 'call' })
    expect(marks(kept.store)).toEqual(['children/one/inner'])
    const deleted = await withSubAgents()
    await deleted.sessions.delete('owner', { subAgents: 'delete' })
    expect(new Set(Object.values(states(deleted.store)))).toEqual(new Set(['tombstone']))
    expect([marks(deleted.store), [...deleted.store.logs.keys()]]).toEqual([[], []])
  })

  test('interrupted at any step, a sweep ends it as it was begun', async () => {
    let runs = 0
    for (let after = 0, isDone = false; !isDone; after++, runs++) {
      const { store } = await withSubAgents()
      const { adapter, crashed } = crashing(memory({ store }), { after })
      const deletion = open(adapter, { seed: 2 }).delete('owner', { subAgents: 'delete' })
      isDone = await Promise.race([deletion.then(() => true), crashed.then(() => false)])
      await open(memory({ store }), { seed: 3 }).sweep()
      const { owner, ...others } = states(store)
      expect(new Set(Object.values(others))).toEqual(new Set([owner]))
      expect(await open(memory({ store }), { seed: 4 }).sweep()).toEqual(nothing)
    }
    expect(runs).toBeGreaterThan(60)
  })

  test('one that is created while its owner is deleted with all of them is refused or deleted, wherever it stands', async () => {
    for (const [operation, name, moment] of [
      ['put', 'children/owner/late', 'before'],
      ['put', 'children/owner/late', 'after'],
      ['get', 'session/owner', 'after'],
      ['put', 'session/late', 'before'],
      ['put', 'session/late', 'after'],
    ] as const) {
      const { store, sessions } = await withSubAgents()
      const gate = gating(memory({ store }))
      const held = gate.park(operation, moment, { name })
      const creating = open(gate.adapter, { seed: 2 }).create('late', { parent: { session: 'owner' } })
      await held.parked
      await sessions.delete('owner', { subAgents: 'delete' })
      await held.release()
      const outcome = await creating.then(
        () => 'created',
        (error: { readonly code: string }) => error.code,
      )
      expect([outcome, states(store)['late'] ?? 'absent']).toEqual(
        moment === 'after' && name === 'session/late'
          ? ['created', 'tombstone']
          : ['DELETED', expect.not.stringMatching('live')],
      )
      await sessions.sweep()
      expect(marks(store)).toEqual([])
    }
  })
})

describe('deleting beside a turn', () => {
  test('is refused while a turn holds the session, or a sub-agent that goes with it, unless forced', async () => {
    const { store, sessions, owner } = await withSubAgents()
    await using turn = await owner.beginTurn({ turnId: 't1', owner: 'me' })
    for (const subAgents of ['keep', 'delete'] as const) {
      await expect(sessions.delete('owner', { subAgents })).rejects.toMatchObject({ code: 'ACTIVE_TURN', turnId: 't1' })
    }
    await turn.complete()
    const inner = await sessions.open('inner')
    await using working = await inner.beginTurn({ turnId: 't2', owner: 'you' })
    const refused = sessions.delete('owner', { subAgents: 'delete' })
    await expect(refused).rejects.toMatchObject({ code: 'ACTIVE_TURN', turnId: 't2', owner: 'you' })
    expect(states(store)['owner']).toBe('live')
    await sessions.delete('owner', { subAgents: 'delete', force: true })
    expect(new Set(Object.values(states(store)))).toEqual(new Set(['tombstone']))
    await expect(working.append(user('late'))).rejects.toMatchObject({ code: 'DELETED' })
  })

  test('a lease that has run out, or whose lock is free, keeps nobody', async () => {
    const { store, owner } = await withSubAgents()
    await owner.beginTurn({ turnId: 't1', owner: 'me' })
    const before = open(memory({ store }), { seed: 2 })
    await expect(before.delete('owner', { subAgents: 'keep' })).rejects.toMatchObject({ code: 'ACTIVE_TURN' })
    await open(memory({ store }), { seed: 3, now: start + 60_000 }).delete('owner', { subAgents: 'keep' })
    expect(states(store)['owner']).toBe('tombstone')
  })

  test('what was in a session is not in its document from the first write on', async () => {
    const { store, sessions, owner } = await withSubAgents()
    await owner.update({ title: 'secret title', metadata: { secret: 1 }, labels: ['secret label'] })
    await using turn = await owner.beginTurn({ owner: 'me' })
    await turn.append(user('secret message'))
    await turn.complete()
    const { adapter, crashed } = crashing(memory({ store }), { after: 4 })
    await Promise.race([open(adapter, { seed: 2 }).delete('owner', { subAgents: 'keep' }), crashed])
    expect(states(store)['owner']).toBe('deleting')
    expect(store.documents.get('session/owner')!.value).not.toContain('secret')
    await sessions.sweep()
    expect(states(store)['owner']).toBe('tombstone')
  })
})
