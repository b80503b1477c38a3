import { memory, MemoryStore } from '@sessiontree/memory'
import { describe, expect, test } from 'vitest'
import {
  ConflictError,
  openSessions,
  SessionError,
  type Entry,
  type Session,
  type StorageAdapter,
} from '../src/index.ts'
import { seededClock, seededRandom } from './seeded.ts'

const user = (content: string) => ({ role: 'user', content })
const LOG = 'session/s/0'

/** A session whose appends a test can hold up, refuse or lose, with what it handed to the adapter. */
async function watched() {
  const store = new MemoryStore()
  const inner = memory({ store })
  const appends: (readonly string[])[] = []
  const interventions: ((append: () => Promise<void>) => Promise<void>)[] = []
  const adapter: StorageAdapter = {
    ...inner,
    async append(log, at, records) {
      appends.push(records)
      const append = () => inner.append(log, at, records)
      const intervene = interventions.shift() ?? ((pass) => pass())
      await intervene(append)
    },
  }
  const open = (seed: number, place: StorageAdapter) =>
    openSessions(place, { random: seededRandom(seed), clock: seededClock() })
  const session = await open(1, adapter).create('s')
  const base = await session.append(user('base'))
  const other = await open(2, memory({ store })).open('s')
  await other.context()
  appends.length = 0
  const contents = async () => {
    const entries = await Array.fromAsync((await open(3, memory({ store })).open('s')).entries())
    return entries.map((entry) => (entry as unknown as { message: { content: string } }).message?.content)
  }
  return { store, session, other, base, appends, interventions, contents }
}

const outcomes = async (calls: Promise<unknown>[]) =>
  (await Promise.allSettled(calls)).map((result) =>
    result.status === 'fulfilled' ? 'stored' : ((result.reason as SessionError).code ?? String(result.reason)),
  )

const uncertain = () => new SessionError('UNCERTAIN', 'nobody knows')
const chained = (entries: readonly Entry[]) =>
  entries.every(({ parentId }, i) => parentId === (entries[i - 1]?.id ?? parentId))

/** A promise and what settles it. */
function gate() {
  let open: () => void = () => {}
  const opened = new Promise<void>((resolve) => (open = resolve))
  return { opened, open }
}

describe('calls that wait share an append', () => {
  test('64 at once are at most two appends: in call order, one chain', async () => {
    const { session, base, appends, contents } = await watched()
    const entries = await Promise.all(Array.from({ length: 64 }, (_, i) => session.append(user(String(i)))))
    expect(appends.length).toBeLessThanOrEqual(2)
    expect(chained([base, ...entries])).toBe(true)
    expect(await contents()).toEqual(['base', ...Array.from({ length: 64 }, (_, i) => String(i))])
    expect((await session.verify()).problems).toEqual([])
  })

  test('what comes in while one is under way goes with the next', async () => {
    const { session, appends, interventions } = await watched()
    const held = gate()
    interventions.push(async (append) => {
      await held.opened
      await append()
    })
    const first = session.append(user('1'))
    await Promise.resolve()
    const others = [2, 3, 4].map(async (i) => {
      for (let tick = 0; tick < i * 5; tick++) await Promise.resolve()
      return session.append(user(String(i)))
    })
    for (let tick = 0; tick < 50; tick++) await Promise.resolve()
    held.open()
    await Promise.all([first, ...others])
    expect(appends.map((records) => records.length)).toEqual([1, 3])
  })

  test('at most 1,024 records or 8 MiB', async () => {
    const { session, appends } = await watched()
    await Promise.all(Array.from({ length: 1500 }, (_, i) => session.append(user(String(i)))))
    expect(appends.map((records) => records.length)).toEqual([1024, 476])
    appends.length = 0
    const large = 'x'.repeat(3 * 1024 * 1024)
    await Promise.all(Array.from({ length: 5 }, () => session.append(user(large))))
    expect(appends.map((records) => records.length)).toEqual([2, 2, 1])
  })

  test('a batch of one call is never split', async () => {
    const { session, appends } = await watched()
    const batch = Array.from({ length: 600 }, (_, i) => user(String(i)))
    await Promise.all([session.append(batch), session.append(batch)])
    expect(appends.map((records) => records.length)).toEqual([600, 600])
  })

  test('looking in between sees what was called before, and not what was called behind', async () => {
    const { session } = await watched()
    const [, seen] = await Promise.all([session.append(user('1')), session.context(), session.append(user('2'))])
    expect(seen.messages.map(({ content }) => content)).toEqual(['base', '1'])
  })

  test('one id twice at once is one entry', async () => {
    const { session, appends } = await watched()
    const [one, two] = await Promise.all([
      session.append(user('x'), { id: 'm' }),
      session.append(user('x'), { id: 'm' }),
    ])
    expect(two).toEqual(one)
    expect(appends.flat()).toHaveLength(1)
  })
})

