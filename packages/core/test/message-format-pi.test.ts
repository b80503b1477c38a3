import { memory } from '@sessiontree/memory'
import { describe, expect, test } from 'vitest'
import { buildContext } from '../src/context.ts'
import { piMessages, type PiMessage } from '../src/formats/pi.ts'
import { openSessions } from '../src/index.ts'
import { compaction, pathOf, type Step } from './path-of.ts'
import { seededClock, seededRandom } from './seeded.ts'

const usage = {
  input: 10,
  output: 5,
  cacheRead: 0,
  cacheWrite: 0,
  totalTokens: 15,
  cost: { input: 0.1, output: 0.1, cacheRead: 0, cacheWrite: 0, total: 0.2 },
}
const said = (content: readonly object[], stopReason = 'toolUse') => ({
  role: 'assistant',
  content,
  api: 'anthropic-messages',
  provider: 'anthropic',
  model: 'claude',
  usage,
  stopReason,
  timestamp: 3,
})
const toolCall = (id: string) => ({ type: 'toolCall', id, name: 'bash', arguments: { command: 'ls' } })

const MESSAGES: readonly PiMessage[] = [
  { role: 'user', content: [{ type: 'text', text: 'List it' }], timestamp: 1 } as PiMessage,
  said([{ type: 'thinking', thinking: 'ls', thinkingSignature: 'x' }, toolCall('t1'), toolCall('t2')]),
  {
    role: 'toolResult',
    toolCallId: 't1',
    toolName: 'bash',
    content: [{ type: 'text', text: 'a\nb' }],
    details: { fullOutputPath: '/tmp/out.log' },
    isError: false,
    timestamp: 4,
  } as PiMessage,
  {
    role: 'toolResult',
    toolCallId: 't2',
    toolName: 'bash',
    content: [{ type: 'image', data: 'AAAA', mimeType: 'image/png' }],
    isError: true,
    timestamp: 5,
  } as PiMessage,
  said([{ type: 'text', text: 'Two files.' }], 'stop'),
  {
    role: 'bashExecution',
    command: 'ls',
    output: 'a b',
    exitCode: 0,
    cancelled: false,
    truncated: true,
    fullOutputPath: '/tmp/all.log',
    timestamp: 6,
  } as PiMessage,
  { role: 'custom', customType: 'note', content: 'remember', display: true, timestamp: 7 } as PiMessage,
]

const format = piMessages()
const path = (messages: readonly PiMessage[]) =>
  pathOf<PiMessage>(messages.map((message): Step => ({ type: format.type(message), message })))

describe('messages of pi', () => {
  test('come out as they went in', async () => {
    const sessions = openSessions(memory(), { format, clock: seededClock(), random: seededRandom(1) })
    const session = await sessions.create('s')
    await session.append(MESSAGES)
    expect((await session.context()).messages).toEqual(MESSAGES)
  })

  test('types, calls and results', () => {
    expect(MESSAGES.map((message) => format.type(message))).toEqual([
      'user_message',
      'tool_call',
      'tool_result',
      'tool_result',
      'assistant_message',
      'user_message',
      'user_message',
    ])
    const { segments } = buildContext(path(MESSAGES), format, { purpose: 'ui' })
    expect(segments[1]?.calls).toEqual([
      { id: 't1', name: 'bash' },
      { id: 't2', name: 'bash' },
    ])
    expect(segments.map(({ batch }) => batch)).toEqual([0, 1, 1, 1, 2, 3, 4])
    expect(segments.map(({ preview }) => preview)).toEqual([
      'List it',
      'bash({"command":"ls"}), bash({"command":"ls"})',
      'a\nb',
      '',
      'Two files.',
      'ls\na b',
      'remember',
    ])
    expect(segments.flatMap(({ artifacts }) => artifacts)).toEqual([{ url: '/tmp/out.log' }, { url: '/tmp/all.log' }])
  })

  test('an aborted call goes; the message goes with it if only its thinking is left', () => {
    const aborted = said(
      [
        { type: 'thinking', thinking: 'x' },
        { ...toolCall('t3'), partialJson: '{"comm' },
      ],
      'aborted',
    )
    const { messages, unanswered } = buildContext(path([...MESSAGES, aborted]), format)
    expect(messages).toEqual(MESSAGES)
    expect(unanswered).toMatchObject([{ callId: 't3', name: 'bash' }])
  })

  test('summaries are messages that pi can send', () => {
    const steps = [{ type: 'branch_summary', summary: 'Left.' }, compaction({ firstKeptEntryId: 'e0' })]
    const { messages } = buildContext(pathOf<PiMessage>(steps), format)
    expect(messages[0]).toMatchObject({ role: 'user', content: [{ type: 'text' }], timestamp: 1_700_000_001_000 })
    expect(messages[1]).toMatchObject({
      role: 'assistant',
      content: [{ type: 'text', text: 'Left.' }],
      stopReason: 'stop',
      usage: { totalTokens: 0, cost: { total: 0 } },
      timestamp: 1_700_000_000_000,
    })
    expect(format.type(messages[1] as PiMessage)).toBe('assistant_message')
  })

  test('an unknown role is a TypeError', () => {
    expect(() => format.type({ role: 'widget', timestamp: 0 })).toThrow(/custom entry/)
    expect(() => format.type(undefined as unknown as PiMessage)).toThrow(TypeError)
  })
})
