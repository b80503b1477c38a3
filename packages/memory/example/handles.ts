import { openSessions } from '@sessiontree/core'
import { memory, MemoryStore } from '@sessiontree/memory'

const store = new MemoryStore()
const sessions = openSessions(memory({ store }))
const session = await sessions.getOrCreate('support-42')
await session.append({ role: 'user', content: 'Where is my parcel?' })

const elsewhere = openSessions(memory({ store })) // another handle on the same store
const { messages } = await (await elsewhere.open('support-42')).context()
console.log(messages) // [{ role: 'user', content: 'Where is my parcel?' }]
