import { openSync, writeSync } from 'node:fs'
import { recording } from '@sessiontree/contract/history'
import { SessionError } from '@sessiontree/core'
import { monotonic, openAdapter, openOn, orders } from './place.ts'

// A process that appends messages to a session that others append to as well, and writes down every call on the store and what became of each message.

const mine = orders()
const { id, actor, count, history } = mine
const file = openSync(history, 'a')
const note = (line: object) => void writeSync(file, `${JSON.stringify(line)}\n`)
const { client, adapter } = openAdapter(mine)
const session = await openOn(recording(adapter, { actor, time: monotonic, write: note })).open(id)
for (let n = 0; n < count; n++) {
  const text = `${actor}-${n}`
  try {
    await session.append({ role: 'user', content: text }, { onConflict: 'rebase', id: text })
    note({ text, became: 'acknowledged' })
  } catch (error) {
    if (!SessionError.is(error)) throw error
    note({ text, became: error.written, code: error.code })
  }
}
await adapter.close()
client.destroy()
