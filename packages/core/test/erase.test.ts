import { createHash } from 'node:crypto'
import { crashing, faulty } from '@sessiontree/contract'
import { memory, MemoryStore } from '@sessiontree/memory'
import { describe, expect, test } from 'vitest'
import { SessionError, type EraseProgress, type StorageAdapter } from '../src/index.ts'
import { acme, listed, names, open, user, withScopes } from './scoped-store.ts'

describe('erase', () => {
  test('removes everything of the scope and its inner ones, and nothing else', async () => {
    const { store, adapter, others, own } = await withScopes()
    expect(own.length).toBe(2 * (3 + 2 + 1))
    const texts = own.flatMap((name) => store.logs.get(name) ?? [store.documents.get(name)?.value ?? ''])
    const bytes = Buffer.byteLength(texts.join(''))
    const sessions = open(adapter)
    const receipt = await sessions.erase()
    expect(names(store)).toEqual([...others, 'scope/acme'].toSorted())
    expect(JSON.parse(store.documents.get('scope/acme')!.value)).toMatchObject({ format: 1, incarnation: 1, revs: [] })
    expect(receipt).toEqual({
      scope: acme,
      incarnation: 1,
      erasedAt: receipt.erasedAt,
      logs: 2,
      documents: 10,
      bytes,
      keepsVersions: false,
      namesHash: createHash('sha256')
        .update(own.map((name) => `${name}\n`).join(''))
        .digest('hex'),
      failed: [],
      complete: true,
    })
    expect(new Date(receipt.erasedAt).toISOString()).toBe(receipt.erasedAt)
  })

  test('leaves no trace of what it removes, which would be a name', async () => {
    const { adapter } = await withScopes()
    const forgets: (boolean | undefined)[] = []
    const watched: StorageAdapter = {
      ...adapter,
      remove: (key, options) => (forgets.push(options?.forget), adapter.remove(key, options)),
      drop: (log, options) => (forgets.push(options?.forget), adapter.drop(log, options)),
    }
    await open(watched).erase()
    expect(forgets).toEqual(Array.from({ length: 12 }, () => true))
  })

  test('the erasing handle and new ones go on, empty; ids of before may be used again', async () => {
    const { store, adapter } = await withScopes()
    const sessions = open(adapter)
    expect(await listed(sessions)).toEqual(['a', 'b'])
    await sessions.erase()
    expect(await listed(sessions)).toEqual([])
    const session = await sessions.create('deleted')
    await session.append(user('new'))
    const fresh = open(memory({ store }), acme, 2)
    expect(await listed(fresh)).toEqual(['deleted'])
    expect((await (await fresh.open('deleted')).context()).messages).toEqual([user('new')])
    expect(await listed(open(adapter, ['acme', 'user']))).toEqual([])
    expect(await listed(open(adapter, ['acme2']))).toEqual(['a', 'b'])
    expect(store.logs.has('acme.1/session/deleted/0')).toBe(true)
  })

  test('again it moves on once more, and erases what came in between', async () => {
    const { store, adapter, others } = await withScopes()
    const sessions = open(adapter)
    await sessions.erase()
    await sessions.create('c')
    expect(await sessions.erase()).toMatchObject({ incarnation: 2, logs: 0, documents: 2, complete: true })
    expect(names(store)).toEqual([...others, 'scope/acme'].toSorted())
    // Nothing was there to be removed: no byte is unknown.
    const nothing = await sessions.erase()
    expect(nothing).toMatchObject({ logs: 0, documents: 0, bytes: 0, complete: true })
    expect(nothing.namesHash).toBe(createHash('sha256').digest('hex'))
  })

  test('an inner scope alone; then the outer one: no level comes back', async () => {
    const { adapter, store } = await withScopes()
    const inner = open(adapter, ['acme', 'user'])
    await inner.erase()
    expect(await listed(open(adapter))).toEqual(['a', 'b'])
    expect(await listed(inner)).toEqual([])
    await inner.create('again')
    expect(names(store)).toContain('acme.0/user.1/session/again')
    await open(adapter).erase()
    expect(names(store).filter((name) => name.startsWith('acme.'))).toEqual([])
    expect(await listed(open(adapter, ['acme', 'user']))).toEqual([])
    await open(adapter, ['acme', 'user']).create('again')
    expect(names(store)).toContain('acme.1/user.0/session/again')
  })

  test('without a scope it is a TypeError that says what to do, and nothing is touched', async () => {
    const { store, adapter } = await withScopes()
    const before = names(store)
    await expect(open(adapter, []).erase()).rejects.toThrow(/scope.*delete\(\)/)
    expect(names(store)).toEqual(before)
  })

  test('older handles write into the void, which the next erasure or sweep removes', async () => {
    const { store, adapter, others } = await withScopes()
    const old = open(memory({ store }), acme, 3)
    const session = await old.open('a')
    await session.append(user('warm'))
    await open(adapter).erase()
    await expect(session.append(user('late'))).rejects.toMatchObject({ code: 'NOT_FOUND' })
    await (await old.create('late')).append(user('late'))
    expect(await listed(open(adapter))).toEqual([])
    const { logsDropped, documentsRemoved } = await open(adapter, acme, 4).sweep()
    expect({ logsDropped, documentsRemoved }).toEqual({ logsDropped: 1, documentsRemoved: 2 })
    expect(names(store)).toEqual([...others, 'scope/acme'].toSorted())
  })

  test('nothing of the present is touched, neither by a sweep nor by an erasure of another level', async () => {
    const { store, adapter } = await withScopes()
    const present = names(store)
    await open(adapter).sweep()
    await open(adapter, ['acme', 'user']).sweep()
    expect(names(store)).toEqual(present)
    await open(adapter).erase()
    await (await open(adapter).create('a')).append(user('new'))
    await (await open(adapter, ['acme', 'user']).create('a')).append(user('new'))
    const after = names(store)
    await open(adapter).sweep()
    await open(adapter, ['acme', 'user']).sweep()
    await open(adapter, ['acme', 'nobody']).erase()
    expect(names(store)).toEqual([...after, 'acme.1/scope/nobody'].toSorted())
  })

  test('after every step of a process that dies, a sweep or another erasure finishes it', async () => {
    for (const finish of ['sweep', 'erase'] as const) {
      let deaths = 0
      for (let after = 0, isDone = false; !isDone; after++) {
        const { store, others } = await withScopes()
        const { adapter, crashed } = crashing(memory({ store }), { after })
        const dying = open(adapter, acme, 2).erase()
        isDone = await Promise.race([dying.then(() => true), crashed.then(() => false)])
        if (!isDone) deaths++
        const sessions = open(memory({ store }), acme, 3)
        const hasBegun = store.documents.has('scope/acme')
        expect(await listed(sessions)).toEqual(hasBegun ? [] : ['a', 'b'])
        if (finish === 'sweep') {
          expect(await sessions.sweep()).toMatchObject({ orphans: [], failed: [] })
          if (!hasBegun) continue
        } else expect(await sessions.erase()).toMatchObject({ complete: true, failed: [] })
        expect(names(store)).toEqual([...others, 'scope/acme'].toSorted())
      }
      expect(deaths).toBeGreaterThan(30)
    }
  })

  test('several at once, and beside sweeps: all resolve, nothing is left', async () => {
    const { store, others } = await withScopes()
    const at = (seed: number) => open(memory({ store }), acme, seed)
    const receipts = await Promise.all([at(1).erase(), at(2).erase(), at(3).erase()])
    await Promise.all([at(4).erase(), at(5).sweep(), at(6).sweep()])
    expect(new Set(receipts.map(({ incarnation }) => incarnation))).toEqual(new Set([1, 2, 3]))
    expect(receipts.every(({ complete }) => complete)).toBe(true)
    expect(names(store)).toEqual([...others, 'scope/acme'].toSorted())
  })

  test('what cannot be removed is in the receipt and does not stop the rest', async () => {
    const { store, adapter, others } = await withScopes()
    const stuck = ['acme.0/session/a', 'acme.0/session/a/0']
    let tries = 0
    const refusing: StorageAdapter = {
      ...adapter,
      async remove(key, options) {
        if (stuck.includes(key) && ++tries) throw new SessionError('DENIED', 'not yours')
        return adapter.remove(key, options)
      },
      async drop(log, options) {
        if (stuck.includes(log) && ++tries) throw new SessionError('UNCERTAIN', 'who knows')
        return adapter.drop(log, options)
      },
    }
    const receipt = await open(refusing).erase()
    expect(receipt).toMatchObject({ logs: 1, documents: 9, complete: false })
    // Once with all the others, and once when nothing else was left.
    expect(tries).toBe(4)
    expect(receipt.failed).toEqual([
      { name: stuck[0], code: 'DENIED', message: 'not yours' },
      { name: stuck[1], code: 'UNCERTAIN', message: 'who knows' },
    ])
    expect(names(store)).toEqual([...others, ...stuck, 'scope/acme'].toSorted())
    expect(await open(adapter).erase()).toMatchObject({ logs: 1, documents: 1, complete: true, incarnation: 2 })
  })

  test('is not complete as long as anything is left below any earlier number', async () => {
    for (const left of [0, 1]) {
      const { adapter } = await withScopes()
      await open(adapter).erase()
      await open(adapter).create('c')
      const name = `acme.${left}/index/stuck`
      await adapter.put(name, '{}', { expect: 'absent' })
      const refusing: StorageAdapter = {
        ...adapter,
        async remove(key, options) {
          if (key === name) throw new SessionError('DENIED', 'not yours')
          return adapter.remove(key, options)
        },
      }
      expect(await open(refusing).erase()).toMatchObject({ incarnation: 2, complete: false, failed: [{ name }] })
    }
  })

  test('what failed at first and then went is no failure', async () => {
    const { adapter } = await withScopes()
    let isFirst = true
    const moody: StorageAdapter = {
      ...adapter,
      async drop(log, options) {
        if (!isFirst) return adapter.drop(log, options)
        isFirst = false
        await adapter.drop(log, options)
        throw new SessionError('UNCERTAIN', 'who knows')
      },
    }
    expect(await open(moody).erase()).toMatchObject({ logs: 1, failed: [], complete: true })
  })

  test('a store that is fed faster than it is emptied: it gives up and says so', async () => {
    const { adapter } = await withScopes()
    let more = 0
    const fed: StorageAdapter = {
      ...adapter,
      async remove(key, options) {
        await adapter.remove(key, options)
        if (key.startsWith('acme.0/')) await adapter.put(`acme.0/index/${more++}`, '{}', { expect: 'absent' })
      },
    }
    expect(await open(fed).erase()).toMatchObject({ complete: false, failed: [] })
  })

  test('counts the bytes and kept versions that the store tells of', async () => {
    const { adapter } = await withScopes()
    const telling = (bytesOf: (name: string) => number | undefined): StorageAdapter => ({
      ...adapter,
      remove: async (key, options) => (await adapter.remove(key, options), { bytes: bytesOf(key) }),
      drop: async (log, options) => (await adapter.drop(log, options), { bytes: bytesOf(log), keepsVersions: true }),
    })
    /** Tells of kept versions once. */
    const keepsOne = (): StorageAdapter['remove'] => {
      let left = 1
      return async (...call) => (await adapter.remove(...call), { keepsVersions: left-- > 0 })
    }
    const inner = open(
      telling(() => 5),
      ['acme', 'user'],
    )
    expect(await inner.erase()).toMatchObject({ logs: 1, documents: 5, bytes: 30, keepsVersions: true })
    const first = open({ ...telling(() => 5), drop: adapter.drop, remove: keepsOne() }, ['acme2'])
    expect(await first.erase()).toMatchObject({ keepsVersions: true })
    const silent = open(telling((name) => (name.endsWith('/b') ? undefined : 5)))
    expect(await silent.erase()).toMatchObject({ bytes: undefined })
  })

  test('reports progress, and removes eight at a time', async () => {
    const store = new MemoryStore()
    const inner = memory({ store })
    const sessions = open(inner)
    for (let i = 0; i < 30; i++) await sessions.create(String(i))
    let under = 0
    let most = 0
    const adapter: StorageAdapter = {
      ...inner,
      async remove(key, options) {
        most = Math.max(most, ++under)
        await new Promise((resolve) => setImmediate(resolve))
        await inner.remove(key, options)
        under--
      },
    }
    const seen: EraseProgress[] = []
    await open(adapter).erase({ onProgress: (progress) => seen.push(progress) })
    expect(most).toBe(8)
    expect(seen).toHaveLength(60)
    expect(seen.at(-1)).toEqual({ logs: 0, documents: 60, failed: 0 })
  })

  test('an aborted one stops between two steps, and a sweep finishes it', async () => {
    const { store, adapter, others } = await withScopes()
    const reason = new Error('enough')
    const before = names(store)
    await expect(open(adapter).erase({ signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
    expect(names(store)).toEqual(before)
    const aborting = new AbortController()
    const onProgress = ({ documents }: EraseProgress) => documents === 3 && aborting.abort(reason)
    await expect(open(adapter).erase({ signal: aborting.signal, onProgress })).rejects.toBe(reason)
    const left = names(store).filter((name) => name.startsWith('acme.0'))
    expect(left.length).toBeGreaterThan(0)
    await open(adapter).sweep()
    expect(names(store)).toEqual([...others, 'scope/acme'].toSorted())
  })

  test('with faults of every kind, repeated until it is complete', async () => {
    for (let seed = 1; seed <= 60; seed++) {
      const { store, others } = await withScopes()
      const { adapter, land } = faulty(memory({ store }), {
        seed,
        rates: { refused: 0.05, unsent: 0.1, lost: 0.1, late: 0.1, unread: 0.03 },
      })
      const sessions = open(adapter, acme, seed)
      for (let isDone = false; !isDone;) {
        isDone = await sessions.erase().then(
          ({ complete }) => complete,
          (error: unknown) => {
            if (!SessionError.is(error)) throw error
            return false
          },
        )
      }
      await land()
      await open(memory({ store }), acme, 9).sweep()
      expect(names(store)).toEqual([...others, 'scope/acme'].toSorted())
    }
  })
})
