import { memory } from '@sessiontree/memory'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { buildContext } from '../src/context.ts'
import { aiSdk, modelMessages } from '../src/formats/ai-sdk.ts'
import { piMessages } from '../src/formats/pi.ts'
import { openSessions } from '../src/index.ts'
import {
  checkMessage,
  roleContent,
  type MessageFormat,
  type RoleMessage,
  type StandardSchema,
} from '../src/message-format.ts'
import { pathOf, type Step } from './path-of.ts'
import { seededClock, seededRandom } from './seeded.ts'

const format = roleContent()
const typed = (message: RoleMessage): Step => ({ type: format.type(message), message })
const shown = (messages: readonly RoleMessage[]) => buildContext(pathOf<RoleMessage>(messages.map(typed)), format)

/** One exchange with two calls, in the shape of each API. */
const EXCHANGES: Readonly<Record<string, readonly RoleMessage[]>> = {
  OpenAI: [
    { role: 'user', content: 'Weather?' },
    {
      role: 'assistant',
      content: 'Looking.',
      tool_calls: [
        { id: 'call_1', type: 'function', function: { name: 'weather', arguments: '{"city":"Graz"}' } },
        { id: 'call_2', type: 'function', function: { name: 'weather', arguments: '{"city":"Linz"}' } },
      ],
    },
    { role: 'tool', tool_call_id: 'call_1', content: 'sun' },
    { role: 'tool', tool_call_id: 'call_2', content: 'rain' },
    { role: 'assistant', content: 'Sun and rain.' },
  ],
  Anthropic: [
    { role: 'user', content: 'Weather?' },
    {
      role: 'assistant',
      content: [
        { type: 'thinking', thinking: 'hm', signature: 'x' },
        { type: 'text', text: 'Looking.' },
        { type: 'tool_use', id: 'toolu_1', name: 'weather', input: { city: 'Graz' } },
        { type: 'tool_use', id: 'toolu_2', name: 'weather', input: { city: 'Linz' } },
      ],
    },
    {
      role: 'user',
      content: [
        { type: 'tool_result', tool_use_id: 'toolu_1', content: 'sun' },
        { type: 'tool_result', tool_use_id: 'toolu_2', content: [{ type: 'text', text: 'rain' }], is_error: false },
      ],
    },
    { role: 'assistant', content: [{ type: 'text', text: 'Sun and rain.' }] },
  ],
  'AI SDK': [
    { role: 'user', content: [{ type: 'text', text: 'Weather?' }] },
    {
      role: 'assistant',
      content: [
        { type: 'text', text: 'Looking.' },
        { type: 'tool-call', toolCallId: '1', toolName: 'weather', input: { city: 'Graz' } },
        { type: 'tool-call', toolCallId: '2', toolName: 'weather', input: { city: 'Linz' } },
      ],
    },
    {
      role: 'tool',
      content: [
        { type: 'tool-result', toolCallId: '1', toolName: 'weather', output: { type: 'text', value: 'sun' } },
        { type: 'tool-result', toolCallId: '2', toolName: 'weather', output: { type: 'text', value: 'rain' } },
      ],
    },
    { role: 'assistant', content: 'Sun and rain.' },
  ],
  Ollama: [
    { role: 'user', content: 'Weather?' },
    {
      role: 'assistant',
      content: 'Looking.',
      tool_calls: [
        { function: { name: 'weather', arguments: { city: 'Graz' } } },
        { function: { name: 'weather', arguments: { city: 'Linz' } } },
      ],
    },
    { role: 'tool', tool_name: 'weather', content: 'sun' },
    { role: 'tool', tool_name: 'weather', content: 'rain' },
    { role: 'assistant', content: 'Sun and rain.' },
  ],
}

