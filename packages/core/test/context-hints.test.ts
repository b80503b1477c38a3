import { counting } from '@sessiontree/contract'
import { memory, MemoryStore } from '@sessiontree/memory'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { buildContext, openSessions, roleContent, type RoleMessage, type Session } from '../src/index.ts'
import { seededClock, seededRandom } from './seeded.ts'
import { all, user } from './turn-rig.ts'

const format = roleContent()

/** What somebody does to a session; numbers choose among what is there. */
type Step =
  | { readonly do: 'say' | 'batch' | 'compact' | 'keep one' | 'turn' }
  | { readonly do: 'move' | 'branch' | 'fork'; readonly to: number }
  | { readonly do: 'delete the source' }

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom<Step>({ do: 'say' }, { do: 'batch' }, { do: 'turn' }) },
  { weight: 2, arbitrary: fc.constantFrom<Step>({ do: 'compact' }, { do: 'keep one' }) },
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constantFrom('move', 'branch', 'fork'), to: fc.nat() }),
  },
  fc.constant<Step>({ do: 'delete the source' }),
)

/** Does all of it, and resolves with the session that it ended in, and what went before. */
async function played(store: MemoryStore, steps: readonly Step[]): Promise<Session<RoleMessage>> {
  const sessions = openSessions(memory({ store }), { clock: seededClock(), random: seededRandom(5) })
  let session = await sessions.create('s')
  let source: string | undefined
  let said = 0
  const say = () => user(`${said++} `.padEnd(60, 'x'))
  const compaction = { type: 'compaction', summary: 'What was.' } as const
  for (const one of steps) {
    const entries = await all(session.entries())
    const target = 'to' in one ? entries[one.to % entries.length] : undefined
    if (one.do === 'say') await session.append(say())
    else if (one.do === 'batch') await session.record([{ ...compaction }, { type: 'user_message', message: say() }])
    else if (one.do === 'compact') await session.record({ ...compaction, firstKeptEntryId: null })
    else if (one.do === 'keep one') {
      const first = (await all(session.path())).at(-2)
      await session.record({ ...compaction, ...(first && { firstKeptEntryId: first.id }) })
    } else if (one.do === 'turn') {
      const turn = await session.beginTurn()
      await turn.append([say(), say()])
      if (said % 3 === 0) await session.beginTurn({ force: true })
      else await turn.complete()
      await session.beginTurn({ force: true }).then((last) => last.complete())
    } else if (one.do === 'move') await session.moveTo(target ?? null)
    else if (one.do === 'branch') await session.append(say(), { parent: target ?? null })
    else if (one.do === 'fork') {
      source = session.id
      session = await session.fork(target ? { at: target } : {})
    } else if (source !== undefined && source !== session.id) {
      await sessions.delete(source)
      source = undefined
    }
  }
  return session
}

/** Takes from records what an earlier version did not write. */
function forgetHints(store: MemoryStore, which: (index: number) => boolean): void {
  for (const [log, records] of store.logs) {
    const without = records.map((text, i) => {
      const { hints, ...record } = JSON.parse(text) as { hints?: { parent?: unknown; compaction?: unknown } }
      const { compaction: _compaction, ...rest } = hints ?? {}
      return which(i) ? JSON.stringify({ ...record, ...(rest.parent ? { hints: rest } : {}) }) : text
    })
    store.logs.set(log, without)
  }
}

