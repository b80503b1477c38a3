import { SessionError } from '@sessiontree/core'
import { openAdapter, openOn, orders } from './place.ts'

// A process that knows a session, and is stopped on its way to a write: its last look is done, its PUT not yet sent. What it then finds out, it prints.

const mine = orders()
const { client, adapter } = openAdapter(mine)
const session = await openOn(adapter).open(mine.id)
await session.context()
let armed = true
client.middlewareStack.add(
  (next, context) => async (args) => {
    if (armed && (context as { commandName?: string }).commandName === 'PutObjectCommand') {
      armed = false
      process.kill(process.pid, 'SIGSTOP')
      // The signal may take a moment to arrive.
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
    return next(args)
  },
  // Signed and ready.
  { step: 'finalizeRequest', name: 'stop', priority: 'low' },
)
const write =
  mine.actor === 'update' ? session.update({ title: 'stopped' }) : session.append({ role: 'user', content: 'stopped' })
const outcome = await write.then(
  () => 'written',
  (error: unknown) => (SessionError.is(error) ? `${error.code} ${error.written}` : String(error)),
)
console.log(outcome)
await adapter.close()
client.destroy()
