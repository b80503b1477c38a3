import { memory, MemoryStore } from '@sessiontree/memory'
import { describe, expect, test } from 'vitest'
import { openSessions, SessionError, type JsonObject, type StorageAdapter } from '../src/index.ts'
import {
  changeSession,
  discardCopies,
  parseSessionDocument,
  reserveIncarnation,
  switchIncarnation,
} from '../src/session-document.ts'
import { MAX_TITLE_LENGTH } from '../src/session-fields.ts'
import { updateSession, type ChangeableSession, type SessionPatch } from '../src/update-session.ts'
import { seededClock, seededRandom } from './seeded.ts'

const reference = { key: 'session/s', id: 's' }
const environment = (adapter: StorageAdapter, seed = 7) => ({
  adapter,
  clock: seededClock(),
  random: seededRandom(seed),
})

/** A session without a handle: each change reads its document first. */
const session = (place: ReturnType<typeof environment>, which = reference): ChangeableSession => ({
  change: (change, signal) => changeSession(place, which, change, { signal }),
})

async function withSession(options: { title?: string; metadata?: JsonObject } = {}) {
  const store = new MemoryStore()
  const adapter = memory({ store })
  await openSessions(adapter, { clock: seededClock(), random: seededRandom(1) }).create('s', options)
  const document = () => parseSessionDocument(store.documents.get(reference.key)!.value, reference.key)
  const update = (patch: SessionPatch, seed?: number) => updateSession(session(environment(adapter, seed)), patch)
  return { store, adapter, document, update }
}

describe('updateSession', () => {
  test('sets, replaces and removes title and metadata; what is left out stays', async () => {
    const { document, update } = await withSession({ title: 'one', metadata: { a: 1, b: { deep: [1], more: 2 } } })
    expect(await update({ title: 'two' })).toEqual(document())
    expect(document()).toMatchObject({ title: 'two', metadata: { a: 1, b: { deep: [1], more: 2 } } })
    await update({ metadata: { a: null, b: { deep: [2] }, c: 'new', d: undefined } as unknown as JsonObject })
    expect(document()).toMatchObject({ title: 'two', metadata: { b: { deep: [2] }, c: 'new' } })
    await update({ title: null, metadata: { b: null, c: null, nobody: null } })
    expect(document().metadata).toEqual({})
    expect('title' in document()).toBe(false)
  })

  test('a key called __proto__ is a key; a null inside a value stays', async () => {
    const { store, update } = await withSession()
    await update({ metadata: JSON.parse('{"__proto__":{"x":null},"10":1,"9":[null]}') as JsonObject })
    expect(store.documents.get(reference.key)?.value).toMatch(
      /"metadata":\{"9":\[null\],"10":1,"__proto__":\{"x":null\}\}/,
    )
    await update({ metadata: JSON.parse('{"__proto__":null}') as JsonObject })
    expect(store.documents.get(reference.key)?.value).toMatch(/"metadata":\{"9":\[null\],"10":1\}/)
  })

  test('everything else of the document stays, fields of a later version too', async () => {
    const { store, document, update } = await withSession({ title: 'one' })
    const { value, version } = store.documents.get(reference.key)!
    store.documents.set(reference.key, { value: value.replace('"title"', '"labels":["x"],"title"'), version })
    const { rev, revs: _revs, ...before } = document()
    await update({ title: 'two' })
    const { rev: fresh, revs, ...after } = document()
    expect(after).toEqual({ ...before, title: 'two' })
    expect(fresh).not.toBe(rev)
    expect(revs).toEqual([rev])
  })

  test('a patch that changes nothing writes nothing', async () => {
    const { store, update, document } = await withSession({ title: 'one', metadata: { a: { x: 1, y: 2 } } })
    const puts = store.puts
    for (const patch of [{}, { title: 'one' }, { metadata: {} }, { metadata: { a: { y: 2, x: 1 }, b: null } }]) {
      expect(await update(patch)).toEqual(document())
    }
    expect(store.puts).toBe(puts)
  })

  test('patches of several writers all take effect', async () => {
    const { document, update } = await withSession()
    await Promise.all(Array.from({ length: 12 }, (_, i) => update({ metadata: { [`key ${i}`]: i } }, i + 1)))
    expect(document().metadata).toEqual(Object.fromEntries(Array.from({ length: 12 }, (_, i) => [`key ${i}`, i])))
    expect(document().revs).toHaveLength(12)
  })

  test('what cannot be stored is a TypeError, and nothing is read or written', async () => {
    const { store, adapter, update } = await withSession()
    const puts = store.puts
    const untouchable = new Proxy(adapter, {
      get() {
        throw new Error('touched')
      },
    })
    for (const patch of [
      { title: 1 },
      { title: 'x'.repeat(MAX_TITLE_LENGTH + 1) },
      { metadata: null },
      { metadata: [] },
      { metadata: 'text' },
      { metadata: { when: new Date(0) } },
      { metadata: { n: NaN } },
      { state: 'tombstone' },
      null,
    ]) {
      const attempt = updateSession(session(environment(untouchable)), patch as unknown as SessionPatch)
      await expect(attempt).rejects.toThrow(TypeError)
    }
    await expect(update({ metadata: { large: 'x'.repeat(1024 * 1024) } })).rejects.toThrow(TypeError)
    await update({ metadata: { half: 'x'.repeat(600_000) } })
    await expect(update({ metadata: { other: 'x'.repeat(600_000) } })).rejects.toThrow(TypeError)
    expect(store.puts).toBe(puts + 1)
  })

  test('the patch may be changed as soon as the call has returned', async () => {
    const { document, update } = await withSession()
    const metadata = { list: ['kept'] }
    const updating = update({ metadata })
    metadata.list[0] = 'changed'
    await updating
    expect(document().metadata).toEqual({ list: ['kept'] })
  })

  test('of no session, of a deleted one, with an aborted signal', async () => {
    const { store, adapter, update } = await withSession()
    const nobody = updateSession(session(environment(adapter), { key: 'session/x', id: 'x' }), { title: 'x' })
    await expect(nobody).rejects.toMatchObject({ code: 'NOT_FOUND', written: 'no' })
    const reason = new Error('enough')
    const signal = AbortSignal.abort(reason)
    await expect(updateSession(session(environment(adapter)), { title: 'x' }, { signal })).rejects.toBe(reason)
    await openSessions(adapter, { clock: seededClock(), random: seededRandom(5) }).delete('s')
    const puts = store.puts
    await expect(update({ title: 'x' })).rejects.toMatchObject({ code: 'DELETED' })
    expect(store.puts).toBe(puts)
  })

  test('create refuses the same titles and metadata', async () => {
    const sessions = openSessions(memory())
    for (const options of [
      { title: 'x'.repeat(MAX_TITLE_LENGTH + 1) },
      { metadata: [] },
      { metadata: { d: new Date(0) } },
    ]) {
      await expect(sessions.create('s', options as never)).rejects.toThrow(TypeError)
    }
    expect(await Array.fromAsync(sessions.list())).toEqual([])
  })
})

