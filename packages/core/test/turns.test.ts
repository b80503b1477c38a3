import { counting } from '@sessiontree/contract'
import { memory } from '@sessiontree/memory'
import { describe, expect, test } from 'vitest'
import { openSessions, SessionError } from '../src/index.ts'
import { handClock, settle } from './hand-clock.ts'
import { all, assistant, field, two, user, word, words } from './turn-rig.ts'

describe('a turn', () => {
  test('is what it appends between its markers, with its id and epoch', async () => {
    const { session, store } = await two()
    await session.append(user('before'))
    const turn = await session.beginTurn({ turnId: 't', owner: 'me', metadata: { run: 1 } })
    await turn.append(user('question'))
    await turn.append([assistant('a'), assistant('b')])
    await turn.savePoint({ reason: 'batch' })
    await turn.record({ type: 'custom', name: 'note' })
    const end = await turn.complete({ reason: 'done' })
    expect(end).toMatchObject({ status: 'completed', entry: { turnId: 't', metadata: { reason: 'done' } } })
    expect(end.problem).toBeUndefined()
    expect(await words(session)).toEqual([
      'before',
      'started',
      'question',
      'a',
      'b',
      'save_point',
      'custom',
      'completed',
    ])
    const path = await all(session.path())
    expect(path.map(({ turnId }) => turnId)).toEqual([undefined, ...Array<string>(7).fill('t')])
    expect(path[1]).toMatchObject({ metadata: { run: 1 } })
    expect(field(store, 'epoch')).toBe(1)
    expect(field(store, 'lease')).toBeUndefined()
    await session.append(user('after'))
    expect((await session.verify()).ok).toBe(true)
  })

  test.each([
    ['complete', 'completed', ['started', 'm', 'completed'], 'completed'],
    ['wait', 'waiting', ['started', 'm', 'waiting'], 'waiting'],
    ['abort', 'aborted', ['started', 'm', 'aborted'], 'cancelled'],
  ] as const)('%s ends it', async (method, status, path, summary) => {
    const { session, store } = await two()
    const turn = await session.beginTurn()
    await turn.append(user('m'))
    expect(await turn[method]()).toMatchObject({ status })
    expect(await words(session)).toEqual(path)
    expect(field(store, 'summary')).toMatchObject({ status: summary, preview: 'm', records: 3 })
    // Once more the same is the same; anything else comes too late.
    expect(await turn[method]()).toMatchObject({ status })
    await expect(turn.append(user('late'))).rejects.toMatchObject({ code: 'CLOSED' })
    await expect(turn.fail('late')).rejects.toMatchObject({ code: 'CLOSED' })
    await turn[Symbol.asyncDispose]()
    expect(await words(session)).toEqual(path)
  })

  test('fail keeps what went wrong', async () => {
    const { session } = await two()
    const turn = await session.beginTurn()
    await turn.fail(new Error('model is down'), { attempt: 1 })
    expect(await words(session)).toEqual(['started', 'run_failure', 'failed'])
    expect((await all(session.path()))[1]).toMatchObject({ error: 'model is down', turnId: turn.id })
  })

  test('fail ends it whatever was thrown', async () => {
    const unspeakable = {
      toString() {
        throw new Error('no words')
      },
    }
    for (const thrown of [
      undefined,
      null,
      Symbol('s'),
      Object.create(null),
      unspeakable,
      { message: 1 },
      new Error(''),
    ]) {
      const { session } = await two()
      const turn = await session.beginTurn()
      expect((await turn.fail(thrown)).status).toBe('failed')
      expect(typeof (await all(session.path()))[1]).toBe('object')
    }
  })

  test('disposal aborts it, unless it has ended or the session is gone', async () => {
    const { session } = await two()
    {
      await using turn = await session.beginTurn()
      await turn.append(user('m'))
    }
    expect(await words(session)).toEqual(['started', 'm', 'aborted'])
    {
      await using turn = await session.beginTurn()
      await turn.complete()
    }
    expect((await words(session)).slice(3)).toEqual(['started', 'completed'])
  })

  test('of k appends is k + 4 writes and no read, and its context no request', async () => {
    const { adapter, counts, reset } = counting(memory())
    const session = await openSessions(adapter, { clock: handClock() }).create('s')
    const run = async (appends: number) => {
      const turn = await session.beginTurn()
      for (let i = 0; i < appends; i++) {
        await turn.append(user(`${i}`))
        expect((await turn.context()).messages.at(-1)).toEqual(user(`${i}`))
        expect((await session.context()).messages.at(-1)).toEqual(user(`${i}`))
      }
      await turn.complete()
    }
    await run(1)
    reset()
    await run(7)
    expect(counts).toMatchObject({
      append: { calls: 7 + 2 },
      put: { calls: 2 },
      get: { calls: 0 },
      read: { calls: 0 },
      keys: { calls: 0 },
      logs: { calls: 0 },
    })
  })

  test('takes the lease without reading the document of a session that this handle made, forked or changed last', async () => {
    const { adapter, counts, reset } = counting(memory())
    const session = await openSessions(adapter, { clock: handClock() }).create('s')
    const run = async (of: typeof session, gets = 0) => {
      reset()
      await (await of.beginTurn()).complete()
      expect([counts.get.calls, counts.put.calls]).toEqual([gets, 2])
    }
    // One before the first record of a log: index 0 of one that was dropped since may be free again.
    await run(session, 1)
    reset()
    await session.update({ title: 'Parcels', labels: ['lost'] })
    expect([counts.get.calls, counts.put.calls]).toEqual([0, 1])
    await run(session)
    await run(await session.fork(), 1)
    reset()
    await session.update({ title: 'Parcels' })
    expect([counts.get.calls, counts.put.calls], 'a patch of nothing, on what is there').toEqual([1, 0])
  })

  test('shows its context as the session would, also behind a long history', async () => {
    const { adapter, counts, reset } = counting(memory())
    const sessions = openSessions(adapter, { clock: handClock() })
    const session = await sessions.create('s')
    await session.append(Array.from({ length: 700 }, (_, i) => user(`${i} ${'x'.repeat(1000)}`)))
    const turn = await session.beginTurn()
    await turn.append(user('new'))
    const reader = await sessions.open('s')
    const shown = async () => (await reader.context()).messages.map((message) => message['content'])
    const own = async () => (await turn.context()).messages.map((message) => message['content'])
    expect(await own()).toEqual(await shown())
    await turn.append(assistant('newer'))
    reset()
    const mine = await own()
    expect([counts.read.calls, counts.get.calls]).toEqual([0, 0])
    expect(mine).toEqual(await shown())
    const entries = await turn.append([user('left'), user('behind')])
    await turn.append(user('instead'), { parent: entries[0]! })
    expect((await own()).slice(-2)).toEqual(['left', 'instead'])
    expect(await own()).toEqual(await shown())
    await turn.append(user('aside'), { leaf: 'keep' })
    await turn.append(user('last'))
    expect(await own()).toEqual(await shown())
    expect((await own()).slice(-3)).toEqual(['left', 'instead', 'last'])
  })

  test('a terminal marker that nobody could tell about is found, whatever ends it next', async () => {
    let lose = false
    const { session } = await two((inner) => ({
      ...inner,
      async append(...args) {
        await inner.append(...args)
        if (lose) throw new SessionError('UNCERTAIN', 'lost')
      },
    }))
    const turn = await session.beginTurn()
    await turn.append(user('m'))
    lose = true
    // Every answer is lost: it is settled by the index, which holds it.
    expect(await turn.complete()).toMatchObject({ status: 'completed' })
    lose = false
    expect(await words(session)).toEqual(['started', 'm', 'completed'])
  })

  test('has ended when its last entry is stored, even if the document cannot be told', async () => {
    let isDown = false
    const { session, other } = await two((inner) => ({
      ...inner,
      put: (...args) => {
        if (isDown) throw new Error('no puts today')
        return inner.put(...args)
      },
    }))
    const turn = await session.beginTurn()
    isDown = true
    const end = await turn.complete()
    expect(end).toMatchObject({ status: 'completed', problem: expect.any(Error) as Error })
    isDown = false
    // The lease still says otherwise, but the log knows better.
    const next = await other.beginTurn()
    expect(next.epoch).toBe(2)
    expect(next.recovered).toEqual([])
  })

  test('whose release failed is not called interrupted by whoever takes its lease away', async () => {
    let isDown = false
    const { session, other, store } = await two((inner) => ({
      ...inner,
      put: (...args) => {
        if (isDown) throw new Error('no puts today')
        return inner.put(...args)
      },
    }))
    const turn = await session.beginTurn()
    await turn.append(user('done'))
    isDown = true
    await turn.complete()
    isDown = false
    expect(await other.recover()).toEqual({ recovered: [] })
    expect(field(store, 'lease')).toBeUndefined()
    expect(field(store, 'summary')).toMatchObject({ status: 'completed', preview: 'done' })
  })
})

