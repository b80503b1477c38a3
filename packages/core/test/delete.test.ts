import { counting, crashing, faulty, gating } from '@sessiontree/contract'
import { memory, MemoryStore } from '@sessiontree/memory'
import { describe, expect, test } from 'vitest'
import { openSessions, SessionError, type StorageAdapter } from '../src/index.ts'
import { seededClock, seededRandom } from './seeded.ts'

const user = (content: string) => ({ role: 'user', content })

function open(adapter: StorageAdapter, seed = 1) {
  return openSessions(adapter, { clock: seededClock(), random: seededRandom(seed) })
}

/** A store with a session that has records and a copy of its log, and another session that nobody touches. */
async function withSessions() {
  const store = new MemoryStore()
  const sessions = open(memory({ store }))
  const session = await sessions.create('s', { title: 'Secret', metadata: { secret: true } })
  await session.append(user('secret'))
  await session.append(user('more'))
  store.logs.set('session/s/1', ['"half a copy"'])
  await (await sessions.create('other')).append(user('kept'))
  const others = everythingBut(store, 's')
  return { store, sessions, session, others }
}

const isOf = (id: string) => (name: string) => new RegExp(`^(session/${id}(/|$)|index/[0-9a-f]{12}-${id}$)`).test(name)

function everythingBut(store: MemoryStore, id: string) {
  const other = ([name]: [string, unknown]) => !isOf(id)(name)
  return { documents: [...store.documents].filter(other), logs: structuredClone([...store.logs].filter(other)) }
}

/** Asserts that all that is left of session s is its tombstone, and that nothing else changed. */
function expectDeleted(store: MemoryStore, others: ReturnType<typeof everythingBut>) {
  expect([...store.documents.keys(), ...store.logs.keys()].filter(isOf('s'))).toEqual(['session/s'])
  const tombstone = JSON.parse(store.documents.get('session/s')!.value) as Record<string, unknown>
  expect(Object.keys(tombstone).toSorted()).toEqual(['deleted', 'format', 'incarnation', 'rev', 'revs', 'state'])
  expect(tombstone).toMatchObject({ format: 1, state: 'tombstone', incarnation: 0 })
  expect(new Date(tombstone['deleted'] as string).toISOString()).toBe(tombstone['deleted'])
  expect(everythingBut(store, 's')).toEqual(others)
}

