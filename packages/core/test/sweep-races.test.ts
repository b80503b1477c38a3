import { crashing, gating, type ParkedCall } from '@sessiontree/contract'
import { memory, MemoryStore } from '@sessiontree/memory'
import { describe, expect, test } from 'vitest'
import { reserveIncarnation, switchIncarnation } from '../src/session-document.ts'
import {
  A_DAY,
  copied,
  entry,
  environment,
  names,
  nothing,
  open,
  reference,
  start,
  user,
  withSession,
} from './swept-store.ts'

/**
 * The interleavings of `docs/decisions/0006`: the sweep is held at one call, the other does all it does, then the sweep goes on.
 */
describe('a sweep beside', () => {
  type Park = Parameters<ReturnType<typeof gating>['park']>

  async function beside(store: MemoryStore, at: Park, other: () => Promise<unknown>, scope: readonly string[] = []) {
    const gate = gating(memory({ store }))
    const held: ParkedCall = gate.park(...at)
    const sweeping = open(gate.adapter, { seed: 5, scope, now: start + 2 * A_DAY }).sweep()
    await held.parked
    await other()
    await held.release()
    return sweeping
  }

  test('a creator between entry and session: the entry stays', async () => {
    const { store, adapter } = await withSession()
    const gate = gating(adapter)
    const held = gate.park('put', 'before', { name: 'session/new' })
    const creating = open(gate.adapter, { seed: 3 }).create('new')
    await held.parked
    expect(await open(adapter, { seed: 4 }).sweep()).toEqual(nothing)
    await held.release()
    await creating
    expect((await Array.fromAsync(open(memory({ store })).list())).map(({ id }) => id).toSorted()).toEqual(['new', 's'])
  })

  test('a creator who begins after the sessions were read: its log is no orphan, its entry stays', async () => {
    const { store, sessions } = await withSession()
    const report = await beside(store, ['logs', 'before'], async () => {
      await (await sessions.create('new')).append(user('first'))
    })
    expect(report).toEqual(nothing)
    expect((await Array.fromAsync(sessions.list())).map(({ id }) => id).toSorted()).toEqual(['new', 's'])
  })

  test('two creators of one id: the entry of the one that lost goes, whoever removes it', async () => {
    const store = new MemoryStore()
    const gate = gating(memory({ store }))
    const held = gate.park('put', 'before', { name: 'session/s' })
    const losing = open(gate.adapter, { seed: 3 }).getOrCreate('s', { createdAt: new Date(start + 7) })
    await held.parked
    await open(memory({ store })).create('s', { createdAt: new Date(start) })
    expect(await open(memory({ store }), { seed: 4 }).sweep()).toEqual({ ...nothing, documentsRemoved: 1 })
    await held.release()
    await losing
    expect(names(store)).toEqual([entry(start), 'session/s'].toSorted())
  })

  test('no sweep: the creator that lost removes its own entry, unless it is the other one’s too', async () => {
    for (const later of [7, 0]) {
      const store = new MemoryStore()
      const gate = gating(memory({ store }))
      const held = gate.park('put', 'before', { name: 'session/s' })
      const losing = open(gate.adapter, { seed: 3 }).getOrCreate('s', { createdAt: new Date(start + later) })
      await held.parked
      await open(memory({ store })).create('s', { createdAt: new Date(start) })
      await held.release()
      expect((await losing).createdAt).toBe(new Date(start).toISOString())
      expect(names(store)).toEqual([entry(start), 'session/s'].toSorted())
    }
  })

  test('a delete that comes after the session was read: its entry is not left behind', async () => {
    for (const moment of ['before', 'after'] as const) {
      const { store, sessions } = await withSession()
      store.documents.delete(entry(start))
      const report = await beside(store, ['put', moment, { name: entry(start) }], () => sessions.delete('s'))
      expect(report).toEqual(nothing)
      expect(names(store)).toEqual(['session/s'])
    }
  })

  test('a delete that another one finishes meanwhile', async () => {
    for (const [operation, name] of [
      ['read', 'session/s/0'],
      ['append', 'session/s/0'],
      ['logs', 'session/s'],
      ['drop', 'session/s/0'],
      ['remove', entry(start)],
      ['put', 'session/s'],
    ] as const) {
      for (const moment of ['before', 'after'] as const) {
        const { store, adapter, sessions } = await withSession()
        const { adapter: dying, crashed } = crashing(adapter, { after: 6 })
        await Promise.race([open(dying).delete('s'), crashed])
        const report = await beside(store, [operation, moment, { name }], () => sessions.delete('s'))
        expect(report.failed).toEqual([])
        await sessions.sweep()
        expect(names(store)).toEqual(['session/s'])
        expect(JSON.parse(store.documents.get('session/s')!.value)).toMatchObject({ state: 'tombstone' })
      }
    }
  })

  test('a repair: the newest copy is in the making and stays', async () => {
    const { store, adapter, sessions, contents } = await withSession()
    const to = await copied(adapter, store)
    expect(await sessions.sweep()).toEqual(nothing)
    expect(await switchIncarnation(environment(adapter), reference, { from: 0, to })).toBe(true)
    expect(await contents()).toEqual(['kept'])
  })

  test('a repair that reserves and copies after the session was read', async () => {
    const { store, adapter, contents } = await withSession()
    const report = await beside(store, ['logs', 'before'], () => copied(adapter, store))
    expect(report).toEqual(nothing)
    expect(await switchIncarnation(environment(adapter), reference, { from: 0, to: 1 })).toBe(true)
    expect(await contents()).toEqual(['kept'])
  })

  test('two repairs: the copy that is dropped can no longer be switched to', async () => {
    const { store, adapter, sessions, contents } = await withSession()
    const [older, newer] = [await copied(adapter, store, 1), await copied(adapter, store, 2)]
    expect(await sessions.sweep()).toEqual({ ...nothing, logsDropped: 1 })
    expect(store.logs.has(`session/s/${older}`)).toBe(false)
    expect(await switchIncarnation(environment(adapter), reference, { from: 0, to: older })).toBe(false)
    expect(await contents()).toEqual(['kept'])
    expect(await switchIncarnation(environment(adapter), reference, { from: 0, to: newer })).toBe(true)
    expect(await contents()).toEqual(['kept'])
  })

  test('two repairs: the older copy is switched to when the sweep is about to discard it', async () => {
    for (const moment of ['before', 'after'] as const) {
      const { store, adapter, contents } = await withSession()
      const older = await copied(adapter, store, 1)
      // Reserved by somebody who died at once, and then a newer one: the sweep discards up to the second number.
      await reserveIncarnation(environment(adapter, 2), reference)
      await copied(adapter, store, 3)
      let switched: boolean | undefined
      await beside(store, ['put', moment, { name: 'session/s' }], async () => {
        switched = await switchIncarnation(environment(adapter), reference, { from: 0, to: older })
      })
      // Before the put it wins and the sweep lets it be; behind it, it is told.
      expect(switched).toBe(moment === 'before')
      expect(store.logs.has(`session/s/${older}`)).toBe(switched)
      expect(await contents()).toEqual(['kept'])
    }
  })

  test('a delete when it is about to discard a copy', async () => {
    const { store, adapter, sessions } = await withSession()
    await copied(adapter, store, 1)
    await copied(adapter, store, 2)
    const report = await beside(store, ['put', 'before', { name: 'session/s' }], () => sessions.delete('s'))
    expect(report.failed).toEqual([])
    await sessions.sweep()
    expect(names(store)).toEqual(['session/s'])
  })

  test('an appending handle: its log stays whatever the sweep read before', async () => {
    const { store, adapter, session, contents } = await withSession()
    const to = await copied(adapter, store)
    const report = await beside(store, ['logs', 'before'], async () => {
      await switchIncarnation(environment(adapter), reference, { from: 0, to })
      await (await open(adapter, { seed: 8 }).open('s')).append(user('next'))
    })
    expect(report.logsDropped).toBe(0)
    expect(await contents()).toEqual(['kept', 'next'])
    expect(session.id).toBe('s')
  })

  test('an erasure of its scope: no false alarm, and nothing is put back', async () => {
    for (const at of [
      ['logs', 'after'],
      ['keys', 'before', { name: 'acme.0/index' }],
      ['put', 'before', { name: `acme.0/${entry(start)}` }],
      ['put', 'after', { name: `acme.0/${entry(start)}` }],
    ] as const satisfies Park[]) {
      const store = new MemoryStore()
      const adapter = memory({ store })
      const scoped = open(adapter, { scope: ['acme'] })
      await (await scoped.create('s', { createdAt: new Date(start) })).append(user('secret'))
      store.documents.delete(`acme.0/${entry(start)}`)
      const report = await beside(store, [...at] as Park, () => scoped.erase(), ['acme'])
      expect(report).toMatchObject({ orphans: [], failed: [] })
      await open(adapter, { scope: ['acme'] }).sweep()
      expect(names(store)).toEqual(['scope/acme'])
    }
  })

  test('an erasure that has removed the documents and not yet the logs: no orphans', async () => {
    const store = new MemoryStore()
    const adapter = memory({ store })
    const scoped = open(adapter, { scope: ['acme'] })
    await (await scoped.create('s')).append(user('secret'))
    const erasing = gating(adapter)
    const held = erasing.park('drop', 'before')
    let receipt: Promise<unknown> | undefined
    const report = await beside(
      store,
      ['keys', 'before', { name: 'acme.0/session' }],
      async () => {
        receipt = open(erasing.adapter, { scope: ['acme'], seed: 3 }).erase()
        await held.parked
      },
      ['acme'],
    )
    expect(report.orphans).toEqual([])
    await held.release()
    await receipt
    expect(names(store)).toEqual(['scope/acme'])
  })

  test('other sweeps: all resolve, with the same end', async () => {
    const { store, adapter, sessions, contents } = await withSession()
    for (let i = 0; i < 3; i++) await copied(adapter, store, i + 1)
    await sessions.create('t')
    await sessions.delete('t')
    await adapter.append('session/t/4', 0, ['"late"'])
    store.documents.delete(entry(start))
    const reports = await Promise.all([1, 2, 3, 4].map((seed) => open(memory({ store }), { seed }).sweep()))
    for (const { failed, orphans } of reports) expect({ failed, orphans }).toEqual({ failed: [], orphans: [] })
    expect(reports.reduce((sum, { indexEntriesAdded }) => sum + indexEntriesAdded, 0)).toBe(1)
    expect(names(store)).toEqual([entry(start), 'session/s', 'session/s/0', 'session/s/3', 'session/t'].toSorted())
    expect(await contents()).toEqual(['kept'])
  })
})