describe('a call that is rejected', () => {
  test('takes those along that go behind it, and nobody else', async () => {
    const { session, base, contents } = await watched()
    await session.append(user('x'), { id: 'taken' })
    const results = await outcomes([
      session.append(user('before')),
      session.append(user('other content'), { id: 'taken' }),
      session.append(user('behind')),
      session.append(user('with a parent'), { parent: base.id }),
      session.append(user('behind that one')),
      session.moveTo('nobody'),
      session.append(user('behind the move')),
    ])
    expect(results).toEqual(['stored', 'DUPLICATE', 'DUPLICATE', 'stored', 'stored', 'NOT_FOUND', 'NOT_FOUND'])
    expect(await contents()).toEqual(['base', 'x', 'before', 'with a parent', 'behind that one'])
  })

  test('for itself does not spoil the append that it shared: each call gets its own error', async () => {
    const { session, base, appends, interventions, contents } = await watched()
    const refuse = async (append: () => Promise<void>) => {
      if (appends.at(-1)?.some((text) => text.includes('poison'))) throw new SessionError('TOO_LARGE', 'too large')
      await append()
    }
    interventions.push(refuse, refuse, refuse, refuse)
    const parent = base.id
    const results = await outcomes([
      session.append(user('1'), { parent }),
      session.append(user('poison'), { parent }),
      session.append(user('behind the poison')),
      session.append(user('2'), { parent }),
    ])
    expect(results).toEqual(['stored', 'TOO_LARGE', 'TOO_LARGE', 'stored'])
    expect(await contents()).toEqual(['base', '1', '2'])
  })
})

describe('another writer is first', () => {
  test('reject rejects, rebase and a parent are encoded again, in order', async () => {
    const { session, other, base, interventions, contents } = await watched()
    interventions.push(async (append) => {
      await other.append(user('foreign'))
      await append()
    })
    const calls = [
      session.append(user('rebase'), { onConflict: 'rebase' }),
      session.append(user('behind the rebase')),
      session.append(user('parent'), { parent: base.id }),
    ]
    expect(await outcomes(calls)).toEqual(['stored', 'stored', 'stored'])
    expect(await contents()).toEqual(['base', 'foreign', 'rebase', 'behind the rebase', 'parent'])
    expect((await session.verify()).problems).toEqual([])
  })

  test('a rejected call names what it missed; a rebase behind it is rejected too', async () => {
    const { session, other, interventions, contents } = await watched()
    interventions.push(async (append) => {
      await other.append(user('foreign'))
      await append()
    })
    const calls = [session.append(user('reject')), session.append(user('rebase'), { onConflict: 'rebase' })]
    const error = await calls[0]!.catch((reason: unknown) => reason)
    expect(SessionError.is(error, 'CONFLICT') && error.entries).toHaveLength(1)
    expect(await outcomes(calls)).toEqual(['CONFLICT', 'CONFLICT'])
    expect(await contents()).toEqual(['base', 'foreign'])
  })
})