describe('writers without the turn', () => {
  test('may use other branches and keep the leaf; the leaf and the turn’s branch are the turn’s', async () => {
    const { session, other } = await two()
    const base = await session.append(user('base'))
    const turn = await session.beginTurn()
    const question = await turn.append(user('question'))
    const active = { code: 'ACTIVE_TURN', turnId: turn.id }
    for (const handle of [session, other]) {
      await expect(handle.append(user('x'))).rejects.toMatchObject(active)
      await expect(handle.append(user('x'), { onConflict: 'rebase' })).rejects.toMatchObject(active)
      await expect(handle.append(user('x'), { parent: question })).rejects.toMatchObject(active)
      await expect(handle.moveTo(base)).rejects.toMatchObject(active)
      const note = await handle.append(user('beside'), { parent: base })
      expect(note.parentId).toBe(base.id)
    }
    await turn.append(assistant('answer'))
    expect(await words(other)).toEqual(['base', 'started', 'question', 'answer'])
    await turn.complete()
    await other.append(user('after'), { onConflict: 'rebase' })
    expect(await words(other)).toEqual(['base', 'started', 'question', 'answer', 'completed', 'after'])
  })

  test('go on by force; then the turn keeps its branch and leaves the leaf alone', async () => {
    const { session, other } = await two()
    const base = await session.append(user('base'))
    const turn = await session.beginTurn()
    await turn.append(user('question'))
    await other.moveTo(base, { force: true })
    await other.append(user('elsewhere'), { force: true })
    await turn.append(assistant('answer'))
    const { entry } = await turn.complete()
    expect(await words(other)).toEqual(['base', 'elsewhere'])
    expect((await all(other.path({ leaf: entry }))).map(word)).toEqual([
      'base',
      'started',
      'question',
      'answer',
      'completed',
    ])
    await other.append(user('more'))
  })

  test('are told of a turn that was left open, and that nobody holds it', async () => {
    const { session, other, clock } = await two()
    await session.beginTurn({ turnId: 'left' })
    await other.clearExpired(clock.now() + 1)
    const left = { code: 'ACTIVE_TURN', turnId: 'left', isExpired: true, retry: false }
    await expect(other.append(user('x'))).rejects.toMatchObject(left)
    await (await other.beginTurn()).complete()
    await other.append(user('y'))
  })
})

