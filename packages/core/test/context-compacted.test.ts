import { describe, expect, test } from 'vitest'
import { buildContext, type ContextOptions } from '../src/context.ts'
import { roleContent, type RoleMessage } from '../src/message-format.ts'
import { assistant, call, compaction, gist, marker, pathOf, result, user, type Step } from './path-of.ts'

const format = roleContent()
const context = (steps: readonly Step[], options?: ContextOptions) =>
  buildContext(pathOf<RoleMessage>(steps), format, options)
const gists = (steps: readonly Step[], options?: ContextOptions) => context(steps, options).messages.map(gist)
const textOf = (message: RoleMessage | undefined) => String(message?.['content'])

describe('with a compaction', () => {
  const old = [user('old question'), assistant('old answer')]

  test('tree:22 only the newest counts; the checkpoint comes first, then the kept tail, then what follows', () => {
    const {
      messages,
      segments,
      entries,
      compaction: found,
    } = context([
      ...old,
      compaction({ summary: 'First.', firstKeptEntryId: 'e1' }),
      user('second'),
      compaction({ summary: '  Second. ', firstKeptEntryId: 'e3', generation: 2, previousCompactionId: 'e2' }),
      user('third'),
    ])
    expect(messages.map(gist)).toEqual(['checkpoint', 'second', 'third'])
    expect(messages[0]?.role).toBe('user')
    expect(textOf(messages[0])).toContain('>\nSecond.\n</compaction_summary>')
    expect(segments[0]).toMatchObject({
      entryId: 'e4',
      parentId: 'e3',
      entryType: 'compaction',
      role: 'user',
      kind: 'compaction_summary',
      generation: 2,
    })
    expect(entries[0]?.id).toBe('e4')
    expect(found?.id).toBe('e4')
  })

  test('tree:22 compactions inside the tail contribute nothing', () => {
    expect(gists([...old, compaction({}), user('x'), compaction({ firstKeptEntryId: 'e1' }), assistant('y')])).toEqual([
      'checkpoint',
      'old answer',
      'x',
      'y',
    ])
  })

  test('tree:22 kept users outside the tail are embedded once, in order', () => {
    const keptUsers = [
      { entryId: 'e0', text: 'old </preserved_user_inputs> question' },
      { entryId: 'e2', text: 'in the tail' },
      { entryId: 'e0', text: 'twice' },
    ]
    const { messages } = context([...old, user('in the tail'), compaction({ firstKeptEntryId: 'e2', keptUsers })])
    expect(messages.map(gist)).toEqual(['checkpoint', 'in the tail'])
    const text = textOf(messages[0])
    expect(text.match(/<preserved_user_inputs>/g)).toHaveLength(1)
    const block = /<preserved_user_inputs>[^[]*([^]*?)<\/preserved_user_inputs>/.exec(text)?.[1]
    expect(JSON.parse(String(block))).toEqual([{ entry_id: 'e0', content: 'old </preserved_user_inputs> question' }])
  })

  test('tree:22 the intro says whether messages follow', () => {
    const intro = (...steps: readonly Step[]) => textOf(context([...old, ...steps]).messages[0]).split('\n')[0]
    const alone = intro(compaction({ firstKeptEntryId: null }))
    const withTail = intro(compaction({ firstKeptEntryId: 'e1' }))
    expect(alone).not.toBe(withTail)
    expect(alone).toContain('no messages')
    expect(withTail).toContain('do not answer')
  })

  test('tree:22 without a generation it is 1, or 2 behind another', () => {
    const generation = (fields: object) => context([...old, compaction(fields)]).segments[0]?.generation
    expect(generation({})).toBe(1)
    expect(generation({ previousCompactionId: 'x' })).toBe(2)
    expect(generation({ generation: 5 })).toBe(5)
  })

  test('tree:23 an empty summary gives no checkpoint, only the tail', () => {
    expect(gists([...old, compaction({ summary: ' ', firstKeptEntryId: 'e1' }), user('x')])).toEqual([
      'old answer',
      'x',
    ])
  })

  test('tree:23 kept users without a first kept entry: no tail is inferred', () => {
    const keptUsers = [{ entryId: 'e0', text: 'old question' }]
    expect(gists([...old, compaction({ keptUsers }), user('x')])).toEqual(['checkpoint', 'x'])
    expect(gists([...old, compaction({ firstKeptEntryId: null }), user('x')])).toEqual(['checkpoint', 'x'])
    expect(gists([...old, compaction({ firstKeptEntryId: 'unknown', keptUsers }), user('x')])).toEqual([
      'checkpoint',
      'x',
    ])
  })

  test('tree:23 without either, the last exchange is kept, ⚠ the whole tool batch, no orphan result', () => {
    const batch = [call('a'), call('b'), result('a'), result('b')]
    const kept = ['checkpoint', 'call(a)', 'call(b)', 'result(a)', 'result(b)', 'x']
    expect(gists([...old, ...batch, compaction({}), user('x')])).toEqual(kept)
    expect(gists([...old, ...batch, compaction({ firstKeptEntryId: 'unknown' }), user('x')])).toEqual(kept)
    expect(gists([...old, call('a', 'b'), result('a'), result('b'), compaction({})])).toEqual([
      'checkpoint',
      'call(a,b)',
      'result(a)',
      'result(b)',
    ])
    expect(gists([...old, compaction({}), user('x')])).toEqual(['checkpoint', 'old answer', 'x'])
  })

  test('tree:23 a first kept entry that is unknown: named calls, budget and entries are as if none was given', () => {
    for (const [after, underWay] of [
      [[], true],
      [[marker('aborted', 't')], false],
    ] as const) {
      const steps = (fields: object) => [...old, compaction(fields), user('x'), call('q'), ...after]
      const { compaction: given, ...unknown } = context(steps({ firstKeptEntryId: 'unknown' }), { maxTokens: 500 })
      const { compaction: none, ...absent } = context(steps({}), { maxTokens: 500 })
      expect(given?.id).toBe(none?.id)
      expect(unknown.messages).toEqual(absent.messages)
      expect(unknown.segments).toEqual(absent.segments)
      expect(unknown.unanswered).toEqual(absent.unanswered)
      expect(unknown.unanswered).toMatchObject([{ callId: 'q', underWay }])
    }
  })

  test('tree:24 the context of a compacted path needs nothing of the head: it outlives the ancestor that held it', () => {
    const keptUsers = [{ entryId: 'e0', text: 'old question' }]
    const keptSystem = [{ entryId: 's', message: { role: 'system', content: 'Be brief.' } }]
    const path = pathOf<RoleMessage>([
      ...old,
      call('a'),
      result('a'),
      compaction({ firstKeptEntryId: 'e2', keptUsers, keptSystem }),
      user('x'),
    ])
    const whole = buildContext(path, format)
    expect(whole.messages.map(gist)).toEqual(['Be brief.', 'checkpoint', 'call(a)', 'result(a)', 'x'])
    expect(buildContext(path.slice(2), format)).toEqual(whole)
  })

  test('a batch that a compaction cuts through is shown whole as soon as its result is there', () => {
    const start = [user('go'), call('a')]
    const keptUsers = [{ entryId: 'e0', text: 'go' }]
    for (const fields of [{}, { keptUsers }, { firstKeptEntryId: null }, { firstKeptEntryId: 'e1' }]) {
      expect(gists([...start, compaction(fields)])).toEqual(['checkpoint'])
      expect(gists([...start, compaction(fields), result('a')])).toEqual(['checkpoint', 'call(a)', 'result(a)'])
    }
  })

  test('a first kept entry inside a batch keeps the calls of its results', () => {
    const steps = [user('go'), call('a'), call('b'), result('a'), result('b')]
    const kept = (firstKeptEntryId: string) => gists([...steps, compaction({ firstKeptEntryId })]).slice(1)
    for (const first of ['e1', 'e2', 'e3', 'e4'])
      expect(kept(first)).toEqual(['call(a)', 'call(b)', 'result(a)', 'result(b)'])
  })

  test('a first kept entry that the model does not see: a marker, an older compaction', () => {
    const turn = [marker('started', 't'), user('x'), assistant('y')]
    expect(gists([...old, ...turn, compaction({ firstKeptEntryId: 'e2' })])).toEqual(['checkpoint', 'x', 'y'])
    expect(gists([...old, compaction({}), user('x'), compaction({ firstKeptEntryId: 'e2' })])).toEqual([
      'checkpoint',
      'x',
    ])
  })

  test('system messages that it keeps come before the checkpoint', () => {
    const keptSystem = [{ entryId: 'e0', message: { role: 'system', content: 'Be brief.' } }]
    const { messages, segments, entries } = context([
      { type: 'system_message', message: { role: 'system', content: 'Be brief.' } },
      ...old,
      compaction({ firstKeptEntryId: 'e2', keptSystem }),
    ])
    expect(messages.map(gist)).toEqual(['Be brief.', 'checkpoint', 'old answer'])
    expect(segments[0]).toMatchObject({ entryId: 'e0', entryType: 'system_message', role: 'system' })
    expect(entries[0]?.type).toBe('compaction')
  })

  test('fields that are no such thing are as if they were absent', () => {
    const odd = {
      firstKeptEntryId: 7,
      keptUsers: [null, { entryId: 1 }, { entryId: 'e0' }],
      keptSystem: 'x',
      generation: 'x',
    }
    expect(gists([...old, compaction({ ...odd })])).toEqual(['checkpoint', 'old answer'])
    expect(gists([...old, { type: 'compaction' }])).toEqual(['old answer'])
  })
})
