import { gating } from '@sessiontree/contract'
import { memory, MemoryStore } from '@sessiontree/memory'
import { describe, expect, test } from 'vitest'
import type { StorageAdapter } from '../src/index.ts'
import { acme, listed, names, open, user, withScopes } from './scoped-store.ts'

describe('a scope', () => {
  const gets = (adapter: StorageAdapter) => {
    const keys: string[] = []
    return {
      keys,
      adapter: {
        ...adapter,
        get: (...call: Parameters<typeof adapter.get>) => (keys.push(call[0]), adapter.get(...call)),
      },
    }
  }

  test('that was never erased costs one read per level, once, beside the first operation', async () => {
    const { adapter } = await withScopes()
    const { keys, adapter: seen } = gets(adapter)
    const gate = gating(seen)
    const all = ['scope/acme', 'acme.0/scope/user', 'acme.0/user.0/session/a']
    const held = all.map((name) => gate.park('get', 'after', { name }))
    const sessions = open(gate.adapter, ['acme', 'user'])
    const opening = sessions.open('a')
    // All three are on their way before any is answered.
    await Promise.all(held.map(({ parked }) => parked))
    gate.open()
    await opening
    await sessions.open('b')
    expect(keys.toSorted()).toEqual([...all, 'acme.0/user.0/session/b'].toSorted())
  })

  test('is looked at once, however many ask at the same time; without levels never', async () => {
    const { adapter } = await withScopes()
    const scoped = gets(adapter)
    const sessions = open(scoped.adapter, acme)
    await Promise.all([sessions.open('a'), sessions.open('b'), listed(sessions), sessions.create('c')])
    await sessions.open('c')
    expect(scoped.keys.filter((key) => key.startsWith('scope/'))).toEqual(['scope/acme'])
    const plain = gets(adapter)
    await open(plain.adapter, []).open('a')
    expect(plain.keys).toEqual(['session/a'])
  })

  test('that was erased is found level by level, and what the guess showed does not count', async () => {
    const { adapter } = await withScopes()
    await open(adapter, ['acme', 'user']).erase()
    await open(adapter).erase()
    await open(adapter, ['acme', 'user']).erase()
    await (await open(adapter, ['acme', 'user', 'x']).create('s')).append(user('here'))
    // Left by an older handle: names that a new one guesses first.
    await adapter.put('acme.0/scope/user', '{damaged', { expect: 'absent' })
    await adapter.put('acme.0/user.0/x.0/session/s', '{"damaged', { expect: 'absent' })
    const { keys, adapter: counted } = gets(adapter)
    const session = await open(counted, ['acme', 'user', 'x']).open('s')
    expect((await session.context()).messages).toEqual([user('here')])
    expect(keys.filter((key) => key.includes('scope/'))).toEqual([
      'scope/acme',
      'acme.0/scope/user',
      'acme.0/user.0/scope/x',
      'acme.1/scope/user',
      'acme.1/user.0/scope/x',
      'acme.1/user.1/scope/x',
    ])
    expect(keys.at(-1)).toBe('acme.1/user.1/x.0/session/s')
  })

  test('is never found in an older place than it was: a slow look does not undo an erasure', async () => {
    for (const call of ['open', 'sweep'] as const) {
      const { adapter, store } = await withScopes()
      const gate = gating(adapter)
      const held = gate.park('get', 'after', { name: 'scope/acme' })
      const sessions = open(gate.adapter)
      const slow = call === 'open' ? sessions.open('a') : sessions.sweep()
      await held.parked
      expect(await sessions.erase()).toMatchObject({ incarnation: 1 })
      await held.release()
      await slow.catch(() => {})
      await sessions.create('c')
      expect(names(store)).toContain('acme.1/session/c')
    }
  })

  test('whose document cannot be read is refused, and asked again the next time', async () => {
    const { store, adapter } = await withScopes()
    const sessions = open(adapter)
    for (const [value, code] of [
      ['{"format":2,"incarnation":0}', 'FORMAT'],
      ['{"format":1,"incarnation":-1}', 'CORRUPT'],
      ['{"format":1}', 'CORRUPT'],
    ] as const) {
      store.documents.set('scope/acme', { value, version: 'x' })
      await expect(sessions.open('a')).rejects.toMatchObject({ code })
      await expect(sessions.create('c')).rejects.toMatchObject({ code })
      await expect(sessions.erase()).rejects.toMatchObject({ code })
      await expect(sessions.sweep()).rejects.toMatchObject({ code })
    }
    store.documents.delete('scope/acme')
    expect((await sessions.open('a')).id).toBe('a')
  })

  test('of any length that is accepted stays acceptable however often it is erased', async () => {
    const scope = ['x'.repeat(86), 'y'.repeat(86), 'z'.repeat(86), 'w'.repeat(280 - 3 * 86 - 4 * 3)]
    const store = new MemoryStore()
    store.documents.set(`scope/${scope[0]}`, {
      value: '{"format":1,"rev":"a","revs":[],"incarnation":99999}',
      version: 'x',
    })
    const sessions = open(memory({ store }), scope)
    await (await sessions.create('s'.repeat(86))).append(user('fits'))
    expect(() => open(memory({ store }), [...scope.slice(0, 3), `${scope[3]}w`])).toThrow(TypeError)
    const other = open(memory({ store }), scope)
    await other.erase()
    expect(await listed(other)).toEqual([])
  })

  test('whose outer level was erased by somebody who died is cleared by a sweep of either', async () => {
    for (const scope of [acme, ['acme', 'nobody']]) {
      const { store, adapter, others } = await withScopes()
      const stuck: StorageAdapter = {
        ...adapter,
        remove: async () => {},
        drop: async () => {},
      }
      expect(await open(stuck).erase()).toMatchObject({ complete: false })
      await open(adapter, scope).sweep()
      expect(names(store)).toEqual([...others, 'scope/acme'].toSorted())
    }
  })
})
