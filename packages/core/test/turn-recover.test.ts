import { gating } from '@sessiontree/contract'
import { memory } from '@sessiontree/memory'
import { describe, expect, test } from 'vitest'
import { openSessions, type Clock, type RoleMessage, type StorageAdapter } from '../src/index.ts'
import { all, assistant, field, openOn, two, user, word, words } from './turn-rig.ts'

const call = (id: string, name: string) =>
  ({
    role: 'assistant',
    content: '',
    tool_calls: [{ id, type: 'function', function: { name, arguments: '{}' } }],
  }) as RoleMessage
const result = (id: string) => ({ role: 'tool', tool_call_id: id, content: 'done' }) as RoleMessage

/** A session whose turn `crashed` was left behind by a process that is gone, and whose lease has run out. */
async function crashed(wrap?: (inner: StorageAdapter) => StorageAdapter) {
  const rig = await two(wrap)
  const sessions = openOn(rig.store, rig.clock, 9)
  const turn = await (await sessions.open('s')).beginTurn({ turnId: 'crashed' })
  await turn.append(user('pay and ship'))
  await turn.append([call('c1', 'pay'), call('c2', 'ship')])
  await turn.append(result('c1'))
  await sessions.close()
  await rig.clock.advance(35_001)
  return rig
}
const CLOSED = ['started', 'pay and ship', '', '', 'done', 'run_failure', 'aborted']