test('a store that says CONFLICT to what it has taken, and shows it late, makes no second copy', async () => {
  const store = new MemoryStore()
  const inner = memory({ store })
  let blind = 0
  const adapter: StorageAdapter = {
    ...inner,
    async append(log, at, records) {
      await inner.append(log, at, records)
      if (at !== 1) return
      blind = 1
      throw new ConflictError('taken', { atLeast: at })
    },
    async *read(log, range) {
      if (blind > 0 && range?.from === 1) blind--
      else yield* inner.read(log, range)
    },
  }
  const session = await openSessions(adapter, { random: seededRandom(1), clock: seededClock() }).create('s')
  await session.append(user('base'))
  const first = session.append(user('first'))
  for (let tick = 0; tick < 20; tick++) await Promise.resolve()
  const entries = await Promise.all([first, session.append(user('second'))])
  expect(await Array.fromAsync(session.entries())).toEqual([expect.anything(), ...entries])
  expect((await session.verify()).ok).toBe(true)
})

describe('an uncertain shared append', () => {
  const lose = async (append: () => Promise<void>) => {
    await append()
    throw uncertain()
  }
  const swallow = async () => {
    throw uncertain()
  }

  test('rejects each call with its own ids, and is settled by the next one', async () => {
    const { session, interventions, contents } = await watched()
    interventions.push(lose, swallow, swallow, swallow, swallow, swallow)
    const errors = await Promise.all(
      ['a', 'b'].map((id) => session.append(user(id), { id }).catch((reason: unknown) => reason)),
    )
    expect(errors).toMatchObject([
      { code: 'UNCERTAIN', ids: ['a'] },
      { code: 'UNCERTAIN', ids: ['b'] },
    ])
    await session.append(user('c'))
    expect(await contents()).toEqual(['base', 'a', 'b', 'c'])
  })

  for (const isStored of [true, false]) {
    test(`a call that waited behind it ${isStored ? 'goes on' : 'is a CONFLICT'} once that is settled`, async () => {
      const { session, other, interventions, contents } = await watched()
      const held = gate()
      interventions.push(
        async (append) => {
          await held.opened
          if (isStored) await append()
          throw uncertain()
        },
        ...Array.from({ length: 5 }, () => swallow),
        async (append) => {
          if (!isStored) await other.append(user('foreign'))
          await append()
        },
      )
      const first = session.append(user('first'))
      for (let tick = 0; tick < 20; tick++) await Promise.resolve()
      const second = session.append(user('second'))
      held.open()
      expect(await outcomes([first, second])).toEqual(['UNCERTAIN', isStored ? 'stored' : 'CONFLICT'])
      expect(await contents()).toEqual(isStored ? ['base', 'first', 'second'] : ['base', 'foreign'])
    })
  }
})

