import { openSessions, type RoleMessage } from '@sessiontree/core'
import { nodeFs } from '@sessiontree/node-fs'

await using sessions = openSessions(nodeFs('./sessions'))
const session = await sessions.getOrCreate('support-42', { title: 'Lost parcel' })
const question = await session.append({ role: 'user', content: 'Where is my parcel?' })
const { messages } = await session.context()
await session.append(await callModel(messages))
await session.moveTo(question) // the same question, another answer
await session.append(await callModel(messages))
for await (const entry of session.path()) console.log(entry.type, entry.id)

async function callModel(history: readonly RoleMessage[]): Promise<RoleMessage> {
  return { role: 'assistant', content: `An answer to ${history.length} message(s).` }
}