describe('recover', () => {
  test('closes a turn that a crash left open, and lists the calls whose outcome nobody knows', async () => {
    const { session, other, store } = await crashed()
    expect(await other.status()).toMatchObject({
      status: 'interrupted',
      turnId: 'crashed',
      recoverable: true,
      canAppend: false,
    })
    const { recovered } = await other.recover()
    const [, , entry] = (await all(other.path())).filter(
      ({ type }) => type === 'tool_call' || type === 'assistant_message' || type === 'user_message',
    )
    expect(recovered).toEqual([
      { turnId: 'crashed', unknownCalls: [{ entryId: entry!.id, callId: 'c2', name: 'ship', input: '{}' }] },
    ])
    expect(await words(session)).toEqual(CLOSED)
    expect((await all(session.path())).at(-1)).toMatchObject({ turnId: 'crashed', metadata: { recoverable: true } })
    expect(await other.activeTurn()).toBeUndefined()
    expect(field(store, 'summary')).toMatchObject({ status: 'interrupted' })
    expect(await other.status()).toMatchObject({ status: 'interrupted', turnId: 'crashed', recoverable: true })
    expect((await session.verify()).ok).toBe(true)
    // Again, from anywhere, until somebody goes on: the same answer, and nothing is written.
    const before = store.logs.get('session/s/0')!.length
    expect(await session.recover()).toEqual({ recovered })
    expect(store.logs.get('session/s/0')).toHaveLength(before)
    await session.append(user('never mind'))
    expect(await session.recover()).toEqual({ recovered: [] })
  })

  test('is ACTIVE_TURN while the lease lives, and writes nothing', async () => {
    const { session, other, store, clock } = await two()
    await session.beginTurn({ turnId: 't' })
    const before = JSON.stringify([...store.documents, ...store.logs])
    await clock.advance(9000)
    await expect(other.recover()).rejects.toMatchObject({ code: 'ACTIVE_TURN', turnId: 't', isExpired: false })
    expect(JSON.stringify([...store.documents, ...store.logs])).toBe(before)
  })

  test('finds nothing in a session without turns, and writes nothing', async () => {
    const { session, other, store } = await two()
    await session.append(user('m'))
    expect(await other.recover()).toEqual({ recovered: [] })
    await (await session.beginTurn()).complete()
    expect(await other.recover()).toEqual({ recovered: [] })
    expect(store.logs.get('session/s/0')).toHaveLength(3)
  })

  test('leaves a leaf alone that is not the turn’s', async () => {
    const { session, other } = await crashed()
    await session.moveTo(null, { force: true })
    const elsewhere = await session.append(user('elsewhere'), { force: true })
    await other.recover()
    expect((await other.leaf())!.id).toBe(elsewhere.id)
    const aborted = (await all(other.entries())).find((entry) => word(entry) === 'aborted')!
    expect((await all(other.path({ leaf: aborted }))).map(word)).toEqual(CLOSED)
    await session.append(user('on'), { onConflict: 'rebase' })
  })

  test('many at once, and a turn that begins: one closes it', async () => {
    for (let round = 0; round < 20; round++) {
      const { session, other, store, clock } = await crashed()
      const third = await openOn(store, clock, 50 + round).open('s')
      const results = await Promise.allSettled([
        session.recover(),
        other.recover(),
        round % 2 ? third.beginTurn({ turnId: 'next' }) : third.recover(),
      ])
      for (const each of results) {
        if (each.status === 'rejected') expect(each.reason).toMatchObject({ code: 'ACTIVE_TURN' })
      }
      const path = (await all(third.entries())).map(word)
      expect(path.slice(0, 7)).toEqual(CLOSED)
      expect(path.slice(7)).toEqual(round % 2 && results[2].status === 'fulfilled' ? ['started'] : [])
    }
  })

  test.each(['put', 'append'] as const)(
    'interrupted before its %s, or after it, is finished by the next',
    async (operation) => {
      for (const moment of ['before', 'after'] as const) {
        const rig = await crashed()
        const gate = gating(memory({ store: rig.store }))
        const broken = await openSessions(gate.adapter, { clock: rig.clock }).open('s')
        const held = gate.park(operation, moment)
        const recovering = broken.recover().catch(() => 'crashed')
        await held.parked
        // Its process dies here.
        const { recovered } = await rig.other.recover()
        expect(recovered).toMatchObject([{ turnId: 'crashed', unknownCalls: [{ name: 'ship' }] }])
        expect(await words(rig.session)).toEqual(CLOSED)
        void held.release()
        gate.open()
        await recovering
        expect(await words(rig.session)).toEqual(CLOSED)
      }
    },
  )

  test('held before its append, it closes nothing but the turn that it has judged', async () => {
    const rig = await crashed()
    const gate = gating(memory({ store: rig.store }))
    const slow = await openSessions(gate.adapter, { clock: rig.clock }).open('s')
    const held = gate.park('append', 'before')
    const recovering = slow.recover()
    await held.parked
    const next = await rig.other.beginTurn({ turnId: 'next' })
    await next.append(user('on'))
    await held.release()
    await expect(recovering).rejects.toMatchObject({ code: 'ACTIVE_TURN', turnId: 'next' })
    await next.complete()
    expect(await words(rig.session)).toEqual([...CLOSED, 'started', 'on', 'completed'])
  })

  test('held before it takes the lease away, it leaves a holder alone that has renewed it', async () => {
    const rig = await two()
    const turn = await rig.session.beginTurn({ turnId: 'alive' })
    let ahead = 40_000
    const clock = { ...rig.clock, now: () => rig.clock.now() + ahead }
    const gate = gating(memory({ store: rig.store }))
    const hasty = await openSessions(gate.adapter, { clock }).open('s')
    const held = gate.park('put', 'before')
    const recovering = hasty.recover()
    await held.parked
    await rig.clock.advance(10_000)
    // Its wall clock was wrong, and has been put right.
    ahead = 0
    await held.release()
    await expect(recovering).rejects.toMatchObject({ code: 'ACTIVE_TURN', turnId: 'alive' })
    await turn.append(user('still here'))
    await turn.complete()
  })

  test('a holder that wakes up again has lost its turn', async () => {
    const { session, other, store, clock } = await two()
    // Its process is suspended: no renewal.
    const timer: Clock['timer'] = (wait, wake) => (wait < 2000 ? clock.timer(wait, wake) : () => undefined)
    const sleeper = openOn(store, { ...clock, timer }, 9)
    const turn = await (await sleeper.open('s')).beginTurn()
    await turn.append(user('m'))
    await clock.advance(36_000)
    await other.recover()
    for (const late of [turn.append(user('late')), turn.complete()]) {
      await expect(late).rejects.toMatchObject({ code: 'LEASE_LOST' })
    }
    expect(await words(session)).toEqual(['started', 'm', 'run_failure', 'aborted'])
  })
})

