import { openSessions } from '@sessiontree/core'
import { memory } from '@sessiontree/memory'

const sessions = openSessions(memory(), { scope: ['tenant-7'] })
const session = await sessions.getOrCreate('support-42', { title: 'Lost parcel' })

const question = await session.append({ role: 'user', content: 'Where is my parcel?' })
const first = await session.append({ role: 'assistant', content: 'On its way.' })

// Back to the question: what is appended next becomes its second answer, the first stays where it is.
await session.moveTo(question)
await session.append({ role: 'assistant', content: 'At your neighbour.' })

const { messages } = await session.context() // for the model: the question and the second answer
const before = await Array.fromAsync(session.path({ leaf: first })) // the other branch
for await (const { id, title } of sessions.list({ limit: 20 })) console.log(id, title)
await sessions.close()

console.log(messages.length, before.length)
