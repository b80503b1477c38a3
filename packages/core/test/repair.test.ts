import { crashing } from '@sessiontree/contract'
import { MemoryStore } from '@sessiontree/memory'
import { describe, expect, test } from 'vitest'
import { CorruptError, openSessions, type StorageAdapter } from '../src/index.ts'
import { DAMAGED, damagedMemory } from './damaged-memory.ts'
import { seededClock, seededRandom } from './seeded.ts'

const user = (content: string) => ({ role: 'user', content })

async function stored(count: number) {
  const store = new MemoryStore()
  let seed = 1
  const open = (adapter: StorageAdapter = damagedMemory(store)) =>
    openSessions(adapter, { random: seededRandom(seed++), clock: seededClock() })
  const session = await open().create('s')
  for (let i = 0; i < count; i++) await session.append(user(String(i)), { id: `e${i}` })
  const log = store.logs.get('session/s/0')!
  const contents = async () => (await session.context()).messages.map(({ content }) => content)
  return { store, open, session, log, contents }
}

describe('repair', () => {
  test('of a sound session writes nothing', async () => {
    const { store, session } = await stored(3)
    const before = structuredClone([...store.documents])
    expect(await session.repair()).toEqual({ repaired: false, records: 0, lost: [], lostEnd: false })
    expect([...store.documents]).toEqual(before)
    expect([...store.logs.keys()]).toEqual(['session/s/0'])
  })

  test('keeps every record that can be read in its place, and the session goes on', async () => {
    const { store, session, log, contents } = await stored(10)
    const kept = [...log]
    log[3] = DAMAGED
    log[4] = DAMAGED
    log[6] = '{"not":"a record"}'
    expect(await session.repair()).toEqual({
      repaired: true,
      records: 10,
      lost: [
        { first: 3, last: 4 },
        { first: 6, last: 6 },
      ],
      lostEnd: false,
    })
    const copy = store.logs.get('session/s/1')!
    expect(copy).toHaveLength(10)
    for (const at of [0, 1, 2, 5, 7, 8, 9]) expect(copy[at]).toBe(kept[at])
    await session.append(user('next'))
    expect(await contents()).toEqual(['0', '1', '2', '5', '7', '8', '9', 'next'])
    expect((await Array.fromAsync(session.path())).map(({ type }) => type)).toEqual([
      ...Array<string>(3).fill('user_message'),
      'lost',
      'user_message',
      'lost',
      ...Array<string>(4).fill('user_message'),
    ])
    expect(await session.verify()).toMatchObject({ ok: true, records: 11, entries: 8, lost: 3 })
    expect(log.slice(0, 10), 'the damaged log stays as it is').toEqual([
      ...kept.slice(0, 3),
      DAMAGED,
      DAMAGED,
      kept[5],
      '{"not":"a record"}',
      ...kept.slice(7),
    ])
    expect((await session.repair()).repaired).toBe(false)
  })

  test('of an end that cannot be read says so', async () => {
    const { open, session, log, contents } = await stored(5)
    log[4] = '[]'
    await expect((await open().open('s')).context()).rejects.toMatchObject({ code: 'CORRUPT' })
    expect(await session.repair()).toMatchObject({ repaired: true, lost: [{ first: 4, last: 4 }] })
    await session.append(user('next'))
    expect(await contents()).toEqual(['0', '1', '2', '3', 'next'])
  })

  test('of the first record, and of all of them', async () => {
    const { session, log, contents } = await stored(3)
    log[0] = DAMAGED
    await session.repair()
    expect(await contents()).toEqual(['1', '2'])
    const all = await stored(2)
    all.log.fill('[]')
    expect(await all.session.repair()).toMatchObject({
      lost: [
        { first: 0, last: 0 },
        { first: 1, last: 1 },
      ],
    })
    await all.session.append(user('next'))
    expect(await all.contents()).toEqual(['next'])
  })

  test('of a log that takes no more records, not even the one that ends it', async () => {
    const { store, open, log, contents, session } = await stored(6)
    log[3] = DAMAGED
    const inner = damagedMemory(store)
    const refusing: StorageAdapter = {
      ...inner,
      async append(name, at, records) {
        if (name === 'session/s/0') throw new CorruptError('Its end cannot be told.', { log: name, at })
        await inner.append(name, at, records)
      },
    }
    const [one, two] = [await open(refusing).open('s'), await open(refusing).open('s')]
    await two.context().catch(() => {})
    expect(await one.repair()).toMatchObject({ repaired: true, lost: [{ first: 3, last: 3 }] })
    await one.append(user('one'))
    await two.append(user('two'), { onConflict: 'rebase' })
    await session.refresh()
    expect(await contents()).toEqual(['0', '1', '2', '4', '5', 'one', 'two'])
  })

  test('of the leaf itself, which an older move left far behind: the session goes on before the gap', async () => {
    const { session, log, contents } = await stored(5)
    await session.moveTo('e2')
    log[2] = DAMAGED
    log[1] = DAMAGED
    await session.repair()
    expect((await session.leaf())?.type).toBe('lost')
    expect(await contents()).toEqual(['0'])
    const next = await session.append(user('next'))
    expect(next.parentId).toBe('e0')
    expect(await contents()).toEqual(['0', 'next'])
    const all = await stored(3)
    await all.session.moveTo('e0')
    all.log[0] = DAMAGED
    await all.session.repair()
    expect(await all.contents()).toEqual([])
    expect((await all.session.append(user('next'))).parentId).toBe(null)
  })

  test('branches keep their places', async () => {
    const { session, log } = await stored(8)
    await session.moveTo('e2')
    await session.append([user('left'), user('left again')])
    log[5] = DAMAGED
    await session.repair()
    const contentOf = (entry: unknown) => (entry as { message?: { content: string } }).message?.content ?? 'lost'
    expect((await Array.fromAsync(session.path())).map(contentOf)).toEqual(['0', '1', '2', 'left', 'left again'])
    expect((await Array.fromAsync(session.path({ leaf: 'e7' }))).map(contentOf)).toEqual(
      '0 1 2 3 4 lost 6 7'.split(' '),
    )
  })

  test('other handles go on in the copy, with what they had under way', async () => {
    const { store, open, session, log, contents } = await stored(300)
    const other = await open().open('s')
    await other.context()
    log[7] = DAMAGED
    await session.repair()
    await other.append(user('from the other handle'))
    expect((await contents()).at(-1)).toBe('from the other handle')
    expect(store.logs.get('session/s/0')).toHaveLength(301)
    expect(store.logs.get('session/s/1')).toHaveLength(301)
  })

  test('until the copy is there writes are BUSY and reads go on; whoever repairs next takes it up', async () => {
    const { store, open, session, log, contents } = await stored(5)
    log[2] = DAMAGED
    const controller = new AbortController()
    const reason = new Error('enough')
    const aborting = session.repair({ signal: controller.signal, onProgress: () => controller.abort(reason) })
    await expect(aborting).rejects.toBe(reason)
    const other = await open().open('s')
    await expect(other.append(user('x'))).rejects.toMatchObject({ code: 'BUSY', written: 'no', retry: true })
    expect((await Array.fromAsync(other.path({ last: 2 }))).map(({ id }) => id)).toEqual(['e3', 'e4'])
    expect(await other.repair()).toMatchObject({ repaired: true, lost: [{ first: 2, last: 2 }] })
    await session.append(user('next'))
    await other.append(user('and next'), { onConflict: 'rebase' })
    expect(await contents()).toEqual(['0', '1', '3', '4', 'next', 'and next'])
    expect(store.logs.has('session/s/2')).toBe(true)
  })

  test('a log that ended although its session lives is taken up even if nothing is damaged', async () => {
    const { open, session, contents, log } = await stored(3)
    log[1] = DAMAGED
    const controller = new AbortController()
    const kept = log[1]
    const aborting = session.repair({ signal: controller.signal, onProgress: () => controller.abort(new Error('x')) })
    await aborting.catch(() => {})
    log[1] = kept
    await (await open().open('s')).repair()
    await session.append(user('next'))
    expect((await contents()).at(-1)).toBe('next')
  })

  test('two at once end in one copy', async () => {
    const { open, session, log, contents } = await stored(20)
    log[2] = DAMAGED
    const other = await open().open('s')
    const repairs = await Promise.all([session.repair(), other.repair()])
    expect(repairs.filter(({ repaired }) => repaired).length).toBeGreaterThan(0)
    await session.append(user('one'))
    await other.append(user('two'), { onConflict: 'rebase' })
    expect((await contents()).slice(-2)).toEqual(['one', 'two'])
    expect((await session.verify()).ok).toBe(true)
  })

  test('interrupted before any request or answer of the store it can be taken up', { timeout: 60_000 }, async () => {
    let finished = false
    for (let after = 0; !finished; after++) {
      const { store, open, log } = await stored(6)
      log[2] = DAMAGED
      const { adapter, crashed } = crashing(damagedMemory(store), { after })
      const repairing = (async () => (await open(adapter).open('s')).repair())()
      finished = await Promise.race([repairing.then(() => true), crashed.then(() => false)])
      const survivor = await open().open('s')
      await survivor.repair()
      await survivor.append(user('next'))
      const { messages } = await survivor.context()
      expect(messages.map(({ content }) => content)).toEqual(['0', '1', '3', '4', '5', 'next'])
      expect((await survivor.verify()).ok).toBe(true)
    }
  })

  test('an append that was uncertain when the session moved is decided by the copy', async () => {
    for (const isStored of [true, false]) {
      const { store, open, session, log, contents } = await stored(5)
      const inner = damagedMemory(store)
      let isCut = false
      const cut: StorageAdapter = {
        ...inner,
        async append(...args) {
          if (!isCut) return inner.append(...args)
          if (isStored) await inner.append(...args).catch(() => {})
          const { SessionError } = await import('../src/index.ts')
          throw new SessionError('UNCERTAIN', 'cut')
        },
      }
      const writer = await open(cut).open('s')
      await writer.context()
      isCut = true
      await expect(writer.append(user('in doubt'), { id: 'doubt' })).rejects.toMatchObject({ code: 'UNCERTAIN' })
      log[1] = DAMAGED
      await session.repair()
      isCut = false
      await writer.append(user('next'), { onConflict: 'rebase' })
      expect((await contents()).slice(3)).toEqual(isStored ? ['4', 'in doubt', 'next'] : ['4', 'next'])
    }
  })
})

test('a save of what was there stores again what a repair loses meanwhile', async () => {
  const { store, open, log } = await stored(3)
  const messages = ['0', '1', '2'].map(user)
  const inner = damagedMemory(store)
  let repair = async () => {}
  const session = await open({
    ...inner,
    async get(...given) {
      await repair()
      return inner.get(...given)
    },
  }).open('s')
  expect((await session.save(messages)).kept).toBe(3)
  // Behind the look of the save, before it asks whether the session is still there.
  repair = async () => {
    repair = async () => {}
    log[2] = DAMAGED
    await (await open().open('s')).repair()
  }
  await session.save(messages, { onConflict: 'rebase' })
  const { messages: found } = await (await open().open('s')).context()
  expect(found.map(({ content }) => content)).toEqual(['0', '1', '2'])
})
