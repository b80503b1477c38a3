import { counting } from '@sessiontree/contract'
import { memory, MemoryStore } from '@sessiontree/memory'
import { beforeAll, describe, expect, test, vi } from 'vitest'
import { openSessions, SessionError } from '../src/index.ts'
import { manualClock } from './manual-clock.ts'

const user = (content: string) => ({ role: 'user', content })

// It is loaded when it is used, and a clock that stands still would not wait for that.
beforeAll(() => import('../src/live/live-snapshot.ts'))

async function shared() {
  const store = new MemoryStore()
  const clock = manualClock()
  const { adapter, counts, reset } = counting(memory({ store }))
  const open = (on = memory({ store })) => openSessions(on, { clock })
  const session = await open(adapter).create('s', { title: 'Title' })
  const other = await open().open('s')
  const said = () => session.snapshot().messages.map(({ content }) => content)
  return { session, other, clock, counts, reset, said, open }
}

describe('snapshot', () => {
  test('is the same object until something changed, and then another; what stayed is the same', async () => {
    const { session, other, clock, said } = await shared()
    await session.append(user('a'))
    expect(session.snapshot()).toBe(session.snapshot())
    expect(session.snapshot()).toMatchObject({ isLoaded: false, messages: [], title: 'Title' })
    const listener = vi.fn()
    const { subscribe, snapshot } = session
    const end = subscribe(listener)
    await clock.advance(10)
    const first = snapshot()
    expect(first).toMatchObject({ isLoaded: true, messages: [user('a')], status: 'idle', problem: undefined })
    expect(listener).toHaveBeenCalledTimes(1)
    await clock.advance(10_000)
    expect([snapshot() === first, listener.mock.calls.length]).toEqual([true, 1])
    const b = await session.append(user('b'))
    await clock.advance(0)
    expect([said(), snapshot().leafId]).toEqual([['a', 'b'], b.id])
    expect(snapshot().messages[0]).toBe(first.messages[0])
    expect(first.messages).toHaveLength(1)
    expect(Object.isFrozen(snapshot())).toBe(true)
    await other.append(user('c'), { onConflict: 'rebase' })
    await clock.advance(2_000)
    expect(said()).toEqual(['a', 'b', 'c'])
    await session.append(user('d'), { id: 'd' })
    await session.moveTo(b)
    await clock.advance(0)
    expect([said(), snapshot().leafId]).toEqual([['a', 'b'], b.id])
    end()
    await session.append(user('unseen'))
    await clock.advance(10_000)
    expect(said()).toEqual(['a', 'b'])
  })

  test('tells the title, also one that another handle gives', async () => {
    const { session, other, clock } = await shared()
    const end = session.subscribe(() => undefined)
    await clock.advance(10)
    await session.update({ title: 'Mine' })
    await clock.advance(0)
    expect(session.snapshot().title).toBe('Mine')
    await other.update({ title: 'Theirs' })
    await clock.advance(35_000)
    expect(session.snapshot().title).toBe('Theirs')
    end()
  })

  test('of a fork of a running turn says what status() says: nothing is under way there', async () => {
    const { session, clock } = await shared()
    const turn = await session.beginTurn()
    const asked = await turn.append(user('asked'))
    const fork = await session.fork({ at: asked })
    const end = fork.subscribe(() => undefined)
    await clock.advance(10)
    expect(fork.snapshot().isLoaded).toBe(true)
    expect([fork.snapshot().status, (await fork.status()).status]).toEqual(['idle', 'idle'])
    end()
    await turn.complete()
  })

  test("tells the status: this handle's turn, another's, and one whose lease runs out", async () => {
    const { session, other, clock } = await shared()
    const end = session.subscribe(() => undefined)
    const status = async (milliseconds = 2_000) => {
      await clock.advance(milliseconds)
      return session.snapshot().status
    }
    const turn = await session.beginTurn()
    expect(await status(0)).toBe('running')
    await turn.complete()
    expect(await status(0)).toBe('completed')
    const theirs = await other.beginTurn()
    expect(await status()).toBe('running')
    expect(await status(60_000), 'it is renewed').toBe('running')
    await theirs.wait()
    expect(await status()).toBe('waiting')
    end()
  })

  test('reads what is new only, and nothing while nobody is subscribed', async () => {
    const { session, clock, counts, reset } = await shared()
    await session.append(Array.from({ length: 50 }, (_, i) => user(String(i))))
    const end = session.subscribe(() => undefined)
    await clock.advance(10)
    reset()
    for (let i = 0; i < 10; i++) {
      await session.append(user(`new ${i}`))
      await clock.advance(0)
    }
    expect(session.snapshot().messages).toHaveLength(60)
    expect(counts.read.records).toBe(0)
    end()
    reset()
    await clock.advance(60_000)
    expect(counts.read.calls).toBe(0)
  })

  test('what cannot be read is its problem', async () => {
    const { session, clock, open, said } = await shared()
    await session.append(user('a'))
    const end = session.subscribe(() => undefined)
    await clock.advance(10)
    await open().delete('s')
    await clock.advance(35_000)
    expect(SessionError.is(session.snapshot().problem, 'DELETED')).toBe(true)
    expect(said()).toEqual(['a'])
    end()
  })
})
