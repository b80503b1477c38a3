import { memory } from '@sessiontree/memory'
import { describe, expect, test } from 'vitest'
import { buildContext } from '../src/context.ts'
import { aiSdk, modelMessages, type ModelMessage, type UiMessage } from '../src/formats/ai-sdk.ts'
import { openSessions, type MessageFormat } from '../src/index.ts'
import { compaction, pathOf, type Step } from './path-of.ts'
import { seededClock, seededRandom } from './seeded.ts'

/** As `ai` 6 writes them: the parts that `onEnd` hands over, with every kind of part that there is. */
const UI_MESSAGES = [
  {
    id: 'u1',
    role: 'user',
    metadata: { sentAt: '2026-11-21T10:00:00.000Z' },
    parts: [
      { type: 'text', text: 'Weather in Graz?' },
      { type: 'file', mediaType: 'image/png', filename: 'map.png', url: 'https://example.org/map.png' },
    ],
  },
  {
    id: 'a1',
    role: 'assistant',
    parts: [
      { type: 'step-start' },
      {
        type: 'reasoning',
        text: 'The tool knows.',
        state: 'done',
        providerMetadata: { anthropic: { signature: 'x' } },
      },
      { type: 'text', text: 'Looking.', state: 'done' },
      {
        type: 'tool-weather',
        toolCallId: 'c1',
        state: 'output-available',
        input: { city: 'Graz' },
        output: { sky: 'sun' },
      },
      {
        type: 'dynamic-tool',
        toolName: 'mcp',
        toolCallId: 'c2',
        state: 'output-error',
        rawInput: '{',
        errorText: 'broken',
      },
      { type: 'step-start' },
      { type: 'source-url', sourceId: 's', url: 'https://example.org' },
      { type: 'data-chart', id: 'd', data: [1, 2] },
      { type: 'text', text: 'Sun.', state: 'done' },
    ],
  },
  { id: 'u2', role: 'user', parts: [{ type: 'text', text: 'Thanks' }] },
] as const
const UI: readonly UiMessage[] = UI_MESSAGES

const MODEL_MESSAGES = [
  { role: 'system', content: 'Be brief.' },
  { role: 'user', content: [{ type: 'text', text: 'Delete it' }] },
  {
    role: 'assistant',
    content: [
      { type: 'reasoning', text: 'hm', providerOptions: { openai: { itemId: 'rs_1' } } },
      { type: 'tool-call', toolCallId: 'c1', toolName: 'remove', input: { path: 'a' } },
      { type: 'tool-approval-request', approvalId: 'p1', toolCallId: 'c1' },
      { type: 'tool-call', toolCallId: 'c2', toolName: 'search', input: {}, providerExecuted: true },
      { type: 'tool-result', toolCallId: 'c2', toolName: 'search', output: { type: 'json', value: [1] } },
    ],
  },
  {
    role: 'tool',
    content: [{ type: 'tool-approval-response', approvalId: 'p1', approved: true }],
  },
  {
    role: 'tool',
    content: [
      { type: 'tool-result', toolCallId: 'c1', toolName: 'remove', output: { type: 'error-text', value: 'no' } },
    ],
  },
  { role: 'assistant', content: 'It failed.' },
] as const
const MODEL: readonly ModelMessage[] = MODEL_MESSAGES

const path = <Message>(format: MessageFormat<Message>, messages: readonly Message[]) =>
  pathOf<Message>(messages.map((message): Step => ({ type: format.type(message), message })))
const shown = <Message>(format: MessageFormat<Message>, messages: readonly Message[]) =>
  buildContext(path(format, messages), format)

async function throughStore<Message>(format: MessageFormat<Message>, messages: readonly Message[]) {
  const sessions = openSessions(memory(), { format, clock: seededClock(), random: seededRandom(1) })
  const session = await sessions.create('s')
  for (const message of messages) await session.append(message)
  return (await session.context()).messages
}

