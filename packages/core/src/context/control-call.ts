import { asText, hasFields } from '../formats/content-parts.ts'
import type { ToolCall } from '../message-format.ts'

/** Tools by which an agent ends its turn: which argument says why, and how it is put to the model. */
const CONTROL_TOOLS: ReadonlyMap<string, { readonly argument: string; readonly prefix: string }> = new Map([
  ['ask_user', { argument: 'question', prefix: 'Agent requested user input: ' }],
  ['task_complete', { argument: 'output', prefix: 'Agent completed the task: ' }],
])

/** What a control call says, as text for the model; undefined for a call of any other tool. Arguments that are not as expected are shown as they are. */
export function controlText(call: ToolCall): string | undefined {
  const tool = CONTROL_TOOLS.get(call.name)
  return tool && tool.prefix + (textArgument(call, tool.argument) ?? asText(call.input))
}

/** The question of a call of `ask_user`; undefined if its arguments are not as expected. */
export function questionOf(call: ToolCall): string | undefined {
  return textArgument(call, 'question')
}

function textArgument({ input }: ToolCall, argument: string): string | undefined {
  const value = fieldsOf(input)
  const text = hasFields(value) && Object.hasOwn(value, argument) ? value[argument] : undefined
  return typeof text === 'string' && text.trim() !== '' ? text : undefined
}

function fieldsOf(input: unknown): unknown {
  if (typeof input !== 'string') return input
  try {
    return JSON.parse(input)
  } catch {
    return undefined
  }
}
