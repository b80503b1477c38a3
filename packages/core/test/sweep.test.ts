import { counting, crashing } from '@sessiontree/contract'
import { memory } from '@sessiontree/memory'
import { describe, expect, test } from 'vitest'
import { SessionError, type StorageAdapter, type SweepProgress } from '../src/index.ts'
import { switchIncarnation } from '../src/session-document.ts'
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

describe('sweep', () => {
  test('changes nothing where nothing is to be done', async () => {
    const { store, sessions, contents } = await withSession()
    await sessions.create('empty')
    const before = [...store.documents]
    const { puts } = store
    expect(await sessions.sweep()).toEqual(nothing)
    expect([...store.documents]).toEqual(before)
    expect(store.puts).toBe(puts)
    expect(await contents()).toEqual(['kept'])
  })

  test('reads each document once, and makes five listings', async () => {
    const { store, sessions } = await withSession()
    for (let i = 0; i < 20; i++) await (await sessions.create(`${i}`)).append(user('x'))
    const { adapter, counts } = counting(memory({ store }))
    await open(adapter, { seed: 2 }).sweep()
    expect(counts.get.calls).toBe(21)
    expect([counts.keys.calls, counts.logs.calls]).toEqual([4, 1])
    expect([counts.put.calls, counts.remove.calls, counts.drop.calls, counts.append.calls]).toEqual([0, 0, 0, 0])
  })

  test('adds an index entry that is missing, and removes those that lead nowhere', async () => {
    const { store, adapter, sessions } = await withSession()
    await (await sessions.create('gone')).append(user('x'))
    await sessions.delete('gone')
    store.documents.delete(entry(start))
    for (const stray of [entry(start + 5), entry(start, 'gone'), entry(start, 'nobody')]) {
      await adapter.put(stray, '{}', { expect: 'absent' })
    }
    expect(await Array.fromAsync(sessions.list())).toEqual([])
    expect(await sessions.sweep()).toEqual({ ...nothing, documentsRemoved: 2, indexEntriesAdded: 1 })
    // Somebody may be about to create the session: that entry stays.
    expect(names(store)).toEqual(
      [entry(start, 'nobody'), entry(start), 'session/gone', 'session/s', 'session/s/0'].toSorted(),
    )
    expect((await Array.fromAsync(sessions.list())).map(({ id }) => id)).toEqual(['s'])
    expect(await sessions.sweep()).toEqual(nothing)
  })

  test('drops late records of a deleted session', async () => {
    const { store, adapter, sessions } = await withSession()
    await sessions.delete('s')
    await adapter.append('session/s/3', 0, ['"a copy that came late"'])
    expect(await sessions.sweep()).toEqual({ ...nothing, logsDropped: 1 })
    expect(names(store)).toEqual(['session/s'])
  })

  test('a store that lists dropped logs, and says that nothing was left of them: they do not count', async () => {
    const { adapter, sessions } = await withSession()
    await sessions.delete('s')
    const listing: StorageAdapter = {
      ...adapter,
      async *logs() {
        yield ['session/s/0']
      },
      async drop(log) {
        await adapter.drop(log)
        return { bytes: 0 }
      },
    }
    expect(await open(listing).sweep()).toEqual(nothing)
  })

  test('a log without a session is damage: reported and left alone', async () => {
    const { store, sessions } = await withSession()
    store.documents.delete('session/s')
    expect(await sessions.sweep()).toEqual({ ...nothing, orphans: ['session/s/0'] })
    expect(store.logs.get('session/s/0')).toHaveLength(1)
  })

  test('keeps the log from before a repair for a day, then drops it', async () => {
    const { store, adapter, session, contents } = await withSession()
    const to = await copied(adapter, store)
    await switchIncarnation(environment(adapter), reference, { from: 0, to })
    expect(await open(adapter, { now: start + A_DAY - 1000 }).sweep()).toEqual(nothing)
    expect(await open(adapter, { now: start }).sweep({ keepFor: A_DAY })).toEqual(nothing)
    expect(await open(adapter, { now: start + A_DAY + 1000 }).sweep()).toEqual({ ...nothing, logsDropped: 1 })
    expect(names(store)).toEqual([entry(start), 'session/s', 'session/s/1'].toSorted())
    expect(await contents()).toEqual(['kept'])
    // A handle with a view of the log that is gone goes on in the other.
    await session.append(user('next'))
    expect(await contents()).toEqual(['kept', 'next'])
  })

  test('keepFor: 0 drops it at once', async () => {
    const { store, adapter } = await withSession()
    const to = await copied(adapter, store)
    await switchIncarnation(environment(adapter), reference, { from: 0, to })
    expect(await open(adapter, { now: start + 1000 }).sweep({ keepFor: 0 })).toEqual({ ...nothing, logsDropped: 1 })
    for (const keepFor of [-1, 0.5, NaN, '1']) {
      await expect(open(adapter).sweep({ keepFor: keepFor as number })).rejects.toThrow(TypeError)
    }
  })

  test('leaves alone what it cannot read, and says so', async () => {
    const { store, adapter, sessions } = await withSession()
    await sessions.create('damaged')
    await sessions.create('newer')
    store.documents.set('session/damaged', { value: '{', version: 'x' })
    store.documents.set('session/newer', { value: '{"format":2}', version: 'y' })
    store.documents.set('session/moved', { ...store.documents.get('session/s')! })
    for (const id of ['damaged', 'newer', 'moved']) await adapter.append(`session/${id}/7`, 0, ['"x"'])
    const before = names(store)
    const { failed, ...rest } = await sessions.sweep()
    expect({ ...rest, failed: [] }).toEqual(nothing)
    expect(failed.map(({ name, code }) => `${code} ${name}`).toSorted()).toEqual([
      'CORRUPT session/damaged',
      'CORRUPT session/moved',
      'FORMAT session/newer',
    ])
    expect(names(store)).toEqual(before)
  })

  test('names of other kinds, versions and depths are left alone', async () => {
    const { store, adapter, sessions } = await withSession()
    await sessions.delete('s')
    for (const key of [
      'refs/s',
      'refs/s/x/y',
      'children/s/x/y',
      'session/s/extra',
      'index/odd',
      'inner.0/session/x',
      'scope/inner',
    ]) {
      await adapter.put(key, '{}', { expect: 'absent' })
    }
    for (const log of ['session/s/base-1', 'session/s/00', 'session/s/0/1', 'events/s/0', 'inner.0/session/x/0']) {
      await adapter.append(log, 0, ['"x"'])
    }
    const before = names(store)
    expect(await sessions.sweep()).toEqual(nothing)
    expect(names(store)).toEqual(before)
  })

  test('a failure does not stop the rest', async () => {
    const { store, adapter, sessions } = await withSession()
    for (const id of ['a', 'b', 'c']) {
      await sessions.create(id)
      await sessions.delete(id)
      await adapter.append(`session/${id}/5`, 0, ['"late"'])
    }
    const refusing: StorageAdapter = {
      ...adapter,
      async drop(log) {
        if (log === 'session/b/5') throw new SessionError('DENIED', 'not yours')
        await adapter.drop(log)
      },
    }
    expect(await open(refusing).sweep()).toEqual({
      ...nothing,
      logsDropped: 2,
      failed: [{ name: 'session/b/5', code: 'DENIED', message: 'not yours' }],
    })
    expect([...store.logs.keys()]).toEqual(['session/s/0', 'session/b/5'])
  })

  test('a deletion that cannot go on keeps its log: it has not ended', async () => {
    const { store, adapter } = await withSession()
    const { adapter: dying, crashed } = crashing(adapter, { after: 6 })
    await Promise.race([open(dying).delete('s'), crashed])
    const refusing: StorageAdapter = {
      ...adapter,
      async append() {
        throw new SessionError('DENIED', 'not yours')
      },
    }
    const failed = [{ name: 'session/s', code: 'DENIED', message: 'not yours' }]
    expect(await open(refusing).sweep()).toEqual({ ...nothing, failed })
    expect(store.logs.get('session/s/0')).toHaveLength(1)
    expect(await open(adapter).sweep()).toEqual({ ...nothing, deletesFinished: 1 })
  })

  test('a mistake in the program, and a handle that is closed, are no failure of the store', async () => {
    const { adapter } = await withSession()
    for (const error of [new TypeError('oops'), new SessionError('CLOSED', 'closed')]) {
      const broken: StorageAdapter = {
        ...adapter,
        async get() {
          throw error
        },
      }
      await expect(open(broken).sweep()).rejects.toBe(error)
    }
    const sessions = open(adapter)
    for (let i = 0; i < 40; i++) await sessions.create(`${i}`)
    let calls = 0
    const broken: StorageAdapter = {
      ...adapter,
      async get() {
        calls++
        throw new TypeError('oops')
      },
    }
    await expect(open(broken).sweep()).rejects.toThrow('oops')
    // Nothing new is started after it.
    expect(calls).toBeLessThan(17)
    await sessions.close()
    await expect(sessions.sweep()).rejects.toMatchObject({ code: 'CLOSED' })
  })

  test('a signal stops it between two steps; progress says how far it is', async () => {
    const { sessions } = await withSession()
    for (let i = 0; i < 20; i++) await (await sessions.create(`${i}`)).append(user('x'))
    const seen: SweepProgress[] = []
    await sessions.sweep({ onProgress: (progress) => seen.push(progress) })
    expect(seen).toHaveLength(63)
    expect(seen.at(-1)).toEqual({ sessions: 21, logs: 21, indexEntries: 21, references: 0 })
    const reason = new Error('enough')
    await expect(sessions.sweep({ signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
    const aborting = new AbortController()
    let looked = 0
    const onProgress = () => {
      looked++
      aborting.abort(reason)
    }
    await expect(sessions.sweep({ signal: aborting.signal, onProgress })).rejects.toBe(reason)
    expect(looked).toBeLessThan(10)
  })

  test('a signal whose reason looks like a failure of the store stops it all the same', async () => {
    const { store, adapter } = await withSession()
    const { adapter: dying, crashed } = crashing(adapter, { after: 6 })
    await Promise.race([open(dying).delete('s'), crashed])
    const reason = new SessionError('TIMEOUT', 'too long')
    const aborting = new AbortController()
    const slow: StorageAdapter = {
      ...adapter,
      async drop(log) {
        await adapter.drop(log)
        aborting.abort(reason)
      },
    }
    await expect(open(slow).sweep({ signal: aborting.signal })).rejects.toBe(reason)
    expect(store.documents.get('session/s')!.value).toContain('"state":"deleting"')
  })

  test('dies at any step and is repeated: the same end', async () => {
    const prepare = async () => {
      const { store, adapter, sessions } = await withSession()
      for (let i = 0; i < 3; i++) await copied(adapter, store, i + 1)
      await (await sessions.create('t')).append(user('x'))
      const { adapter: dying, crashed } = crashing(memory({ store }), { after: 6 })
      await Promise.race([open(dying).delete('t'), crashed])
      store.documents.delete(entry(start))
      return store
    }
    let deaths = 0
    for (let after = 0, isDone = false; !isDone; after++) {
      const store = await prepare()
      const { adapter, crashed } = crashing(memory({ store }), { after })
      isDone = await Promise.race([
        open(adapter)
          .sweep()
          .then(() => true),
        crashed.then(() => false),
      ])
      if (!isDone) deaths++
      await open(memory({ store }), { seed: 3 }).sweep()
      expect(names(store)).toEqual([entry(start), 'session/s', 'session/s/0', 'session/s/3', 'session/t'].toSorted())
    }
    expect(deaths).toBeGreaterThan(20)
  })
})