describe('UIMessage', () => {
  const format = aiSdk()

  test('comes out as it went in', async () => {
    expect(await throughStore(format, UI)).toEqual(UI)
  })

  test('types, and what it consists of', () => {
    expect(UI.map((message) => format.type(message))).toEqual(['user_message', 'tool_call', 'user_message'])
    const [question, answer] = UI.map((message) => format.read!(message))
    expect(question).toEqual({
      text: 'Weather in Graz?',
      calls: [],
      results: [],
      attachments: [{ mediaType: 'image/png', name: 'map.png', url: 'https://example.org/map.png' }],
    })
    expect(answer).toEqual({
      text: 'Looking.\nSun.',
      calls: [
        { id: 'c1', name: 'weather', input: { city: 'Graz' } },
        { id: 'c2', name: 'mcp', input: '{' },
      ],
      results: [
        { callId: 'c1', own: 0, text: '{"sky":"sun"}' },
        { callId: 'c2', own: 1, text: 'broken' },
      ],
      attachments: [],
    })
  })

  test.each(['input-streaming', 'input-available', 'approval-requested'])(
    'a call in state %s is left out, the rest stays',
    (state) => {
      const [question, answer] = UI as [UiMessage, UiMessage]
      const open = { type: 'tool-weather', toolCallId: 'c3', state, input: {} }
      const reasoning = { type: 'reasoning', text: 'Once more.' }
      const stopped = { ...answer, parts: [...answer.parts, { type: 'step-start' }, reasoning, open] }
      const { messages, unanswered } = shown(format, [question, stopped])
      expect(messages).toEqual([question, answer])
      expect(unanswered).toEqual([{ entryId: 'e1', callId: 'c3', name: 'weather', underWay: true }])
      const onlyThat = { ...answer, parts: [{ type: 'step-start' }, reasoning, open] }
      expect(shown(format, [question, onlyThat]).messages).toEqual([question])
    },
  )

  test.each(['output-denied', 'approval-responded'])('a call in state %s stands', (state) => {
    const answer = {
      id: 'a',
      role: 'assistant' as const,
      parts: [{ type: 'tool-x', toolCallId: 'c', state, input: {}, approval: { id: 'p', approved: false } }],
    }
    expect(shown(format, [answer])).toMatchObject({ messages: [answer], unanswered: [] })
    const followed = shown(format, [answer, UI[2] as UiMessage]).messages
    expect(followed).toEqual(state === 'output-denied' ? [answer, UI[2]] : [UI[2]])
  })

  test('tree:21 a control call becomes a UIMessage of its own, behind what its message says', () => {
    const ask = { type: 'tool-ask_user', toolCallId: 'q', state: 'input-available', input: { question: 'Which one?' } }
    const answer = { ...(UI[1] as UiMessage), parts: [...(UI[1] as UiMessage).parts, { type: 'step-start' }, ask] }
    const { messages, segments, unanswered } = shown(format, [answer])
    expect(messages).toEqual([
      UI[1],
      {
        id: 'e0-call-2',
        role: 'assistant',
        parts: [{ type: 'text', text: 'Agent requested user input: Which one?' }],
      },
    ])
    expect(segments.map(({ kind }) => kind)).toEqual(['message', 'control_signal'])
    expect(unanswered).toEqual([])
  })

  test('a branch summary and a checkpoint are UIMessages with ids of their own', () => {
    const steps = [{ type: 'branch_summary', summary: 'Left.' }, compaction({ firstKeptEntryId: 'e0' })]
    const { messages } = buildContext(pathOf<UiMessage>(steps), format)
    expect(messages).toMatchObject([
      { id: 'e1', role: 'user', parts: [{ type: 'text' }] },
      { id: 'e0', role: 'assistant', parts: [{ type: 'text', text: 'Left.' }] },
    ])
  })

  test('what is none is a TypeError that says what to use', () => {
    expect(() => format.type(MODEL[0] as unknown as UiMessage)).toThrow(/modelMessages/)
    expect(() => format.type({ id: 'x', role: 'tool' as 'user', parts: [] })).toThrow(TypeError)
    expect(() => format.type(null as unknown as UiMessage)).toThrow(TypeError)
  })
})

describe('ModelMessage', () => {
  const format = modelMessages()

  test('comes out as it went in, with approvals and tools of the provider', async () => {
    expect(await throughStore(format, MODEL)).toEqual(MODEL)
    expect(shown(format, MODEL).unanswered).toEqual([])
    expect(MODEL.map((message) => format.type(message))).toEqual([
      'system_message',
      'user_message',
      'tool_call',
      'tool_result',
      'tool_result',
      'assistant_message',
    ])
  })

  test('a call that waits for its approval is left out; one that was approved stands', () => {
    const waiting = shown(format, MODEL.slice(0, 3))
    expect(waiting.unanswered).toMatchObject([{ callId: 'c1', name: 'remove', underWay: true }])
    expect(waiting.messages[2]?.content).toEqual([MODEL_MESSAGES[2].content[0], ...MODEL_MESSAGES[2].content.slice(3)])
    expect(shown(format, MODEL.slice(0, 4)).messages).toEqual(MODEL.slice(0, 4))
  })

  test('a call that was approved and never ran is left out, with the approval, once something follows', () => {
    const next: ModelMessage = { role: 'user', content: 'Never mind.' }
    const { messages, unanswered } = shown(format, [...MODEL.slice(1, 4), next])
    expect(messages.map(({ role }) => role)).toEqual(['user', 'assistant', 'user'])
    expect(JSON.stringify(messages)).not.toMatch(/c1|p1/)
    expect(unanswered).toMatchObject([{ callId: 'c1', underWay: false }])
  })

  test('an approval of nothing is left out', () => {
    expect(shown(format, [MODEL[1] as ModelMessage, MODEL[3] as ModelMessage]).messages).toEqual([MODEL[1]])
  })

  test('of several results in one message only the orphan goes', () => {
    const content = [
      { type: 'tool-result', toolCallId: 'x', toolName: 'x', output: { type: 'text', value: '' } },
      ...MODEL_MESSAGES[4].content,
    ]
    const messages = [MODEL[2], MODEL[3], { role: 'tool', content }] as readonly ModelMessage[]
    expect(shown(format, messages).messages).toEqual([MODEL[2], MODEL[3], MODEL[4]])
  })

  test('what is none is a TypeError that says what to use', () => {
    expect(() => format.type(UI[0] as unknown as ModelMessage)).toThrow(/aiSdk/)
    expect(() => format.type({ role: 'developer' as 'user', content: 'x' })).toThrow(TypeError)
  })
})
