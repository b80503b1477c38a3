import { SessionError, type Turn } from '@sessiontree/core'
import { openAdapter, openOn, orders, type Message } from './place.ts'

// A process that knows a session, and is stopped on its way to a write: its last look is done, its PUT not yet sent. What it then finds out, it prints.

const mine = orders()
const { client, adapter } = openAdapter(mine)
const sessions = openOn(adapter)
const session = await sessions.open(mine.id)
await session.context()
const late = { role: 'user', content: 'late' }

async function beginTurn(): Promise<Turn<Message>> {
  const turn = await session.beginTurn({ turnId: 'stopped' })
  await turn.append({ role: 'user', content: 'said' })
  return turn
}

/** What it does, and what it is stopped in. */
const acts: Readonly<Record<string, () => Promise<() => Promise<unknown>>>> = {
  append: async () => () => session.append(late),
  update: async () => () => session.update({ title: 'stopped' }),
  begin: async () => () => beginTurn(),
  async 'append in a turn'() {
    const turn = await beginTurn()
    return () => turn.append(late)
  },
  async 'complete a turn'() {
    const turn = await beginTurn()
    return () => turn.complete()
  },
}

/** Stops this process before its PUT of this number, counted from now. */
function stopBefore(put: number): void {
  let puts = 0
  client.middlewareStack.add(
    (next, context) => async (args) => {
      if ((context as { commandName?: string }).commandName === 'PutObjectCommand' && ++puts === put) {
        process.kill(process.pid, 'SIGSTOP')
        // The signal may take a moment to arrive.
        await new Promise((resolve) => setTimeout(resolve, 100))
      }
      return next(args)
    },
    // Signed and ready.
    { step: 'finalizeRequest', name: 'stop', priority: 'low' },
  )
}

const write = await acts[mine.actor]?.()
stopBefore(mine.count)
const outcome = await write?.().then(
  () => 'written',
  (error: unknown) => (SessionError.is(error) ? `${error.code} ${error.written}` : String(error)),
)
console.log(outcome)
// With what is left of a turn.
await sessions.close()
await adapter.close()
client.destroy()
