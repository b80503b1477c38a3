import { counting } from '@sessiontree/contract'
import { memory, MemoryStore } from '@sessiontree/memory'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { aiSdk, type UiMessage } from '../src/formats/ai-sdk.ts'
import { openSessions, type Session, type RoleMessage } from '../src/index.ts'
import { seededClock, seededRandom } from './seeded.ts'

const user = (content: string) => ({ role: 'user', content })
const users = (text: string) => Array.from(text, user)

async function fresh() {
  const store = new MemoryStore()
  let seed = 1
  const counted = counting(memory({ store }))
  const open = (adapter = memory({ store })) =>
    openSessions(adapter, { random: seededRandom(seed++), clock: seededClock() })
  const session = await open(counted.adapter).create('s')
  const other = () => open().open('s')
  return { store, session, other, counts: counted.counts, reset: counted.reset }
}

/** What the messages of a path say, one letter each. */
const said = async (session: Session<RoleMessage>, leaf?: string) =>
  (await session.path(leaf === undefined ? {} : { leaf }).toArray())
    .flatMap((entry) => ('message' in entry ? [String(entry.message['content'])] : []))
    .join('')

describe('save', () => {
  test('appends what is new, in one append; an equal array writes nothing', async () => {
    const { session, counts, reset } = await fresh()
    expect((await session.save(users('abc'))).appended.map(({ type }) => type)).toEqual(Array(3).fill('user_message'))
    expect(await said(session)).toBe('abc')
    reset()
    const saved = await session.save(users('abcde'))
    expect([saved.kept, saved.appended.length, 'branchedFrom' in saved]).toEqual([3, 2, false])
    expect(counts.append).toMatchObject({ calls: 1, records: 2 })
    reset()
    expect(await session.save(users('abcde'))).toEqual({ kept: 5, appended: [] })
    expect(counts.append.calls).toBe(0)
    expect(counts.read.records, 'a path that is known is not read again').toBe(0)
  })

  test('branches at the first that differs; what was left stays', async () => {
    const { session } = await fresh()
    await session.save(users('abcd'))
    const left = (await session.leaf())!.id
    const second = (await session.path().toArray())[1]!.id
    const saved = await session.save(users('abxy'))
    expect([saved.kept, saved.branchedFrom, saved.appended.length]).toEqual([2, second, 2])
    expect([await said(session), await said(session, left)]).toEqual(['abxy', 'abcd'])
    expect((await session.save(users('zz'))).branchedFrom).toBeNull()
    expect(await said(session)).toBe('zz')
  })

  test('a shorter array moves the leaf back, an empty one before the first', async () => {
    const { session, other } = await fresh()
    await session.save(users('abcd'))
    expect(await session.save(users('ab'))).toMatchObject({ kept: 2, appended: [] })
    expect(await said(await other())).toBe('ab')
    await session.save([])
    expect(await said(await other())).toBe('')
    expect(await session.entries().toArray()).toHaveLength(4)
    await session.save(users('abcd'))
    expect(await said(session)).toBe('abcd')
  })

  test('goes by content: equal messages in other places, and keys in another order, are the same', async () => {
    const { session } = await fresh()
    await session.save([user('a'), user('a'), { content: 'b', role: 'user' }])
    expect(await session.save([{ content: 'a', role: 'user' }, user('a'), user('b'), user('b')])).toMatchObject({
      kept: 3,
    })
    expect(await said(session)).toBe('aabb')
  })

  test('passes over what is no message, and leaves a turn that has ended whole', async () => {
    const { session } = await fresh()
    const turn = async (question: string, answer: string) => {
      await session.record({ type: 'turn_marker', status: 'started' })
      await session.append([user(question), { role: 'assistant', content: answer }])
      await session.record({ type: 'turn_marker', status: 'completed' })
    }
    await turn('a', 'b')
    await turn('c', 'd')
    const messages = (await session.context()).messages
    expect(await session.save(messages)).toEqual({ kept: 4, appended: [] })
    await session.save([...messages.slice(0, 2), user('edited')])
    const types = (await session.path().toArray()).map((entry) => ('status' in entry ? entry.status : entry.type))
    expect(types).toEqual(['started', 'user_message', 'assistant_message', 'completed', 'user_message'])
  })

  test('more than 1,024 messages take several appends, and end as one', { timeout: 60_000 }, async () => {
    const { session, counts, reset, other } = await fresh()
    await session.save(users('ab'))
    reset()
    const messages = [user('a'), ...Array.from({ length: 2_500 }, (_, i) => user(String(i)))]
    const saved = await session.save(messages)
    expect([saved.kept, saved.appended.length, counts.append.calls, counts.append.records]).toEqual([
      1, 2_500, 3, 2_500,
    ])
    expect(await session.save(messages)).toEqual({ kept: 2_501, appended: [] })
    expect((await (await other()).context()).messages).toEqual(messages)
    reset()
    await session.save(Array.from({ length: 5 }, (_, i) => user(String(i).padEnd(3 * 1024 * 1024))))
    expect([counts.append.calls, counts.append.records]).toEqual([3, 5])
  })

  test('the array may change at once; a bad message writes nothing', async () => {
    const { session, store } = await fresh()
    const messages = users('ab')
    const saving = session.save(messages)
    messages[0]!.content = 'changed'
    messages.pop()
    await saving
    expect(await said(session)).toBe('ab')
    const before = store.logs.get('session/s/0')!.length
    for (const bad of [
      [user('a'), { role: 'nobody' }],
      [{ role: 'user', at: new Date() }],
      'text',
      [null],
    ] as never[]) {
      await expect(session.save(bad)).rejects.toBeInstanceOf(TypeError)
    }
    await expect(session.save([], { onConflict: 'fork' as never })).rejects.toBeInstanceOf(TypeError)
    expect(store.logs.get('session/s/0')).toHaveLength(before)
  })

  test("takes the AI SDK's messages as they are", async () => {
    const store = new MemoryStore()
    const session = await openSessions(memory({ store }), { format: aiSdk<UiMessage & { parts: unknown[] }>() }).create(
      's',
    )
    const question = { id: 'm1', role: 'user' as const, parts: [{ type: 'text', text: 'Where?' }] }
    const call = (fields: object) => ({
      id: 'm2',
      role: 'assistant' as const,
      parts: [{ type: 'tool-track', toolCallId: 'c1', input: { id: 7 }, ...fields }],
    })
    await session.save([question, call({ state: 'input-available' })])
    const answered = [question, call({ state: 'output-available', output: 'in transit' })]
    expect(await session.save(answered), 'a message that has grown').toMatchObject({ kept: 1 })
    expect((await session.context()).messages).toEqual(answered)
  })
})