describe('where the newest compaction lies', () => {
  test('makes no difference to what a budget shows, whoever wrote it down, and verify has nothing against it', async () => {
    const [steps, forgotten] = [fc.array(step, { maxLength: 14 }), fc.constantFrom(0, 1, 2, 3)]
    await fc.assert(
      fc.asyncProperty(steps, forgotten, fc.nat({ max: 120 }), async (plan, every, maxTokens) => {
        const store = new MemoryStore()
        const { id } = await played(store, plan)
        if (every > 0) forgetHints(store, (i) => i % every === 0)
        const session = await openSessions(memory({ store })).open(id)
        const expected = buildContext(await all(session.path()), format, { maxTokens })
        const { messages, complete, compaction } = await session.context({ maxTokens })
        expect({ messages, complete }).toEqual({ messages: expected.messages, complete: expected.complete })
        if (expected.complete) expect(compaction).toEqual(expected.compaction)
        const turn = await session.beginTurn()
        expect((await turn.context({ maxTokens })).messages).toEqual(messages)
        expect((await session.verify()).problems).toEqual([])
      }),
      { numRuns: 150 },
    )
  })

  const long = async (prepare: (session: Session<RoleMessage>) => Promise<unknown> = async () => undefined) => {
    const store = new MemoryStore()
    const session = await openSessions(memory({ store })).create('s')
    await prepare(session)
    const message = (i: number) => user(`${i} `.padEnd(1_000, 'x'))
    for (let at = 0; at < 1_000; at += 100) {
      await session.append(Array.from({ length: 100 }, (_, i) => message(at + i)))
    }
    return store
  }
  const cold = async (store: MemoryStore) => {
    const { adapter, counts } = counting(memory({ store }))
    const context = await (await openSessions(adapter).open('s')).context({ maxBytes: 16_000 })
    return { reads: counts.read, context }
  }

  test('spares a budget the history: without a compaction, and with an old one', async () => {
    const without = await cold(await long())
    // The look: 256 records at most.
    expect([without.reads.calls, without.reads.records]).toEqual([1, 256])
    expect(without.context.compaction).toBeUndefined()
    const behind = await cold(
      await long(async (session) => {
        await session.append(user('long ago'))
        await session.record({ type: 'compaction', summary: 'What was.', firstKeptEntryId: null })
      }),
    )
    // And the compaction, with what is right before it.
    expect(behind.reads.calls).toBeLessThanOrEqual(3)
    expect(behind.reads.records).toBeLessThanOrEqual(256 + 3)
    expect(JSON.stringify(behind.context.messages[0])).toContain('What was.')
    expect(behind.context.complete).toBe(false)
  })

  test('spares it what lies before the compaction, also where the budget ended at a result without its call', async () => {
    const store = new MemoryStore()
    const session = await openSessions(memory({ store })).create('s')
    const message = (i: number) => user(`${i} `.padEnd(1_000, 'x'))
    const many = Array.from({ length: 600 }, (_, i) => message(i))
    await session.append(many)
    await session.record({ type: 'compaction', summary: 'What was.', firstKeptEntryId: null })
    await session.append(
      many.flatMap((one, i) => [{ role: 'tool', tool_call_id: `${i}`, content: 'an orphan' }, one]).slice(0, 1_000),
    )
    const { reads, context } = await cold(store)
    expect(JSON.stringify(context.messages[0])).toContain('What was.')
    expect(reads.records).toBeLessThanOrEqual(256 + 3)
  })

  test('that is not written down is searched; so is one that is not where it should be', async () => {
    const compacted = async (session: Session<RoleMessage>) => {
      await session.append([user('long ago'), user('and then')])
      await session.record({ type: 'compaction', summary: 'What was.', firstKeptEntryId: null })
    }
    for (const spoil of [() => undefined, () => [0, 1], () => [0, 2_000], () => [7, 2], () => 'nonsense']) {
      const store = await long(compacted)
      const records = store.logs.get('session/s/0')!.map((text) => {
        const record = JSON.parse(text) as { hints?: { compaction?: unknown } }
        if (record.hints?.compaction) record.hints.compaction = spoil()
        return JSON.stringify(record)
      })
      store.logs.set('session/s/0', records)
      const { context } = await cold(store)
      expect(JSON.stringify(context.messages[0])).toContain('What was.')
    }
  })

  test('verify reports an entry that says there is none, or another one, on its own path and on what a fork inherits', async () => {
    const store = new MemoryStore()
    const sessions = openSessions(memory({ store }))
    const session = await sessions.create('s')
    await session.append([user('a'), user('b')])
    await session.record({ type: 'compaction', summary: 'First.' })
    await session.record({ type: 'compaction', summary: 'Second.' })
    const [c] = await session.append([user('c'), user('d')], { id: ['c', 'd'] })
    await (await session.fork({ id: 'f', at: 'd' })).append(user('e'))
    expect((await session.verify()).ok).toBe(true)
    const records = store.logs.get('session/s/0')!
    for (const wrong of [null, [0, 2]]) {
      const text = records[c!.position[1]]!
      const changed = records.with(
        c!.position[1],
        text.replace('"compaction":[0,3]', `"compaction":${JSON.stringify(wrong)}`),
      )
      expect(changed).not.toEqual(records)
      store.logs.set('session/s/0', changed)
      for (const id of ['s', 'f']) {
        const { problems } = await (await openSessions(memory({ store })).open(id)).verify()
        expect(problems).toMatchObject([{ kind: 'compaction', id: 'c', at: 4, log: 'session/s/0' }])
      }
    }
  })

  test('behind an id that stands there twice nobody knows what it should say: verify reports the id, and no compaction', async () => {
    const store = new MemoryStore()
    const session = await openSessions(memory({ store })).create('s')
    await session.append(user('a'))
    await session.record({ type: 'compaction', summary: 'What was.' })
    const first = await session.append(user('x'), { id: 'x' })
    await session.append(user('y'), { id: 'y', parent: null })
    await session.append([user('behind y'), user('and then')])
    await session.append([user('behind x'), user('and so on')], { parent: first })
    expect((await session.verify()).ok).toBe(true)
    const records = store.logs.get('session/s/0')!
    store.logs.set(
      'session/s/0',
      records.map((text) => text.replace('"id":"y"', '"id":"x"').replace('"parentId":"y"', '"parentId":"x"')),
    )
    const { problems } = await (await openSessions(memory({ store })).open('s')).verify()
    const kinds = new Set(problems.map(({ kind }) => kind))
    expect(kinds).toContain('duplicate')
    expect(kinds).not.toContain('compaction')
  })
})
