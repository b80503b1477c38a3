import { openSessions } from '@sessiontree/core'
import { indexedDb } from '@sessiontree/indexeddb'

const sessions = openSessions(indexedDb('my-agent')) // the database is created at the first use
const session = await sessions.getOrCreate('support-42', { title: 'Lost parcel' })
await session.append({ role: 'user', content: 'Where is my parcel?' })

const { messages } = await session.context() // reload the page: one message more than before
console.log(messages.length)
await sessions.close()
