import { openSessions, SessionError, shouldCompact, type RoleMessage, type Session } from '@sessiontree/core'
import { aiSdk, type UiMessage } from '@sessiontree/core/ai-sdk'
import { nodeFs } from '@sessiontree/node-fs'

type AskModel = (messages: readonly RoleMessage[]) => Promise<RoleMessage>

export async function recordTurn(folder: string, askModel: AskModel): Promise<void> {
  await using sessions = openSessions(nodeFs(folder))
  const session = await sessions.getOrCreate('support-42', { title: 'Lost parcel' })
  await using turn = await session.beginTurn()
  await turn.append({ role: 'user', content: 'Where is my parcel?' })
  const { messages } = await turn.context()
  await turn.append(await askModel(messages))
  await turn.complete()
}

export async function useTools(session: Session<RoleMessage>, runTool: (name: string) => Promise<string>) {
  await using turn = await session.beginTurn()
  const call = { id: 'call-1', type: 'function', function: { name: 'track', arguments: '{"parcel":7}' } }
  await turn.append({ role: 'assistant', content: null, tool_calls: [call] })
  try {
    const content = await runTool(call.function.name)
    await turn.append({ role: 'tool', tool_call_id: call.id, content })
    await turn.savePoint()
    await turn.complete()
  } catch (error) {
    await turn.fail(error)
  }
}

export async function resume(folder: string): Promise<readonly RoleMessage[]> {
  await using sessions = openSessions(nodeFs(folder))
  const session = await sessions.open('support-42')
  const { recovered } = await session.recover()
  for (const { turnId, unknownCalls } of recovered) {
    for (const { name } of unknownCalls) console.log(`${turnId}: nobody knows whether ${name} was done`)
  }
  const { messages } = await session.context({ maxTokens: 100_000 })
  return messages
}

export async function branch(session: Session<RoleMessage>): Promise<void> {
  const question = await session.append({ role: 'user', content: 'A name for the dog?' })
  await session.append({ role: 'assistant', content: 'Rex.' })
  await session.moveTo(question)
  const second = await session.append({ role: 'assistant', content: 'Ada.' })
  await session.label(second, 'the better one')
  const { branches } = await session.tree()
  for (const { tip, isActive } of branches) console.log(isActive ? '*' : ' ', tip)
}

export async function fork(session: Session<RoleMessage>): Promise<Session<RoleMessage>> {
  const other = await session.fork({ title: 'Another try', requestId: 'click-7' })
  await other.append({ role: 'user', content: 'And if it were a cat?' })
  return other
}

export async function compactWhenDue(session: Session<RoleMessage>, askModel: AskModel): Promise<void> {
  const { tokens } = await session.context()
  if (!shouldCompact(tokens, { contextWindow: 200_000 })) return
  await session.compact({
    summarise: async (messages, { previousSummary = '' }) => {
      const order = { role: 'user', content: `Sum up what matters. Before that: ${previousSummary}` }
      return String((await askModel([...messages, order]))['content'])
    },
  })
}

export async function work(session: Session<RoleMessage>, owner: string, answer: AskModel): Promise<boolean> {
  try {
    await using turn = await session.beginTurn({ owner })
    const { messages } = await turn.context()
    await turn.append(await answer(messages))
    await turn.complete()
    return true
  } catch (error) {
    if (SessionError.is(error, 'ACTIVE_TURN')) console.log(`${error.owner} is at work until ${error.expiresAt}`)
    else if (SessionError.is(error, 'LEASE_LOST')) console.log('another worker took over')
    else throw error
    return false
  }
}

export async function show(session: Session<RoleMessage>, signal: AbortSignal): Promise<void> {
  for await (const entry of session.follow({ after: null, signal })) console.log(entry.type, entry.id)
}

export function watchTitle(session: Session<RoleMessage>, print: (line: string) => void): () => void {
  return session.subscribe(() => {
    const { title, status, messages } = session.snapshot()
    print(`${title}: ${status}, ${messages.length} messages`)
  })
}

export async function saveChat(folder: string, id: string, messages: readonly UiMessage[]): Promise<void> {
  await using sessions = openSessions(nodeFs(folder), { format: aiSdk() })
  const session = await sessions.getOrCreate(id)
  await session.save(messages)
  await session.generateTitle(() => 'A title from your model')
}

export async function listRecent(folder: string): Promise<void> {
  await using sessions = openSessions(nodeFs(folder))
  for await (const { id, title, status, updatedAt } of sessions.list({ limit: 20 })) {
    console.log(updatedAt, status, title ?? id)
  }
}
