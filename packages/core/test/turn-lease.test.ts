import { memory, MemoryStore } from '@sessiontree/memory'
import { describe, expect, test } from 'vitest'
import { openSessions } from '../src/index.ts'
import { handClock } from './hand-clock.ts'
import { seededRandom } from './seeded.ts'
import { all, openOn, two, user, word, words } from './turn-rig.ts'

describe('who holds a session', () => {
  test('one turn at a time, also of the same handle and owner', async () => {
    const { session, other, store } = await two()
    const turn = await session.beginTurn({ turnId: 't', owner: 'me' })
    const before = JSON.stringify([store.logs.get('session/s/0'), store.documents.get('session/s')])
    for (const handle of [session, other]) {
      const held = { code: 'ACTIVE_TURN', turnId: 't', owner: 'me', isExpired: false, retry: true }
      await expect(handle.beginTurn({ owner: 'me' })).rejects.toMatchObject(held)
    }
    expect(JSON.stringify([store.logs.get('session/s/0'), store.documents.get('session/s')])).toBe(before)
    expect(await other.activeTurn()).toMatchObject({ turnId: 't', owner: 'me', epoch: 1, isExpired: false })
    await turn.complete()
    expect(await other.activeTurn()).toBeUndefined()
    expect((await other.beginTurn()).epoch).toBe(2)
  })

  test('a lease is renewed, and outlives its 30 seconds', async () => {
    const { session, other, clock } = await two()
    const turn = await session.beginTurn()
    await clock.advance(300_000)
    await expect(other.beginTurn()).rejects.toMatchObject({ code: 'ACTIVE_TURN', isExpired: false })
    await turn.append(user('still here'))
    await turn.complete()
    expect(clock.waiting).toBe(0)
  })

  test('a turn whose process is gone is taken over 5 seconds after its lease ran out, and closed by the same append', async () => {
    const { session, other, store, clock } = await two()
    const sessions = openOn(store, clock, 3)
    const crashed = await (await sessions.open('s')).beginTurn({ turnId: 'crashed' })
    await crashed.append({
      role: 'assistant',
      tool_calls: [{ id: 'c1', type: 'function', function: { name: 'pay', arguments: '{"n":1}' } }],
    } as never)
    await sessions.close()
    await clock.advance(35_000)
    await expect(other.beginTurn()).rejects.toMatchObject({ code: 'ACTIVE_TURN' })
    await clock.advance(1)
    const records = store.logs.get('session/s/0')!.length
    const turn = await other.beginTurn({ turnId: 'next' })
    expect(turn.epoch).toBe(2)
    expect(turn.recovered).toMatchObject([
      { turnId: 'crashed', unknownCalls: [{ callId: 'c1', name: 'pay', input: '{"n":1}' }] },
    ])
    expect(store.logs.get('session/s/0')).toHaveLength(records + 3)
    const path = await all(session.path())
    expect(path.map(word).slice(-4)).toEqual(
      ['assistant_message', 'run_failure', 'aborted', 'started'].map((each) =>
        each === 'assistant_message' ? word(path[1]!) : each,
      ),
    )
    expect(path.at(-2)).toMatchObject({ turnId: 'crashed', metadata: { recoverable: true } })
    expect((await session.verify()).ok).toBe(true)
  })

  test('a holder whose clock is ahead is watched for 30 seconds', async () => {
    const { store, clock, other } = await two()
    const ahead = handClock(clock.now() + 86_400_000)
    const sessions = openOn(store, ahead, 3)
    await (await sessions.open('s')).beginTurn()
    await sessions.close()
    await expect(other.beginTurn()).rejects.toMatchObject({ code: 'ACTIVE_TURN' })
    await clock.advance(30_000)
    await expect(other.beginTurn()).rejects.toMatchObject({ code: 'ACTIVE_TURN' })
    await clock.advance(1)
    expect((await other.beginTurn()).epoch).toBe(2)
  })

  test('while it is renewed it may be watched as long as anybody likes', async () => {
    const { session, clock, other } = await two()
    await session.beginTurn()
    for (let i = 0; i < 10; i++) {
      await expect(other.beginTurn()).rejects.toMatchObject({ code: 'ACTIVE_TURN' })
      await clock.advance(25_000)
    }
  })

  test('force takes over at once; the holder loses whatever it does', async () => {
    const { session, other, clock } = await two()
    const turn = await session.beginTurn({ turnId: 'old' })
    await turn.append(user('kept'))
    const taker = await other.beginTurn({ force: true })
    expect(taker).toMatchObject({ epoch: 2, recovered: [{ turnId: 'old', unknownCalls: [] }] })
    const lost = { code: 'LEASE_LOST' }
    await expect(turn.append(user('late'))).rejects.toMatchObject(lost)
    expect(turn.signal.aborted).toBe(true)
    expect(turn.signal.reason).toMatchObject(lost)
    await expect(turn.record({ type: 'custom', name: 'late' })).rejects.toMatchObject(lost)
    await expect(turn.savePoint()).rejects.toMatchObject(lost)
    for (const end of ['complete', 'wait', 'abort'] as const) await expect(turn[end]()).rejects.toMatchObject(lost)
    await expect(turn.fail('late')).rejects.toMatchObject(lost)
    await turn[Symbol.asyncDispose]()
    await clock.advance(60_000)
    await taker.complete()
    expect(await words(other)).toEqual(['started', 'kept', 'run_failure', 'aborted', 'started', 'completed'])
  })

  test('a holder that only waits is told by its signal', async () => {
    const { session, other, clock } = await two()
    const turn = await session.beginTurn()
    const taker = await other.beginTurn({ force: true })
    expect(turn.signal.aborted).toBe(false)
    await clock.advance(10_000)
    expect(turn.signal.reason).toMatchObject({ code: 'LEASE_LOST' })
    expect(taker.signal.aborted).toBe(false)
  })

  test('a renewal that fails is tried again', async () => {
    let failures = 0
    const { session, clock } = await two((inner) => ({
      ...inner,
      put: (...args) => {
        if (failures-- > 0) throw new Error('down')
        return inner.put(...args)
      },
    }))
    const turn = await session.beginTurn()
    const { expiresAt } = (await session.activeTurn())!
    failures = 2
    await clock.advance(14_000)
    expect((await session.activeTurn())!.expiresAt > expiresAt).toBe(true)
    expect(turn.signal.aborted).toBe(false)
  })

  test('releaseTurn takes it only from that turn of that owner', async () => {
    const { session, other, store, clock } = await two()
    const turn = await session.beginTurn({ turnId: 't', owner: 'me' })
    const before = store.documents.get('session/s')
    for (const wrong of [
      { turnId: 't', owner: 'you' },
      { turnId: 'u', owner: 'me' },
    ])
      expect(await other.releaseTurn(wrong)).toBe(false)
    expect(store.documents.get('session/s')).toBe(before)
    expect(await other.releaseTurn({ turnId: 't', owner: 'me' })).toBe(true)
    expect(await other.releaseTurn({ turnId: 't', owner: 'me' })).toBe(false)
    await clock.advance(10_000)
    expect(turn.signal.aborted).toBe(true)
    // The epoch did not fall.
    expect((await other.beginTurn()).epoch).toBe(2)
  })

  test('clearExpired takes it strictly before the cutoff, and says what it was', async () => {
    const { session, other } = await two()
    const { id, owner } = await session.beginTurn()
    const { acquiredAt } = (await other.activeTurn())!
    for (const cutoff of [0, acquiredAt, new Date(acquiredAt)]) expect(await other.clearExpired(cutoff)).toBeUndefined()
    await expect(other.clearExpired('soon')).rejects.toThrow(TypeError)
    expect(await other.clearExpired(Date.parse(acquiredAt) + 1)).toMatchObject({ turnId: id, owner })
    expect(await other.clearExpired(Date.parse(acquiredAt) + 1)).toBeUndefined()
    expect(await other.activeTurn()).toBeUndefined()
  })

  test.each([
    ['text', 'half'],
    ['nothing of it', {}],
    ['only its turn', { turn: 't' }],
    ['other types', { turn: 7, owner: [], epoch: 'x', acquiredAt: 'soon', expiresAt: {} }],
  ])('a lease that holds %s can be inspected and broken', async (_, lease) => {
    const { store, other, session } = await two()
    await session.append(user('m'))
    const { value, version } = (await memory({ store }).get('session/s'))!
    await memory({ store }).put('session/s', JSON.stringify({ ...JSON.parse(value), lease, epoch: 'odd' }), {
      expect: version,
    })
    expect(await other.activeTurn()).toMatchObject({
      isExpired: true,
      turnId: (lease as { turn?: unknown }).turn === 't' ? 't' : '',
    })
    expect(await other.clearExpired(0)).toBeUndefined()
    const turn = await other.beginTurn()
    expect(turn.epoch).toBe(1)
    await turn.complete()
    const again = (await memory({ store }).get('session/s'))!
    await memory({ store }).put('session/s', JSON.stringify({ ...JSON.parse(again.value), lease }), {
      expect: again.version,
    })
    expect(await other.clearExpired(1)).toMatchObject({ isExpired: true })
    expect(await other.activeTurn()).toBeUndefined()
  })

  test('a document that is behind its log gives no epoch twice', async () => {
    const { store, session, other } = await two()
    for (let i = 0; i < 3; i++) await (await session.beginTurn()).complete()
    const { value, version } = (await memory({ store }).get('session/s'))!
    await memory({ store }).put('session/s', JSON.stringify({ ...JSON.parse(value), epoch: 1 }), { expect: version })
    expect((await other.beginTurn()).epoch).toBe(4)
  })

  test('turns of other sessions are independent', async () => {
    const { session, store, clock } = await two()
    await session.beginTurn()
    const another = await openOn(store, clock, 5).create('another')
    expect((await another.beginTurn()).epoch).toBe(1)
  })
})

describe('locks that the runtime frees', () => {
  const locks = () => {
    const held = new Set<string>()
    return {
      held,
      async acquire(name: string) {
        if (held.has(name)) return undefined
        held.add(name)
        return { [Symbol.asyncDispose]: async () => void held.delete(name) }
      },
      isHeld: async (name: string) => held.has(name),
    }
  }

  test('a turn whose lock is free is dead at once', async () => {
    const [store, clock, turnLock] = [new MemoryStore(), handClock(), locks()]
    const open = (seed: number) => openSessions(memory({ store }), { clock, random: seededRandom(seed), turnLock })
    await (await open(1).create('s')).beginTurn()
    const other = await open(2).open('s')
    expect(turnLock.held.size).toBe(1)
    await expect(other.beginTurn()).rejects.toMatchObject({ code: 'ACTIVE_TURN', isExpired: false })
    // The tab is closed.
    turnLock.held.clear()
    expect(await other.activeTurn()).toMatchObject({ isExpired: true })
    const turn = await other.beginTurn()
    expect(turn.recovered).toHaveLength(1)
    expect(turnLock.held.size).toBe(1)
    await turn.complete()
    expect(turnLock.held.size).toBe(0)
  })
})
