import { describe, expect, test } from 'vitest'
import { buildContext, ContextProjection, type ContextOptions } from '../src/context.ts'
import type { Entry } from '../src/index.ts'
import { roleContent, type RoleMessage } from '../src/message-format.ts'
import { preview } from '../src/preview.ts'
import { estimateTokens } from '../src/token-estimate.ts'
import { assistant, call, compaction, gist, pathOf, result, user, type Step } from './path-of.ts'

const format = roleContent()
const context = (steps: readonly Step[], options?: ContextOptions) =>
  buildContext(pathOf<RoleMessage>(steps), format, options)
const textOf = (message: RoleMessage | undefined) => String(message?.['content'])

/** How many entries a projection takes before it has seen enough. */
function taken(steps: readonly Step[], options?: ContextOptions): number {
  const projection = new ContextProjection<RoleMessage>(format, options)
  let count = 0
  for (const entry of pathOf<RoleMessage>(steps).toReversed()) {
    count++
    if (!projection.add(entry)) break
  }
  return count
}

describe('segments', () => {
  const file = { type: 'image_url', image_url: { url: 'https://example.org/a.png' } }
  const steps: readonly Step[] = [
    { type: 'user_message', message: { role: 'user', content: [{ type: 'text', text: 'Look:' }, file] } },
    call('a'),
    result('a'),
    compaction({ firstKeptEntryId: 'e0' }),
    assistant('é'.repeat(300)),
  ]

  test('tree:25 match the messages one to one, with type, role, tool ids and estimate', () => {
    const { messages, segments, tokens, bytes } = context(steps)
    expect(segments).toHaveLength(messages.length)
    expect(segments.map(({ entryType, role }) => [entryType, role])).toEqual([
      ['compaction', 'user'],
      ['user_message', 'user'],
      ['tool_call', 'assistant'],
      ['tool_result', 'tool'],
      ['assistant_message', 'assistant'],
    ])
    expect(segments[2]?.calls).toEqual([{ id: 'a', name: 'tool' }])
    expect(segments[3]?.results).toEqual([{ callId: 'a' }])
    expect(segments[4]?.tokens).toBe(8 + 300)
    expect(tokens).toBe(segments.reduce((sum, each) => sum + each.tokens, 0))
    expect(bytes).toBe(messages.reduce((sum, each) => sum + new TextEncoder().encode(JSON.stringify(each)).length, 0))
  })

  test('tree:25 the messages are the same for every purpose; ui adds previews and artifacts', () => {
    const provider = context(steps)
    const ui = context(steps, { purpose: 'ui' })
    expect(ui.messages).toEqual(provider.messages)
    expect(context(steps, { purpose: 'compaction' })).toEqual(context(steps, { purpose: 'provider_request' }))
    expect(context(steps, { purpose: 'compaction' })).toEqual(provider)
    expect(provider.segments.some((segment) => 'preview' in segment || 'artifacts' in segment)).toBe(false)
    expect(ui.segments[1]).toMatchObject({ preview: 'Look:', artifacts: [{ url: 'https://example.org/a.png' }] })
    expect(ui.segments.map((segment) => segment.preview).slice(2)).toEqual([
      'tool({})',
      'result of a',
      `${'é'.repeat(240)}…`,
    ])
    expect(() => context([], { purpose: 'test' as 'ui' })).toThrow(TypeError)
  })

  test('tree:25 ⚠ a preview never splits a character', () => {
    expect(preview('a'.repeat(240))).toBe('a'.repeat(240))
    expect(preview('a'.repeat(241))).toBe(`${'a'.repeat(240)}…`)
    expect(preview('😀'.repeat(240))).toBe('😀'.repeat(240))
    expect(preview(`${'a'.repeat(239)}😀b`)).toBe(`${'a'.repeat(239)}😀…`)
    expect(preview('😀'.repeat(241)).isWellFormed()).toBe(true)
    expect(preview('abc', 0)).toBe('…')
  })

  test('tree:25 the estimate: a third of the ASCII characters, one for each other code point, 8 for the message', () => {
    expect(estimateTokens('')).toBe(0)
    expect(estimateTokens('  abcd\n')).toBe(2)
    expect(estimateTokens('aé😀')).toBe(3)
    const named: Step = {
      type: 'tool_call',
      message: {
        role: 'assistant',
        content: 'abc',
        tool_calls: [{ id: '123456', function: { name: 'tool', arguments: '{"a":1}' } }],
      },
    }
    // Text 1, id 2, name 2, arguments 3, message 8.
    expect(context([named, result('123456', 'ok')]).segments.map(({ tokens }) => tokens)).toEqual([16, 8 + 2 + 1])
    const [checkpoint] = context([compaction({})]).segments
    expect(checkpoint?.tokens).toBe(
      8 + estimateTokens('compaction_summary') + estimateTokens(textOf(context([compaction({})]).messages[0])),
    )
  })

  test('tree:25 the estimate can be replaced', () => {
    const counted = { ...roleContent(), estimateTokens: () => 5 }
    expect(buildContext(pathOf<RoleMessage>(steps), counted).tokens).toBe(25)
  })
})

