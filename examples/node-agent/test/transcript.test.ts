import { describe, expect, test } from 'vitest'
import { piFormat } from '../src/pi-format.ts'
import { parseTranscript } from '../src/transcript.ts'

const HEADER = { type: 'session', version: 3, id: 's1', timestamp: '2026-01-02T03:04:05.000Z', cwd: '/home' }

function transcript(...lines: object[]) {
  const entries = lines.map((line, i) => ({ id: `e${i}`, parentId: i === 0 ? null : `e${i - 1}`, ...line }))
  return parseTranscript([HEADER, ...entries].map((line) => JSON.stringify(line)).join('\n'))
}

const message = (role: string, fields: object = {}) => ({ type: 'message', message: { role, content: 'x', ...fields } })
const stored = (line: object) => {
  const { kind, content } = transcript(line).entries[0] ?? {}
  return { kind, content }
}

describe('messages', () => {
  test.each([
    ['user', {}, 'user_message'],
    ['assistant', { content: [{ type: 'text', text: 'x' }] }, 'assistant_message'],
    [
      'assistant',
      {
        content: [
          { type: 'thinking', thinking: 'x' },
          { type: 'toolCall', id: '1' },
        ],
      },
      'tool_call',
    ],
    ['assistant', { content: [] }, 'assistant_message'],
    ['toolResult', { toolCallId: '1' }, 'tool_result'],
    ['system', {}, 'system_message'],
  ])('of %s %j are a %s', (role, fields, type) => {
    const line = message(role, fields)
    expect(stored(line)).toEqual({ kind: `message/${role}`, content: { type, message: line.message } })
    expect(piFormat.type(line.message)).toBe(type)
  })

  test.each(['bashExecution', 'custom', 'somethingNew'])('of the role %s become custom entries, whole', (role) => {
    const line = message(role, { command: 'ls', deep: { er: [1] } })
    expect(stored(line)).toEqual({
      kind: `message/${role}`,
      content: { type: 'custom', name: `message/${role}`, data: line.message },
    })
    expect(() => piFormat.type(line.message)).toThrow(TypeError)
  })

  test('fields beside the message are kept', () => {
    expect(stored({ ...message('user'), note: 'kept' }).content).toMatchObject({
      type: 'user_message',
      metadata: { note: 'kept' },
    })
  })
})

describe('other lines', () => {
  test.each([
    [
      { type: 'model_change', provider: 'p', modelId: 'm' },
      { type: 'model_change', provider: 'p', model: 'm' },
    ],
    [
      { type: 'compaction', summary: 's', firstKeptEntryId: 'e0', tokensBefore: 5, retainedTail: [] },
      { type: 'compaction', summary: 's', firstKeptEntryId: 'e0', metadata: { tokensBefore: 5, retainedTail: [] } },
    ],
    [
      { type: 'branch_summary', summary: 's', fromId: 'e9' },
      { type: 'branch_summary', summary: 's', metadata: { fromId: 'e9' } },
    ],
    [
      { type: 'thinking_level_change', thinkingLevel: 'high' },
      { type: 'custom', name: 'thinking_level_change', data: { thinkingLevel: 'high' } },
    ],
    [
      { type: 'label', targetId: 'e0', label: '🎉' },
      { type: 'custom', name: 'label', data: { targetId: 'e0', label: '🎉' } },
    ],
    [
      { type: 'custom', customType: 'mine', data: 1 },
      { type: 'custom', name: 'custom', data: { customType: 'mine', data: 1 } },
    ],
    [{ type: 'leaf_move' }, { type: 'custom', name: 'leaf_move', data: {} }],
  ])('%j', (line, content) => {
    expect(stored(line)).toEqual({ kind: line.type, content })
  })
})

describe('the session', () => {
  test('keeps the header as metadata', () => {
    const { type: _type, ...header } = HEADER
    expect(transcript()).toMatchObject({ id: 's1', createdAt: HEADER.timestamp, metadata: { source: 'pi', header } })
  })

  test.each([
    [
      'the last name given',
      [message('user'), { type: 'session_info', name: 'a' }, { type: 'session_info', name: 'b' }],
      'b',
    ],
    [
      'the first line of the first question',
      [message('assistant'), message('user', { content: '\n one \ntwo' })],
      'one',
    ],
    ['the id', [message('assistant')], 'pi session s1'],
    [
      'at most 60 columns, cut between characters',
      [message('user', { content: '👍🏽'.repeat(50) })],
      `${'👍🏽'.repeat(29)}…`,
    ],
  ])('has %s as title', (_what, lines, title) => {
    expect(transcript(...lines).title).toBe(title)
  })
})

test.each([
  [
    'a message without a role',
    { type: 'message', message: { content: 'x' } },
    'line 2: expected a message with a role',
  ],
  ['a model without a provider', { type: 'model_change', modelId: 'm' }, 'line 2: expected a text as provider'],
  ['a compaction without a summary', { type: 'compaction' }, 'line 2: expected a text as summary'],
  ['an id too long', { ...message('user'), id: 'x'.repeat(1025) }, 'line 2: the id: expected 1-1024 characters'],
])('refuses %s', (_what, line, problem) => {
  expect(() => transcript(line)).toThrow(problem)
})

test('refuses what nests too deep before anything is written', () => {
  const deep = `${'['.repeat(300)}${']'.repeat(300)}`
  const text = `${JSON.stringify(HEADER)}\n{"type":"custom","id":"a","parentId":null,"data":${deep}}`
  expect(() => parseTranscript(text)).toThrow(/^line 2: .*nested deeper/)
})
