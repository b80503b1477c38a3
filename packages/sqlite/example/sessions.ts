import { openSessions } from '@sessiontree/core'
import { sqlite } from '@sessiontree/sqlite'

const sessions = openSessions(sqlite('./sessions.db')) // made at the first use
const session = await sessions.getOrCreate('support-42', { title: 'Lost parcel' })
await session.append({ role: 'user', content: 'Where is my parcel?' })

const { messages } = await session.context() // run it again: one message more than before
console.log(messages.length)
await sessions.close()
