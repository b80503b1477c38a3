import type { RoleMessage, Turn } from '@sessiontree/core'

/** Answers what the turn's context ends with, by a script: after a call of a tool, which is on record before its result is. */
export async function runAgent(turn: Turn<RoleMessage>): Promise<string> {
  const { messages } = await turn.context()
  const id = `call-${messages.length}`
  await turn.append({
    role: 'assistant',
    content: '',
    tool_calls: [{ id, type: 'function', function: { name: 'count_questions', arguments: '{}' } }],
  })
  const count = messages.filter(({ role }) => role === 'user').length
  await turn.append({ role: 'tool', tool_call_id: id, content: String(count) })
  const answer = `Question ${count} of this session: ${String(messages.at(-1)?.['content'])}`
  await turn.append({ role: 'assistant', content: answer })
  return answer
}
