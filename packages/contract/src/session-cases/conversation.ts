import type { Entry, PathOptions, RoleMessage, Session } from '@sessiontree/core'
import { collect } from '../reading.ts'

/** A session of role/content messages. */
export type Conversation = Session<RoleMessage>

/** What a user says. */
export const user = (content: unknown): RoleMessage => ({ role: 'user', content })

/** What the model says. */
export const assistant = (content: unknown): RoleMessage => ({ role: 'assistant', content })

/** The model's call of several tools at once: pairs of the call's id and the tool's name. */
export const calls = (...tools: readonly (readonly [id: string, name: string, input?: string])[]): RoleMessage => ({
  role: 'assistant',
  content: null,
  tool_calls: tools.map(([id, name, input = '{}']) => ({ id, type: 'function', function: { name, arguments: input } })),
})

/** What a tool answers. */
export const result = (id: string): RoleMessage => ({ role: 'tool', tool_call_id: id, content: `result of ${id}` })

/** Appends a message for each text, one after the other, under the text as its id. */
export async function say(session: Conversation, ...texts: readonly string[]): Promise<Entry<RoleMessage>[]> {
  const said = []
  for (const text of texts) said.push(await session.append(user(text), { id: text }))
  return said
}

export const idsOf = (entries: readonly { readonly id: string }[]): string[] => entries.map(({ id }) => id)

/** The ids on a path. */
export async function pathOf(session: Conversation, options?: PathOptions): Promise<string[]> {
  return idsOf(await collect(session.path(options)))
}

/** The ids of all branches. */
export async function entriesOf(session: Conversation): Promise<string[]> {
  return idsOf(await collect(session.entries()))
}