describe('while a turn is open', () => {
  test("the path is the turn's; a label is free", async () => {
    const { session, other } = await fresh()
    await session.save(users('ab'))
    await using turn = await (await other()).beginTurn()
    await turn.append(user('c'))
    // What it is told once it knows.
    for (const code of ['CONFLICT', 'ACTIVE_TURN']) {
      await expect(session.save(users('abd'))).rejects.toMatchObject({ code })
    }
    const third = await other()
    for (const array of ['abcd', 'abd', 'a'])
      await expect(third.save(users(array))).rejects.toMatchObject({ code: 'ACTIVE_TURN' })
    expect(await third.save(users('abc'))).toMatchObject({ kept: 3 })
    await third.label((await third.leaf())!, 'here')
    await turn.append(user('d'))
    await turn.complete()
    expect(await said(session)).toBe('abcd')
    expect(await session.save(users('abcde'))).toMatchObject({ kept: 4 })
  })
})

describe('two handles that save', () => {
  test('the later one is told what it lacks, or goes behind it', async () => {
    const { session, other } = await fresh()
    await session.save(users('ab'))
    const second = await other()
    await second.context()
    await session.save(users('abc'))
    await expect(second.save(users('abx'))).rejects.toMatchObject({
      code: 'CONFLICT',
      written: 'no',
      entries: [{ message: user('c') }],
    })
    const third = await other()
    await third
      .path({ leaf: 'nowhere' })
      .toArray()
      .catch(() => undefined)
    expect(await said(session)).toBe('abc')
    expect(await second.save(users('abcx')), 'it has taken it over').toMatchObject({ kept: 3 })
    await expect(session.save(users('aby'))).rejects.toMatchObject({ code: 'CONFLICT' })
    expect(await said(session)).toBe('abcx')
  })

  test('rebase puts what is new behind what the other one appended', async () => {
    const { session, other } = await fresh()
    await session.save(users('ab'))
    const second = await other()
    await second.context()
    await session.save(users('abc'))
    const saved = await second.save(users('abxy'), { onConflict: 'rebase' })
    expect([saved.kept, saved.appended.length]).toEqual([2, 2])
    expect(await said(session)).toBe('abcxy')
  })

  test('at once: both arrays are there, one behind the other, or one is told', async () => {
    const { session, other } = await fresh()
    await session.save(users('ab'))
    const [one, two] = [await other(), await other()]
    await Promise.all([one.context(), two.context()])
    const results = await Promise.allSettled([one.save(users('abc')), two.save(users('abd'))])
    const failed = results.filter((result) => result.status === 'rejected')
    expect(failed.map(({ reason }) => (reason as { code: string }).code)).toEqual(['CONFLICT'])
    expect(['abc', 'abd']).toContain(await said(session))
    const both = await Promise.all([
      one.save(users(`${await said(one)}x`), { onConflict: 'rebase' }),
      two.save(users(`${await said(two)}y`), { onConflict: 'rebase' }),
    ])
    expect(both.flatMap(({ appended }) => appended)).toHaveLength(2)
    expect((await said(session)).slice(3).split('').toSorted()).toEqual(['x', 'y'])
  })
})

describe('whatever is saved', () => {
  test('is the path afterwards, and nothing that was ever on it is lost', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.array(fc.constantFrom('a', 'b', 'c'), { maxLength: 6 }), fc.boolean()), { maxLength: 8 }),
        async (arrays) => {
          const { session, other } = await fresh()
          const paths = new Map<string, string>()
          for (const [letters, byOther] of arrays) {
            const text = letters.join('')
            await (byOther ? await other() : session)
              .save(users(text), byOther ? {} : { onConflict: 'rebase' })
              .catch(() => undefined)
            const leaf = await session.leaf()
            if (byOther) expect(await said(session)).toBe(text)
            if (leaf) paths.set(leaf.id, await said(session))
          }
          for (const [leaf, text] of paths) expect(await said(session, leaf)).toBe(text)
          expect(await session.verify()).toMatchObject({ ok: true })
        },
      ),
      { numRuns: 100 },
    )
  })
})
