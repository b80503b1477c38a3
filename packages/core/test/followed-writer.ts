// A process that appends numbers to a session, so many or until it is killed, and says each of them when it is stored. Started again, it goes on behind what is
// there. Whoever says how many gets `end` behind them.
import { flushCompileCache } from 'node:module'
import { openSessions } from '../src/index.ts'
import { openPlace } from './followed-place.ts'

const [place = '', folder = '', count = 'Infinity'] = process.argv.slice(2)
const adapter = openPlace(place, folder)
const session = await openSessions(adapter).open('s')
let next = 0
for await (const _ of session.entries()) next++
// Killed, it would write nothing, and the next one would strip the types of all files again.
flushCompileCache()
for (const end = next + Number(count); next < end; next++) {
  await session.append({ role: 'user', content: String(next) }, { id: `n${next}` })
  process.stdout.write(`${next}\n`)
}
await session.append({ role: 'user', content: 'end' })
await adapter.close()
