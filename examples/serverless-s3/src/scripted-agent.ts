import type { RoleMessage } from '@sessiontree/core'

interface ToolCall {
  readonly id: string
  readonly input: string
}

/** What a model says next: calls its tool once for each question, then answers with what the tool said. */
export function nextMessage(
  messages: readonly RoleMessage[],
  turnId: string,
): { readonly message: RoleMessage; readonly call?: ToolCall } {
  const last = messages.at(-1)
  if (last?.role === 'tool') return { message: { role: 'assistant', content: `I looked: ${String(last['content'])}.` } }
  const question = messages.findLast(({ role }) => role === 'user')
  const call = { id: `call-${turnId}`, input: String(question?.['content']) }
  const asked = { id: call.id, type: 'function', function: { name: 'look_up', arguments: JSON.stringify(call.input) } }
  return { message: { role: 'assistant', content: null, tool_calls: [asked] }, call }
}

/** Looks something up: takes a while, and may be done twice. A tool that may not gets the user message's id as its own idempotency key. */
export async function runTool({ input }: ToolCall): Promise<string> {
  await Promise.resolve()
  return `parcel ${input.length * 7} is on its way`
}