describe('a budget', () => {
  const counted = { ...roleContent(), estimateTokens: () => 10 }
  const limited = (steps: readonly Step[], options: ContextOptions) => {
    const { messages, complete, tokens } = buildContext(pathOf<RoleMessage>(steps), counted, options)
    return { gists: messages.map(gist), complete, tokens }
  }
  const steps = [user('1'), call('a'), result('a'), assistant('2'), user('3')]

  test('cuts at the boundaries of batches, and says so', () => {
    expect(limited(steps, { maxTokens: 50 })).toEqual({
      gists: ['1', 'call(a)', 'result(a)', '2', '3'],
      complete: true,
      tokens: 50,
    })
    expect(limited(steps, { maxTokens: 49 }).gists).toEqual(['call(a)', 'result(a)', '2', '3'])
    expect(limited(steps, { maxTokens: 39 })).toEqual({ gists: ['2', '3'], complete: false, tokens: 20 })
    expect(limited(steps, { maxTokens: 9 })).toEqual({ gists: [], complete: false, tokens: 0 })
    expect(limited([], { maxTokens: 0 }).complete).toBe(true)
    const { bytes } = context(steps.slice(3))
    expect(limited(steps, { maxBytes: bytes }).gists).toEqual(['2', '3'])
    expect(limited(steps, { maxBytes: bytes - 1 }).gists).toEqual(['3'])
  })

  test('an older batch that would fit is not shown behind one that does not', () => {
    const big = { ...roleContent(), estimateTokens: (message: RoleMessage) => (gist(message) === '2' ? 100 : 10) }
    expect(buildContext(pathOf<RoleMessage>(steps), big, { maxTokens: 60 }).messages.map(gist)).toEqual(['3'])
  })

  test('the newest batch comes before the checkpoint, the checkpoint before the others', () => {
    const compacted = [...steps, compaction({ firstKeptEntryId: 'e1' }), assistant('4')]
    expect(limited(compacted, { maxTokens: 60 })).toMatchObject({
      gists: ['checkpoint', 'call(a)', 'result(a)', '2', '3', '4'],
      complete: true,
    })
    expect(limited(compacted, { maxTokens: 59 }).gists).toEqual(['checkpoint', '2', '3', '4'])
    expect(limited(compacted, { maxTokens: 20 })).toEqual({ gists: ['checkpoint', '4'], complete: false, tokens: 20 })
    expect(limited(compacted, { maxTokens: 19 }).gists).toEqual(['4'])
    expect(limited([compaction({ firstKeptEntryId: null })], { maxTokens: 9 })).toMatchObject({
      gists: [],
      complete: false,
    })
  })

  test('is a whole number from 0', () => {
    for (const value of [-1, 0.5, Number.NaN, '7' as unknown as number]) {
      expect(() => limited([], { maxTokens: value })).toThrow(TypeError)
      expect(() => limited([], { maxBytes: value })).toThrow(TypeError)
    }
  })
})

describe('the cost', () => {
  const history = Array.from({ length: 1_000 }, (_, i) => user(`old ${i}`))

  test('follows the context: nothing is taken from before what is kept', () => {
    const after = [assistant('x'), user('y')]
    expect(taken([...history, compaction({ firstKeptEntryId: 'e998' }), ...after])).toBe(5)
    expect(taken([...history, compaction({ firstKeptEntryId: null }), ...after])).toBe(3)
    expect(taken([...history, compaction({}), ...after])).toBe(4)
    expect(taken([...history, call('a'), result('a'), compaction({ firstKeptEntryId: 'e1000' }), ...after])).toBe(5)
    // A batch without a first kept entry: one more entry tells that it is over.
    expect(taken([...history, call('a'), result('a'), compaction({}), ...after])).toBe(6)
  })

  test('a budget ends the reading where the caller knows that there is no compaction', () => {
    expect(taken(history, { maxBytes: 100, compacted: false })).toBeLessThan(10)
    expect(taken(history, { maxBytes: 100 })).toBe(1_000)
    expect(
      taken([...history.slice(0, 500), compaction({ firstKeptEntryId: null }), ...history], { maxBytes: 100 }),
    ).toBe(1_001)
  })

  test('tree:38 a path of 10,000 entries with compactions: what is looked at does not grow with the history', () => {
    let looks = 0
    const counting = {
      ...roleContent(),
      read(message: RoleMessage) {
        looks++
        return format.read!(message)
      },
    }
    const steps = Array.from({ length: 10_000 }, (_, i): Step => {
      if (i % 1_000 === 999) return compaction({ firstKeptEntryId: `e${i - 10}` })
      return i % 3 === 0 ? user(`u${i}`) : i % 3 === 1 ? call(`c${i}`) : result(`c${i - 1}`)
    })
    const path: readonly Entry<RoleMessage>[] = pathOf(steps.slice(0, 9_500))
    const { messages } = buildContext(path, counting)
    expect(messages.length).toBeGreaterThan(500)
    expect(looks).toBeLessThan(600)
  })
})
