import { memory, MemoryStore } from '@sessiontree/memory'
import { describe, expect, test } from 'vitest'
import { openSessions, type Entry, type RoleMessage } from '../src/index.ts'
import { gist } from './path-of.ts'
import { seededClock, seededRandom } from './seeded.ts'

const user = (content: string) => ({ role: 'user', content })
const assistant = (content: string) => ({ role: 'assistant', content })
// About 2,700 tokens each.
const long = (text: string) => `${text}${' '.padEnd(8_000, 'x')}`
const settings = { tailTokens: 2_000, targetTokens: 12_000, summaryTokens: 1_000, userTokens: 100 }

async function talk(turns: number) {
  const store = new MemoryStore()
  let seed = 1
  const open = () => openSessions(memory({ store }), { random: seededRandom(seed++), clock: seededClock() })
  const session = await open().create('s')
  for (let i = 0; i < turns; i++) await session.append([user(`q${i}`), assistant(long(`a${i}`))])
  const records = () => store.logs.get('session/s/0')!.length
  return { session, other: () => open().open('s'), open, records }
}

const shown = ({ messages }: { readonly messages: readonly RoleMessage[] }) =>
  messages.map((message) => gist(message).split(' ')[0])

describe('compact', () => {
  test('puts a summary in the place of what is old, once, and for whoever opens the session', async () => {
    const { session, other } = await talk(4)
    const asked: unknown[] = []
    const entry = await session.compact({
      summarise: (messages, request) => {
        asked.push(shown({ messages }), request)
        return 'They talked.'
      },
      settings,
      trigger: 'manual',
      reason: 'manual',
    })
    expect(asked).toEqual([['q0', 'a0', 'q1', 'a1', 'q2', 'a2', 'q3'], { maxTokens: 1_000, signal: undefined }])
    expect(entry).toMatchObject({ type: 'compaction', generation: 1, trigger: 'manual', reason: 'manual' })
    expect(shown(await session.context())).toEqual(['checkpoint', 'a3'])
    expect(await (await other()).context()).toEqual(await session.context())
    await session.append([user('q4'), assistant(long('a4'))])
    const again = await session.compact({
      summarise: (_messages, { previousSummary }) => `${previousSummary} And on.`,
      settings,
    })
    expect(again).toMatchObject({ generation: 2, summary: 'They talked. And on.', previousCompactionId: entry!.id })
    expect(shown(await session.context())).toEqual(['checkpoint', 'a4'])
    expect(await session.path().toArray(), 'nothing is taken away').toHaveLength(12)
  })

  test('of a session with nothing to compact asks nobody and writes nothing', async () => {
    const { session, records } = await talk(0)
    expect(await session.compact({ summarise: () => expect.unreachable() })).toBeUndefined()
    expect(records).toThrow()
  })

  test('what fails, or gives no text, writes nothing', async () => {
    const { session, records } = await talk(3)
    const before = records()
    const failure = new Error('no quota')
    await expect(session.compact({ summarise: () => Promise.reject(failure), settings })).rejects.toBe(failure)
    for (const options of [
      { summarise: () => ' ', settings },
      { summarise: () => 7 as never, settings },
      { summarise: 'text' as never },
      { summarise: () => 'x', settings: { threshold: 2 } },
    ]) {
      await expect(session.compact(options)).rejects.toBeInstanceOf(TypeError)
    }
    const controller = new AbortController()
    const summarise = () => (controller.abort(failure), 'too late')
    await expect(session.compact({ summarise, settings, signal: controller.signal })).rejects.toBe(failure)
    expect(records()).toBe(before)
  })
})

describe('while the summary is made', () => {
  test('the conversation goes on: what was appended meanwhile stays in the context', async () => {
    const { session, other } = await talk(3)
    const second = await other()
    await second.leaf()
    await session.compact({
      summarise: async () => {
        await session.append(user('mine'))
        await second.append(user('theirs'), { onConflict: 'rebase' })
        return 'They talked.'
      },
      settings,
    })
    expect(shown(await session.context())).toEqual(['checkpoint', 'a2', 'mine', 'theirs'])
  })

  test('also where nothing else is kept', async () => {
    const { session } = await talk(0)
    await session.append(user(long('only')))
    const entry = await session.compact({
      summarise: async () => {
        await session.append([assistant('late'), user('later')])
        return 'One thing was said.'
      },
      settings,
    })
    expect(shown(await session.context())).toEqual(['checkpoint', 'late', 'later'])
    expect(entry).toMatchObject({ firstKeptEntryId: (await session.path().toArray())[1]!.id })
  })

  test('a leaf that moves away, and another compaction, are conflicts', async () => {
    const { session, other, records } = await talk(3)
    const elsewhere = await other()
    const first = (await session.path().toArray())[0] as Entry
    const leaf = (await session.leaf())!
    const moving = session.compact({
      summarise: async () => {
        await elsewhere.moveTo(first)
        return 'They talked.'
      },
      settings,
    })
    await expect(moving).rejects.toMatchObject({ code: 'CONFLICT', written: 'no' })
    await elsewhere.moveTo(leaf)
    await session.refresh()
    const summarise = async () => {
      await elsewhere.compact({ summarise: () => 'They were first.', settings })
      return 'They talked.'
    }
    const before = records()
    await expect(session.compact({ summarise, settings })).rejects.toMatchObject({ code: 'CONFLICT' })
    expect(records()).toBe(before + 1)
  })

  test('an open turn has the path to itself, and compacts it from inside', async () => {
    const { session, other } = await talk(3)
    await using turn = await session.beginTurn()
    await turn.append(user('q3'))
    const outside = (await other()).compact({ summarise: () => 'Not now.', settings })
    await expect(outside).rejects.toMatchObject({ code: 'ACTIVE_TURN' })
    const entry = await turn.compact({
      summarise: async () => {
        await turn.append(assistant('on the way'))
        return 'They talked.'
      },
      settings,
    })
    expect(entry).toMatchObject({ type: 'compaction', turnId: turn.id })
    expect(shown(await turn.context())).toEqual(['checkpoint', 'a2', 'q3', 'on'])
    await turn.complete()
    expect(shown(await (await other()).context())).toEqual(['checkpoint', 'a2', 'q3', 'on'])
    expect(await turn.compact({ summarise: () => 'x' }).catch(({ code }: { code: string }) => code)).toBe('CLOSED')
  })

  test('a fork of a compacted session has the same context', async () => {
    const { session } = await talk(3)
    await session.compact({ summarise: () => 'They talked.', settings })
    await session.append(user('q3'))
    const { messages } = await session.context()
    const fork = await session.fork({ id: 'f' })
    expect((await fork.context()).messages).toEqual(messages)
  })
})