describe('a turn from somewhere else', () => {
  test('starts there, and the leaf goes with it', async () => {
    const { session, other } = await two()
    const first = await session.append(user('first'))
    await session.append(user('second'))
    await (await session.beginTurn({ from: first })).complete()
    expect(await words(other)).toEqual(['first', 'started', 'completed'])
    await (await session.beginTurn({ from: null })).complete()
    expect(await words(other)).toEqual(['started', 'completed'])
    await expect(session.beginTurn({ from: 'nobody' })).rejects.toMatchObject({ code: 'NOT_FOUND' })
    expect(await session.activeTurn()).toBeUndefined()
  })

  test('leaves what was left open closed where it was', async () => {
    const { session, other } = await two()
    const first = await session.append(user('first'))
    const old = await session.beginTurn({ turnId: 'old' })
    await old.append(user('cut off'))
    const turn = await other.beginTurn({ from: first, force: true })
    await turn.append(user('retried'))
    expect(await words(other)).toEqual(['first', 'started', 'retried'])
    const aborted = (await all(other.entries())).find((entry) => word(entry) === 'aborted')!
    expect((await all(other.path({ leaf: aborted }))).map(word)).toEqual([
      'first',
      'started',
      'cut off',
      'run_failure',
      'aborted',
    ])
  })
})

describe('the caller’s signal', () => {
  test('stops a turn from beginning, and leaves nothing that holds the session', async () => {
    for (const moment of [0, 1, 2, 3, 5, 8, 13]) {
      const { session, other, store } = await two()
      const aborting = new AbortController()
      const beginning = session.beginTurn({ signal: aborting.signal })
      beginning.catch(() => undefined)
      for (let i = 0; i < moment; i++) await Promise.resolve()
      aborting.abort(new Error('enough'))
      await expect(beginning).rejects.toThrow('enough')
      await settle()
      expect(await other.activeTurn()).toBeUndefined()
      expect([undefined, 'cancelled']).toContain((field(store, 'summary') as { status?: string } | undefined)?.status)
      await (await other.beginTurn()).complete()
      const path = await words(other)
      expect(path.slice(-2)).toEqual(['started', 'completed'])
      expect([[], ['started', 'aborted']]).toContainEqual(path.slice(0, -2))
    }
  })
})

test('whoever cannot tell whether a turn began leaves lists to show it as interrupted; one that did not begin leaves no trace', async () => {
  for (const [code, seen] of [
    ['UNCERTAIN', 'running'],
    ['DENIED', undefined],
  ] as const) {
    let isFailing = false
    const { store, session } = await two((inner) => ({
      ...inner,
      append: (...given) => (isFailing ? Promise.reject(new SessionError(code, 'no')) : inner.append(...given)),
    }))
    await session.append(user('m'))
    isFailing = true
    await expect(session.beginTurn()).rejects.toMatchObject({ code })
    expect((field(store, 'summary') as { status?: string } | undefined)?.status).toBe(seen)
    expect(field(store, 'lease')).toBeUndefined()
  }
})