describe('the numbers of a session’s logs', () => {
  test('are handed out once each; the first copy that is switched to counts', async () => {
    const { adapter, document } = await withSession()
    const place = environment(adapter)
    const numbers = await Promise.all(
      [1, 2, 3].map((seed) => reserveIncarnation(environment(adapter, seed), reference)),
    )
    expect(new Set(numbers.map(({ incarnation }) => incarnation))).toEqual(new Set([1, 2, 3]))
    expect(await switchIncarnation(place, reference, { from: 0, to: 2 })).toBe(true)
    expect(await switchIncarnation(place, reference, { from: 0, to: 2 })).toBe(true)
    expect(await switchIncarnation(place, reference, { from: 0, to: 1 })).toBe(false)
    expect(await switchIncarnation(place, reference, { from: 0, to: 3 })).toBe(false)
    expect(document()).toMatchObject({ incarnation: 2, reserved: 3 })
    expect(Date.parse(document().switchedAt!)).toBeGreaterThan(0)
    expect((await reserveIncarnation(place, reference)).incarnation).toBe(4)
  })

  test('nobody goes back, to a number that was never handed out, or to a copy that was discarded', async () => {
    const { adapter, document } = await withSession()
    const place = environment(adapter)
    expect(await switchIncarnation(place, reference, { from: 0, to: 1 })).toBe(false)
    for (let i = 0; i < 3; i++) await reserveIncarnation(place, reference)
    expect(await discardCopies(place, reference)).toMatchObject({ discarded: 2, incarnation: 0 })
    expect(await switchIncarnation(place, reference, { from: 0, to: 1 })).toBe(false)
    expect(await switchIncarnation(place, reference, { from: 0, to: 2 })).toBe(false)
    expect(await switchIncarnation(place, reference, { from: 0, to: 3 })).toBe(true)
    expect(await switchIncarnation(place, reference, { from: 3, to: 3 })).toBe(true)
    expect(await switchIncarnation(place, reference, { from: 3, to: 0 })).toBe(false)
    const { rev } = document()
    expect((await discardCopies(place, reference)).rev).toBe(rev)
    expect(document().incarnation).toBe(3)
  })

  test('a deleted session gives none', async () => {
    const { adapter } = await withSession()
    await reserveIncarnation(environment(adapter), reference)
    await openSessions(adapter, { clock: seededClock(), random: seededRandom(5) }).delete('s')
    for (const attempt of [
      reserveIncarnation(environment(adapter), reference),
      switchIncarnation(environment(adapter), reference, { from: 0, to: 1 }),
    ]) {
      expect(SessionError.is(await attempt.catch((error: unknown) => error), 'DELETED')).toBe(true)
    }
  })
})