describe.each(Object.entries(EXCHANGES))('role and content as %s has them', (_, messages) => {
  test('types, text, calls and results', () => {
    const results = messages.filter((message) => format.type(message) === 'tool_result')
    expect(messages.map((message) => format.type(message))).toEqual([
      'user_message',
      'tool_call',
      ...results.map(() => 'tool_result'),
      'assistant_message',
    ])
    const read = messages.map((message) => format.read!(message))
    expect(read[0]?.text).toBe('Weather?')
    expect(read[1]?.text).toBe('Looking.')
    expect(read[1]?.calls.map(({ name }) => name)).toEqual(['weather', 'weather'])
    expect(read.flatMap((parts) => parts.results.map(({ text }) => text))).toEqual(['sun', 'rain'])
    expect(new Set(read.flatMap((parts) => parts.results.map(({ callId }) => callId)))).toEqual(
      new Set(read[1]?.calls.map(({ id }) => id)),
    )
    expect(read.at(-1)?.text).toBe('Sun and rain.')
  })

  test('a whole exchange comes out as it went in, through a store too', async () => {
    const { messages: out, unanswered } = shown(messages)
    expect(out).toEqual(messages)
    expect(unanswered).toEqual([])
    const sessions = openSessions(memory(), { clock: seededClock(), random: seededRandom(1) })
    const session = await sessions.create('s')
    await session.append(messages)
    expect((await session.context()).messages).toEqual(messages)
  })

  test('without results the calls go and the text stays', () => {
    const { messages: out, unanswered } = shown(messages.slice(0, 2))
    expect(out).toHaveLength(2)
    expect(format.read!(out[1] as RoleMessage)).toMatchObject({ text: 'Looking.', calls: [] })
    expect(format.type(out[1] as RoleMessage)).toBe('assistant_message')
    expect(unanswered.map(({ name }) => name)).toEqual(['weather', 'weather'])
  })

  test('results without their calls go', () => {
    expect(shown([messages[0] as RoleMessage, ...messages.slice(2)]).messages).toEqual([messages[0], messages.at(-1)])
  })
})

describe('role and content', () => {
  test('of a call that is left out its reasoning goes too, unless something follows it', () => {
    const thinking = { type: 'thinking', thinking: 'hm' }
    const use = (id: string) => ({ type: 'tool_use', id, name: 'tool', input: {} })
    const omitted = { calls: new Set([1]), results: new Set<number>() }
    const without = (content: readonly unknown[]) =>
      format.without!({ role: 'assistant', content }, omitted)?.['content']
    expect(without([thinking, use('a'), thinking, use('b')])).toEqual([thinking, use('a')])
    expect(without([use('a'), use('b'), { type: 'text', text: 'x' }])).toEqual([use('a'), { type: 'text', text: 'x' }])
    const none = { calls: new Set([0]), results: new Set<number>() }
    expect(format.without!({ role: 'assistant', content: [thinking, use('a')] }, none)).toBeUndefined()
    const blank = { type: 'text', text: ' ' }
    expect(format.without!({ role: 'assistant', content: [thinking, blank, use('a')] }, none)).toBeUndefined()
    expect(format.without!({ role: 'assistant', content: '', tool_calls: [{ id: 'a' }] }, none)).toBeUndefined()
  })

  test('a message that looks odd is read, not refused', () => {
    for (const content of [
      null,
      undefined,
      7,
      {},
      [null, 7, 'text', { type: 7 }, { type: 'tool_use' }, { type: 'tool_result' }],
    ]) {
      for (const role of ['user', 'assistant', 'tool']) expect(() => format.read!({ role, content })).not.toThrow()
    }
    expect(format.read!({ role: 'assistant', content: ['text', null] }).text).toBe('text')
    expect(format.read!({ role: 'assistant', tool_calls: [null, { id: 'a' }] }).calls).toEqual([
      { id: 'a', name: '', input: undefined },
    ])
  })

  test('server tools of Anthropic answer within one message', () => {
    const search: RoleMessage = {
      role: 'assistant',
      content: [
        { type: 'server_tool_use', id: 's1', name: 'web_search', input: { query: 'x' } },
        { type: 'web_search_tool_result', tool_use_id: 's1', content: [] },
        { type: 'text', text: 'found' },
      ],
    }
    expect(shown([search]).messages).toEqual([search])
    const cut = { ...search, content: (search['content'] as readonly unknown[]).slice(0, 1) }
    expect(shown([cut]).messages).toEqual([])
  })

  test('attachments: data is none of the references', () => {
    const content = [
      { type: 'image_url', image_url: { url: 'https://e.org/a.png' } },
      { type: 'image_url', image_url: { url: 'data:image/png;base64,AAAA' } },
      { type: 'image', source: { type: 'base64', media_type: 'image/png', data: 'AAAA' } },
      { type: 'image', source: { type: 'url', url: 'https://e.org/b.png' } },
      { type: 'file', data: 'AAAA', mediaType: 'application/pdf', filename: 'a.pdf' },
      { type: 'text', text: 'x' },
    ]
    expect(format.read!({ role: 'user', content }).attachments).toEqual([
      { url: 'https://e.org/a.png' },
      {},
      { mediaType: 'image/png' },
      { url: 'https://e.org/b.png' },
      { mediaType: 'application/pdf', name: 'a.pdf' },
    ])
  })
})