describe('a signal', () => {
  const reason = new Error('enough')
  const aborted = () => {
    const controller = new AbortController()
    return { signal: controller.signal, abort: () => controller.abort(reason) }
  }

  test('aborted before: its reason, nothing written, the handle goes on', async () => {
    const { session, appends } = await watched()
    const { signal, abort } = aborted()
    abort()
    for (const call of [
      session.append(user('x'), { signal }),
      session.moveTo(null, { signal }),
      session.context({ signal }),
      session.entries({ signal }).toArray(),
      session.leaf({ signal }),
    ]) {
      await expect(call).rejects.toBe(reason)
    }
    expect(appends).toEqual([])
    await session.append(user('y'))
  })

  test('aborted while it waits: its reason, at once, and only for that call', async () => {
    const { session, base, interventions, contents } = await watched()
    const held = gate()
    interventions.push(async (append) => {
      await held.opened
      await append()
    })
    const { signal, abort } = aborted()
    const first = session.append(user('first'))
    for (let tick = 0; tick < 20; tick++) await Promise.resolve()
    const waiting = session.append(user('aborted'), { signal })
    const behind = session.append(user('behind it'))
    const apart = session.append(user('apart'), { parent: base.id })
    abort()
    await expect(waiting).rejects.toBe(reason)
    held.open()
    await expect(behind).rejects.toBe(reason)
    await Promise.all([first, apart])
    expect(await contents()).toEqual(['base', 'first', 'apart'])
  })

  test('aborted on the way: UNCERTAIN with its ids, the batch goes on, others do not notice', async () => {
    const { session, interventions, contents } = await watched()
    const held = gate()
    interventions.push(async (append) => {
      await held.opened
      await append()
    })
    const { signal, abort } = aborted()
    const calls = [session.append(user('aborted'), { id: 'a', signal }), session.append(user('other'))]
    for (let tick = 0; tick < 20; tick++) await Promise.resolve()
    abort()
    await expect(calls[0]).rejects.toMatchObject({ code: 'UNCERTAIN', ids: ['a'], cause: reason })
    held.open()
    await calls[1]
    expect(await contents()).toEqual(['base', 'aborted', 'other'])
  })

  test('aborted after its batch lost the index: its reason again, for nothing of it is on the way', async () => {
    const { store, other, contents } = await watched()
    const inner = memory({ store })
    const { signal, abort } = aborted()
    const clock = seededClock()
    // Between two attempts the journal waits.
    const timer: typeof clock.timer = (milliseconds, wake) => (abort(), clock.timer(milliseconds, wake))
    let isFirst = true
    const append: StorageAdapter['append'] = async (log, at, records) => {
      if (isFirst) await other.append(user('foreign'))
      isFirst = false
      await inner.append(log, at, records)
    }
    const late = await openSessions({ ...inner, append }, { clock: { ...clock, timer } }).open('s')
    await expect(late.append(user('x'), { onConflict: 'rebase', signal })).rejects.toBe(reason)
    expect(await contents()).toEqual(['base', 'foreign'])
  })

  test('that another call has is never handed to the adapter', async () => {
    const store = new MemoryStore()
    const inner = memory({ store })
    const seen: unknown[] = []
    const append: StorageAdapter['append'] = async (log, at, records, options) => {
      seen.push(options?.signal)
      await inner.append(log, at, records)
    }
    const session = await openSessions({ ...inner, append }).create('s')
    await session.append(user('x'), { signal: new AbortController().signal })
    expect(seen).toEqual([undefined])
  })

  test('closing waits for what an aborted call left under way', async () => {
    const { store } = await watched()
    const inner = memory({ store })
    const held = gate()
    let isClosed = false
    const sessions = openSessions({
      ...inner,
      async append(log, at, records) {
        await held.opened
        expect(isClosed).toBe(false)
        await inner.append(log, at, records)
      },
      async close() {
        isClosed = true
      },
    })
    const session = await sessions.open('s')
    const { signal, abort } = aborted()
    const call = session.append(user('x'), { signal })
    await new Promise((resolve) => setTimeout(resolve, 5))
    abort()
    await expect(call).rejects.toMatchObject({ code: 'UNCERTAIN' })
    const closing = sessions.close()
    held.open()
    await closing
    expect(store.logs.get(LOG)).toHaveLength(2)
  })
})

describe('a given id', () => {
  async function beyondTheWindow(): Promise<Session<{ readonly role: string }>> {
    const store = new MemoryStore()
    const first = await openSessions(memory({ store })).create('s')
    await first.append(user('x'), { id: 'm' })
    await first.append(Array.from({ length: 400 }, () => user('y')))
    return openSessions(memory({ store })).open('s')
  }

  test('is looked for in the whole log if asked to', async () => {
    const session = await beyondTheWindow()
    await session.append(user('x'), { id: 'm', ifAbsent: 'whole-log' })
    expect((await session.verify()).entries).toBe(401)
    await expect(session.append(user('z'), { id: 'm', ifAbsent: 'whole-log' })).rejects.toMatchObject({
      code: 'DUPLICATE',
    })
  })

  test('that is stored a second time beyond the window is reported by verify', async () => {
    const session = await beyondTheWindow()
    await session.append(user('x'), { id: 'm' })
    const { ok, problems } = await session.verify()
    expect([ok, problems]).toMatchObject([false, [{ kind: 'duplicate', at: 401, id: 'm' }]])
  })
})
