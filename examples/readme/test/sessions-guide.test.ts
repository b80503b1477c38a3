import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openSessions, type RoleMessage } from '@sessiontree/core'
import { nodeFs } from '@sessiontree/node-fs'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import * as guide from '../src/sessions-guide.ts'

let folder: string
let printed: string[]

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sessiontree-guide-'))
  printed = []
  vi.spyOn(console, 'log').mockImplementation((...words: unknown[]) => void printed.push(words.map(String).join(' ')))
})

afterEach(async () => {
  vi.restoreAllMocks()
  await rm(folder, { recursive: true })
})

const askModel = async (messages: readonly RoleMessage[]) => ({ role: 'assistant', content: `${messages.length} read` })

test('a turn is recorded, resumed and listed', async () => {
  await guide.recordTurn(folder, askModel)
  await guide.recordTurn(folder, askModel)
  expect((await guide.resume(folder)).map(({ content }) => content)).toEqual([
    'Where is my parcel?',
    '1 read',
    'Where is my parcel?',
    '3 read',
  ])
  await guide.listRecent(folder)
  expect(printed).toEqual([expect.stringMatching(/^\d{4}-.*Z completed Lost parcel$/)])
})

test('what a crash leaves open is recovered, and its calls are named', async () => {
  await guide.recordTurn(folder, askModel)
  await using sessions = openSessions(nodeFs(folder))
  const session = await sessions.open('support-42')
  await guide.useTools(session, () => Promise.reject(new Error('no such parcel')))
  expect((await session.status()).status).toBe('failed')
  const turn = await session.beginTurn()
  const call = { id: 'call-2', type: 'function', function: { name: 'refund', arguments: '{}' } }
  await turn.append({ role: 'assistant', content: null, tool_calls: [call] })
  // As if the process had died: nobody renews the lease or ends the turn.
  await session.releaseTurn({ turnId: turn.id, owner: turn.owner })
  await guide.resume(folder)
  expect(printed).toEqual([`${turn.id}: nobody knows whether refund was done`])
})

test('branches, forks and labels', async () => {
  await using sessions = openSessions(nodeFs(folder))
  const session = await sessions.create('s')
  await guide.branch(session)
  expect(printed.map((line) => line.slice(0, 2))).toEqual(['  ', '* '])
  const other = await guide.fork(session)
  expect((await other.context()).messages.map(({ content }) => content)).toEqual([
    'A name for the dog?',
    'Ada.',
    'And if it were a cat?',
  ])
  expect((await session.context()).messages).toHaveLength(2)
})

test('a long conversation is compacted when it is due', async () => {
  await using sessions = openSessions(nodeFs(folder))
  const session = await sessions.create('s')
  await session.append({ role: 'user', content: 'short' })
  await guide.compactWhenDue(session, askModel)
  await session.append(Array.from({ length: 9 }, () => ({ role: 'user', content: 'x'.repeat(200_000) })))
  await guide.compactWhenDue(session, askModel)
  const { messages, compaction } = await session.context()
  expect([messages.length, (compaction as { summary?: string }).summary]).toEqual([1, '11 read'])
})

test('two workers: one has the session, the other is told who', async () => {
  await using sessions = openSessions(nodeFs(folder))
  const [one, two] = [await sessions.create('s'), await sessions.open('s')]
  let second: boolean | undefined
  const first = await guide.work(one, 'worker-1', async (messages) => {
    second = await guide.work(two, 'worker-2', askModel)
    return askModel(messages)
  })
  expect([first, second]).toEqual([true, false])
  expect(printed).toEqual([expect.stringMatching(/^worker-1 is at work until /)])
})

test('follow and subscribe tell what comes', async () => {
  await using sessions = openSessions(nodeFs(folder))
  const session = await sessions.create('s', { title: 'Live' })
  const controller = new AbortController()
  const showing = guide.show(session, controller.signal)
  const lines: string[] = []
  const end = guide.watchTitle(session, (line) => lines.push(line))
  const { id } = await session.append({ role: 'user', content: 'a' })
  await vi.waitFor(() => expect(printed).toEqual([`user_message ${id}`]), { timeout: 10_000 })
  await vi.waitFor(() => expect(lines.at(-1)).toBe('Live: idle, 1 messages'), { timeout: 10_000 })
  controller.abort()
  await showing
  end()
})

test('a chat is saved from its end', async () => {
  const message = (id: string, role: 'user' | 'assistant', text: string) => ({
    id,
    role,
    parts: [{ type: 'text', text }],
  })
  const chat = [message('1', 'user', 'Hi'), message('2', 'assistant', 'Hello')]
  await guide.saveChat(folder, 'chat', chat)
  await guide.saveChat(folder, 'chat', [...chat, message('3', 'user', 'Bye')])
  await guide.listRecent(folder)
  expect(printed).toEqual([expect.stringContaining('idle')])
})