test.each([roleContent(), aiSdk(), modelMessages(), piMessages()] as readonly MessageFormat<never>[])(
  'format $id: for any JSON it reads, and leaves parts out, without throwing',
  (looked) => {
    const types = [
      'tool-call',
      'tool-result',
      'tool_use',
      'tool_result',
      'toolCall',
      'text',
      'thinking',
      'dynamic-tool',
      'tool-x',
      'image',
    ]
    const part = fc.oneof(
      fc.jsonValue(),
      fc.record(
        {
          type: fc.constantFrom(...types),
          id: fc.jsonValue(),
          toolCallId: fc.jsonValue(),
          tool_use_id: fc.jsonValue(),
          state: fc.constantFrom('output-available', 'input-available', 'output-error'),
          input: fc.jsonValue(),
          output: fc.jsonValue(),
          content: fc.jsonValue(),
          text: fc.jsonValue(),
        },
        { requiredKeys: [] },
      ),
    )
    const field = fc.oneof(fc.jsonValue(), fc.array(part))
    const message = fc.oneof(
      fc.jsonValue(),
      fc.record(
        {
          role: fc.constantFrom('user', 'assistant', 'tool', 'toolResult', 'bashExecution', 'compactionSummary'),
          content: field,
          parts: field,
          tool_calls: field,
          details: fc.jsonValue(),
        },
        { requiredKeys: [] },
      ),
    )
    fc.assert(
      fc.property(fc.array(message, { maxLength: 6 }), (messages) => {
        const steps = messages.map((each, i): Step => {
          return { type: ['user_message', 'tool_call', 'tool_result'][i % 3] as string, message: each }
        })
        const { segments, entries } = buildContext(pathOf(steps), looked, { purpose: 'ui' })
        expect(segments).toHaveLength(entries.length)
        // What is left has nothing more to leave out: each call and result that a segment names has its partner.
        for (const { calls, results, batch } of segments) {
          const others = segments.filter((other) => other.batch === batch)
          for (const { id } of calls)
            expect(others.some((o) => o.results.some(({ callId }) => callId === id))).toBe(true)
          for (const { callId } of results)
            expect(others.some((o) => o.calls.some(({ id }) => id === callId))).toBe(true)
        }
      }),
      { numRuns: 1_000 },
    )
  },
)

describe('checkMessage', () => {
  const schema = (
    issues: readonly { message: string; path?: readonly (string | number | { key: string })[] }[] | undefined,
  ) =>
    ({
      '~standard': { version: 1, vendor: 'test', validate: (value: unknown) => (issues ? { issues } : { value }) },
    }) as StandardSchema<RoleMessage>
  const message = { role: 'user', content: 'x' }

  test('resolves without a schema and for what is right', async () => {
    await expect(checkMessage(format, message)).resolves.toBeUndefined()
    await expect(checkMessage({ ...format, schema: schema(undefined) }, message)).resolves.toBeUndefined()
  })

  test('names each issue with its place', async () => {
    const issues = [{ message: 'too short', path: ['content', 0, { key: 'text' }] }, { message: 'odd' }]
    await expect(checkMessage({ ...format, schema: schema(issues) }, message)).rejects.toThrow(
      new TypeError('message.content.0.text: too short; message: odd'),
    )
  })

  test('a schema may take its time', async () => {
    const slow = {
      '~standard': { version: 1, vendor: 'test', validate: async () => ({ issues: [{ message: 'late' }] }) },
    } as const
    await expect(checkMessage({ ...format, schema: slow }, message)).rejects.toThrow('message: late')
  })

  test.each([
    ['at once', () => ({ issues: [{ message: 'refused' }] })],
    ['later', async () => ({ issues: [{ message: 'refused' }] })],
  ])('is asked before anything is written: an answer that comes %s', async (_when, validate) => {
    const strict = { ...format, schema: { '~standard': { version: 1, vendor: 'test', validate } } } as const
    const session = await openSessions(memory(), { format: strict }).create('s')
    await expect(session.append(message)).rejects.toThrow('message: refused')
    await expect(session.append([message, message])).rejects.toThrow('message: refused')
    await expect(session.save([message])).rejects.toThrow('message: refused')
    const turn = await session.beginTurn()
    await expect(turn.append(message)).rejects.toThrow('message: refused')
    await turn.complete()
    expect((await session.context()).messages).toEqual([])
  })

  test('is asked about what is stored, whatever the caller makes of it meanwhile', async () => {
    const slow = {
      '~standard': { version: 1, vendor: 'test', validate: async (value: unknown) => ({ value }) },
    } as const
    const session = await openSessions(memory(), {
      format: { ...format, schema: slow as StandardSchema<RoleMessage> },
    }).create('s')
    const own = { role: 'user', content: 'as it was' }
    const appending = session.append(own)
    own.content = 'changed'
    await appending
    expect((await session.context()).messages).toEqual([{ role: 'user', content: 'as it was' }])
  })
})
