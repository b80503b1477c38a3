import type { Entry } from '@sessiontree/core'
import { expect, test } from 'vitest'
import { piMessageType, type PiMessage } from '../src/pi-format.ts'
import { lastTurn } from '../src/unfinished-turn.ts'

function path(...messages: readonly PiMessage[]): Entry<PiMessage>[] {
  return messages.map((message, at) => ({
    id: `e${at}`,
    parentId: at === 0 ? null : `e${at - 1}`,
    createdAt: '2026-01-01T00:00:00.000Z',
    hash: '',
    digest: '',
    position: [0, at],
    type: piMessageType(message) ?? 'user_message',
    message,
  }))
}

const user = { role: 'user', content: 'please' }
const answer = { role: 'assistant', content: [{ type: 'text', text: 'done' }] }
const result = (toolCallId: string) => ({ role: 'toolResult', toolCallId, content: 'ok' })
const call = (...ids: string[]) => ({
  role: 'assistant',
  content: [
    { type: 'text', text: 'let me look' },
    ...ids.map((id) => ({ type: 'toolCall', id, name: 'bash', arguments: { command: id } })),
  ],
})

test('an empty path has no turn', () => {
  expect(lastTurn([])).toBeUndefined()
})

test('a turn begins with the last message of the user', () => {
  const turn = lastTurn(path(user, answer, user, call('a'), result('a')))
  expect(turn).toMatchObject({ start: { id: 'e2' }, before: { id: 'e1' }, unanswered: [] })
})

test('the first turn has nothing before it', () => {
  expect(lastTurn(path(user, answer))).toMatchObject({ start: { id: 'e0' }, before: undefined })
})

test('without a message of the user it is the whole path', () => {
  expect(lastTurn(path(answer, call('a')))).toMatchObject({
    start: { id: 'e0' },
    before: undefined,
    unanswered: [{ callId: 'a' }],
  })
})

test('of several calls in one message those without a result are named', () => {
  const turn = lastTurn(path(user, call('a', 'b', 'c'), result('b')))
  expect(turn?.unanswered).toEqual([
    { entry: expect.objectContaining({ id: 'e1' }), callId: 'a', name: 'bash', given: { command: 'a' } },
    { entry: expect.objectContaining({ id: 'e1' }), callId: 'c', name: 'bash', given: { command: 'c' } },
  ])
})

test('a call of an earlier turn is not asked for again', () => {
  expect(lastTurn(path(user, call('a'), user, call('b'), result('b')))?.unanswered).toEqual([])
})
