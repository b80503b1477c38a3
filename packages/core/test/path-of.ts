import type { Entry } from '../src/index.ts'

/** The content of an entry, with what its envelope may say. */
export interface Step {
  readonly type: string
  readonly id?: string
  readonly turnId?: string
  readonly [field: string]: unknown
}

/** A path of entries, oldest first, each the child of the one before it; ids are e0, e1, … unless given. */
export function pathOf<Message = never>(steps: readonly Step[]): readonly Entry<Message>[] {
  let parentId: string | null = null
  return steps.map((step, at) => {
    const { id = `e${at}`, turnId, ...content } = step
    const entry = {
      id,
      parentId,
      ...(turnId === undefined ? {} : { turnId }),
      createdAt: new Date(1_700_000_000_000 + at * 1000).toISOString(),
      hash: '',
      digest: '',
      position: [0, at],
      ...content,
    }
    parentId = id
    return entry as unknown as Entry<Message>
  })
}

export const user = (content: string): Step => ({ type: 'user_message', message: { role: 'user', content } })
export const assistant = (content: string): Step => ({
  type: 'assistant_message',
  message: { role: 'assistant', content },
})

/** An assistant's message with calls, as OpenAI has it: `call('a')` calls the tool `tool` with the id a. */
export function call(...ids: readonly string[]): Step {
  const calls = ids.map((id) => ({ id, type: 'function', function: { name: 'tool', arguments: '{}' } }))
  return { type: 'tool_call', message: { role: 'assistant', content: null, tool_calls: calls } }
}

export const result = (id: string, content = `result of ${id}`): Step => ({
  type: 'tool_result',
  message: { role: 'tool', tool_call_id: id, content },
})

export const marker = (status: string, turnId: string, fields: object = {}): Step => ({
  type: 'turn_marker',
  status,
  turnId,
  ...fields,
})

export const compaction = (fields: object): Step => ({ type: 'compaction', summary: 'What was.', ...fields })

/** What a message of these says, shortly: its text, `call(a,b)`, `result(a)`. */
export function gist(message: unknown): string {
  const { content, tool_calls, tool_call_id } = message as {
    readonly content: string | null
    readonly tool_calls?: readonly { readonly id: string }[]
    readonly tool_call_id?: string
  }
  if (tool_calls) return `call(${tool_calls.map(({ id }) => id).join(',')})`
  if (tool_call_id !== undefined) return `result(${tool_call_id})`
  const text = String(content)
  return text.includes('<compaction_summary') ? 'checkpoint' : text
}