describe('delete', () => {
  test('leaves a tombstone that tells nothing, and the id stays spent', async () => {
    const { store, sessions, others } = await withSessions()
    await sessions.delete('s')
    expectDeleted(store, others)
    expect((await Array.fromAsync(sessions.list())).map(({ id }) => id)).toEqual(['other'])
    for (const attempt of [
      sessions.open('s'),
      sessions.create('s'),
      sessions.getOrCreate('s'),
      open(memory({ store }), 2).create('s'),
    ]) {
      await expect(attempt).rejects.toMatchObject({ code: 'DELETED', written: 'no' })
    }
    expectDeleted(store, others)
  })

  test('again it resolves and writes nothing; an unknown id is NOT_FOUND, no id a TypeError', async () => {
    const { store, sessions } = await withSessions()
    await sessions.delete('s')
    const { adapter, counts } = counting(memory({ store }))
    await open(adapter, 2).delete('s')
    expect(counts).toMatchObject({ get: { calls: 1 }, put: { calls: 0 }, append: { calls: 0 }, drop: { calls: 0 } })
    await expect(sessions.delete('nobody')).rejects.toMatchObject({ code: 'NOT_FOUND', written: 'no' })
    await expect(sessions.delete('')).rejects.toThrow(TypeError)
  })

  test('costs two gets, two puts, one append, one drop per log, one remove, and a listing each of sub-agents and forks', async () => {
    const { store } = await withSessions()
    const { adapter, counts } = counting(memory({ store }))
    await open(adapter, 2).delete('s')
    const calls = Object.fromEntries(Object.entries(counts).map(([operation, count]) => [operation, count.calls]))
    expect(calls).toEqual({ append: 1, read: 1, drop: 2, logs: 1, get: 2, put: 2, remove: 1, keys: 2 })
  })

  test('a session without records can be deleted; a writer with an empty view cannot start it again', async () => {
    const store = new MemoryStore()
    const sessions = open(memory({ store }))
    await sessions.create('s')
    await sessions.delete('s')
    expect(store.logs.size).toBe(0)
    await expect(memory({ store }).append('session/s/0', 0, ['"late"'])).rejects.toMatchObject({ code: 'CONFLICT' })
  })

  test('handles that have it open are told; what they append is not written', async () => {
    const { store, sessions, session, others } = await withSessions()
    const other = await open(memory({ store }), 3).open('s')
    await other.context()
    await sessions.delete('s')
    for (const attempt of [
      session.append(user('late')),
      other.append(user('late')),
      other.append(user('x'), { id: 'i' }),
    ]) {
      await expect(attempt).rejects.toMatchObject({ code: 'DELETED', written: 'no' })
    }
    expectDeleted(store, others)
  })

  test('an append that is under way is stored before the end, or told that the session is deleted', async () => {
    for (const moment of ['before', 'after'] as const) {
      const { store, sessions, others } = await withSessions()
      const gate = gating(memory({ store }))
      const writer = await open(gate.adapter, 3).open('s')
      await writer.context()
      const held = gate.park('append', moment)
      const appending = writer.append(user('late')).then(
        () => 'stored',
        (error: unknown) => (error as SessionError).code,
      )
      await held.parked
      await sessions.delete('s')
      await held.release()
      expect(await appending).toBe(moment === 'before' ? 'DELETED' : 'stored')
      expectDeleted(store, others)
    }
  })

  test('beside a writer who does not stop', async () => {
    const { store, sessions, session, others } = await withSessions()
    const writing = (async () => {
      for (let i = 0; ; i++) await session.append(user(String(i)))
    })().catch((error: unknown) => error)
    await sessions.delete('s')
    expect(await writing).toMatchObject({ code: 'DELETED' })
    expectDeleted(store, others)
  })

  test('beside a writer who is always first: the drop is the fence', async () => {
    const { store, sessions, session, others } = await withSessions()
    const inner = memory({ store })
    const losing: StorageAdapter = {
      ...inner,
      async append(...call) {
        await session.append(user('again'))
        return inner.append(...call)
      },
    }
    await open(losing, 3).delete('s')
    expectDeleted(store, others)
    await expect(session.append(user('late'))).rejects.toMatchObject({ code: 'DELETED' })
    await sessions.sweep()
    expectDeleted(store, others)
  })

  test('a log that cannot be ended for another reason is not dropped', async () => {
    for (const code of ['DENIED', 'UNCERTAIN'] as const) {
      const { store, sessions, others } = await withSessions()
      const inner = memory({ store })
      const refusing: StorageAdapter = {
        ...inner,
        async append() {
          throw new SessionError(code, 'no')
        },
      }
      await expect(open(refusing, 3).delete('s')).rejects.toMatchObject({ code })
      expect(store.logs.get('session/s/0')).toHaveLength(2)
      await sessions.delete('s')
      expectDeleted(store, others)
    }
  })

  test('many at once all resolve', async () => {
    const { store, others } = await withSessions()
    const { puts } = store
    await Promise.all([1, 2, 3, 4].map((seed) => open(memory({ store }), seed).delete('s')))
    expect(store.puts).toBe(puts + 2)
    expectDeleted(store, others)
  })

  test('beside creators of the same id: deleted, or created before', async () => {
    const store = new MemoryStore()
    const sessions = open(memory({ store }))
    const creating = [2, 3].map((seed) =>
      open(memory({ store }), seed)
        .getOrCreate('s')
        .catch((error: unknown) => error),
    )
    await Promise.all([...creating, sessions.delete('s').catch(() => {})])
    await sessions.delete('s')
    await sessions.sweep()
    expect([...store.documents.keys()]).toEqual(['session/s'])
  })

  test('after every step of a process that dies, a sweep or another delete finishes it', async () => {
    for (const finish of ['sweep', 'delete'] as const) {
      let deaths = 0
      for (let after = 0, isDone = false; !isDone; after++) {
        const { store, others } = await withSessions()
        const { adapter, crashed } = crashing(memory({ store }), { after })
        const dying = open(adapter, 2).delete('s')
        isDone = await Promise.race([dying.then(() => true), crashed.then(() => false)])
        if (!isDone) deaths++
        const sessions = open(memory({ store }), 3)
        const { state } = JSON.parse(store.documents.get('session/s')!.value) as { state: string }
        const shown = (await Array.fromAsync(sessions.list())).map(({ id }) => id)
        expect(shown.includes('s')).toBe(state === 'live')
        if (state !== 'live') await expect(sessions.open('s')).rejects.toMatchObject({ code: 'DELETED' })
        if (finish === 'delete') await sessions.delete('s')
        else {
          const report = await sessions.sweep()
          expect(report).toMatchObject({ deletesFinished: state === 'deleting' ? 1 : 0, orphans: [], failed: [] })
          // Before its first write nobody knows of it.
          if (state === 'live') {
            expect(everythingBut(store, 's')).toEqual(others)
            continue
          }
        }
        expectDeleted(store, others)
        const again = JSON.stringify([...store.documents])
        expect(await sessions.sweep()).toMatchObject({ deletesFinished: 0, logsDropped: 0, documentsRemoved: 0 })
        expect(JSON.stringify([...store.documents])).toBe(again)
      }
      // Ten calls and listings, each with a request and an answer.
      expect(deaths).toBeGreaterThan(20)
    }
  })

  test('an aborted one is finished by a sweep; aborted beforehand it writes nothing', async () => {
    const reason = new Error('enough')
    const untouched = await withSessions()
    const { puts } = untouched.store
    await expect(untouched.sessions.delete('s', { signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
    expect(untouched.store.puts).toBe(puts)

    const { store, sessions, others } = await withSessions()
    const aborting = new AbortController()
    const inner = memory({ store })
    const adapter: StorageAdapter = {
      ...inner,
      async put(...call) {
        const version = await inner.put(...call)
        aborting.abort(reason)
        return version
      },
    }
    await expect(open(adapter, 2).delete('s', { signal: aborting.signal })).rejects.toBe(reason)
    expect(store.documents.get('session/s')!.value).toContain('"state":"deleting"')
    expect(store.documents.get('session/s')!.value).not.toMatch(/[sS]ecret/)
    expect(await sessions.sweep()).toMatchObject({ deletesFinished: 1 })
    expectDeleted(store, others)
  })

  test('with faults of every kind: repeated until it resolves, it is done', async () => {
    let failures = 0
    for (let seed = 1; seed <= 100; seed++) {
      const { store, others } = await withSessions()
      const { adapter, land } = faulty(memory({ store }), {
        seed,
        rates: { refused: 0.1, unsent: 0.1, lost: 0.1, late: 0.1, unread: 0.05 },
      })
      const sessions = open(adapter, seed + 1)
      for (let isDone = false; !isDone;) {
        isDone = await sessions.delete('s').then(
          () => true,
          (error: unknown) => {
            failures++
            if (!SessionError.is(error)) throw error
            return false
          },
        )
      }
      await land()
      // What came late, if anything, is garbage that a sweep finds.
      await open(memory({ store }), 9).sweep()
      expectDeleted(store, others)
    }
    expect(failures).toBeGreaterThan(20)
  })

  test('what this version cannot read is left alone', async () => {
    const { store, sessions } = await withSessions()
    const { value } = store.documents.get('session/s')!
    for (const [damaged, code] of [
      [value.replace('"format":1', '"format":2'), 'FORMAT'],
      ['{"format":1,"state":"live"}', 'CORRUPT'],
      [value.replace('"state":"live"', '"state":"archived"'), 'CORRUPT'],
      [value.replace('"incarnation":0', '"incarnation":"0"'), 'CORRUPT'],
      [value.replace('"incarnation":0', '"incarnation":0,"reserved":0.5'), 'CORRUPT'],
      [value.replace('"incarnation":0', '"incarnation":"0","reserved":1'), 'CORRUPT'],
      [value.replace(/"createdAt":"[^"]*"/, '"createdAt":"2026-11-21"'), 'CORRUPT'],
      [value.replace(/"createdAt":"[^"]*"/, '"createdAt":"1969-12-31T23:59:59.999Z"'), 'CORRUPT'],
    ] as const) {
      store.documents.set('session/s', { value: damaged, version: 'x' })
      const logs = structuredClone(store.logs)
      await expect(sessions.delete('s')).rejects.toMatchObject({ code })
      expect(store.documents.get('session/s')?.value).toBe(damaged)
      expect(store.logs).toEqual(logs)
    }
  })
})

test('a deletion that can be read but may not last drops nothing: not by delete, not by sweep', async () => {
  const { store, sessions } = await withSessions()
  const inner = memory({ store })
  // As a file whose flush failed: what was written shows, until the machine goes down.
  const poisoned = (): StorageAdapter => ({
    ...inner,
    async put(key, value, options) {
      if (key !== 'session/s') return inner.put(key, value, options)
      await inner.put(key, value, options).catch(() => {})
      throw new SessionError('UNCERTAIN', 'It may not last.')
    },
  })
  const records = structuredClone(store.logs.get('session/s/0'))
  await expect(open(poisoned(), 2).delete('s')).rejects.toMatchObject({ code: 'UNCERTAIN' })
  await expect(sessions.open('s')).rejects.toMatchObject({ code: 'DELETED' })
  await expect(open(poisoned(), 3).delete('s')).rejects.toMatchObject({ code: 'UNCERTAIN' })
  const report = await open(poisoned(), 4).sweep()
  expect(report.failed).toMatchObject([{ name: 'session/s', code: 'UNCERTAIN' }])
  expect(store.logs.get('session/s/0')).toEqual(records)
  expect((await sessions.sweep()).deletesFinished).toBe(1)
  expect(store.logs.has('session/s/0')).toBe(false)
})

test('once told DELETED, a handle shows nothing of what it still holds in memory', async () => {
  const { store, sessions, session } = await withSessions()
  const warm = await open(memory({ store }), 5).open('s')
  await warm.context()
  await sessions.delete('s')
  await expect(warm.append(user('late'))).rejects.toMatchObject({ code: 'DELETED' })
  await expect(warm.context()).rejects.toMatchObject({ code: 'DELETED' })
  await expect(session.refresh()).rejects.toMatchObject({ code: 'DELETED' })
})

test('what comes late to the name of a dropped log is not taken for its records', async () => {
  const store = new MemoryStore()
  const sessions = open(memory({ store }))
  await (await sessions.create('s')).append(user('only'))
  const warm = await open(memory({ store }), 6).open('s')
  await warm.context()
  await sessions.delete('s')
  const other = await sessions.create('other')
  await other.append(user('something else'))
  store.logs.set('session/s/0', [...store.logs.get('session/other/0')!])
  await expect(Array.fromAsync(warm.entries())).rejects.toMatchObject({ code: 'DELETED' })
})