describe('retry', () => {
  test('goes on from the save point, in a turn of its own', async () => {
    const { session } = await two()
    const turn = await session.beginTurn()
    await turn.append(user('q'))
    const done = await turn.append([call('c1', 'pay'), result('c1')])
    await turn.savePoint()
    await turn.append(assistant('half'))
    await turn.fail('broken')
    expect(await session.status()).toMatchObject({ status: 'failed', canAppend: false })
    const target = await session.retryTarget()
    expect(target).toMatchObject({
      id: done[1]!.id,
      entryId: done[1]!.id,
      source: 'save_point',
      position: done[1]!.position,
    })
    const retry = await session.beginTurn({ from: target })
    expect(retry.id).not.toBe(turn.id)
    expect((await retry.context()).messages.map(({ role }) => role)).toEqual(['user', 'assistant', 'tool'])
    await retry.complete()
    expect(await words(session)).toEqual(['started', 'q', '', 'done', 'started', 'completed'])
    expect(await session.status()).toMatchObject({ status: 'completed', turnId: retry.id })
  })

  test('without a save point goes on from the message of the user', async () => {
    const { session, other } = await two()
    await expect(session.retryTarget()).rejects.toMatchObject({ code: 'NO_RETRY_TARGET' })
    const turn = await session.beginTurn()
    const question = await turn.append(user('q'))
    await turn.fail('broken')
    const target = await other.retryTarget()
    expect(target).toMatchObject({ id: question.id, source: 'user' })
    await (await other.beginTurn({ from: target })).complete()
    expect(await words(other)).toEqual(['started', 'q', 'started', 'completed'])
  })

  test('of an interrupted turn begins at its save point too', async () => {
    const { other } = await crashed()
    await other.recover()
    expect(await other.retryTarget()).toMatchObject({ source: 'user' })
  })
})

describe('status and touch', () => {
  test('running while the turn lives; a branch that it has left is idle', async () => {
    const { session, other } = await two()
    expect(await other.status()).toMatchObject({ status: 'idle', canAppend: true })
    const turn = await session.beginTurn()
    const question = await turn.append(user('q'))
    expect(await other.status()).toMatchObject({ status: 'running', turnId: turn.id, canAppend: false })
    await turn.wait()
    expect(await other.status()).toMatchObject({ status: 'waiting', prompt: '', canAppend: true })
    // The turn has ended, but not on this path.
    await other.moveTo(question)
    expect(await other.status()).toMatchObject({ status: 'idle' })
  })

  test('a fork of a running turn is idle', async () => {
    const { session, store, clock } = await two()
    const turn = await session.beginTurn()
    await turn.append(user('q'))
    const fork = await session.fork()
    expect(await fork.status()).toMatchObject({ status: 'idle' })
    expect(await fork.recover()).toEqual({ recovered: [] })
    const own = await fork.beginTurn()
    expect(own).toMatchObject({ epoch: 1, recovered: [] })
    expect((await own.context()).messages).toEqual([user('q')])
    await own.append(assistant('a'))
    await own.complete()
    await turn.append(assistant('b'))
    await turn.complete()
    expect(await words(fork)).toEqual(['started', 'q', 'started', 'a', 'completed'])
    expect(await words(await openOn(store, clock, 8).open('s'))).toEqual(['started', 'q', 'b', 'completed'])
  })

  test('touch writes what lists show, once', async () => {
    const { session, store, clock } = await two()
    await session.append([user('hello'), assistant('long '.repeat(100))])
    await session.touch()
    const written = store.documents.get('session/s')
    expect(field(store, 'summary')).toMatchObject({
      status: 'idle',
      records: 2,
      updatedAt: new Date(clock.now()).toISOString(),
    })
    expect(field(store, 'summary')).toMatchObject({ preview: expect.stringMatching(/^long .*…$/) as string })
    await session.touch()
    expect(store.documents.get('session/s')).toBe(written)
    const sessions = openOn(store, clock, 8)
    const listed = []
    for await (const info of sessions.list()) listed.push(info)
    expect(listed).toMatchObject([{ status: 'idle' }])
    await session.beginTurn()
    for await (const info of sessions.list()) expect(info).toMatchObject({ status: 'running' })
    await sessions.close()
  })
})
