import { writeSync } from 'node:fs'
import { createHandler, type UserMessage } from './handler.ts'
import { clockOf, openClient, type Place } from './place.ts'

/** What an invocation in a process of its own is told. */
export interface InvocationOrders {
  readonly place: Place
  readonly message: UserMessage
  /** Which of its requests is its last one, from 1, and how many milliseconds after sending it the process gets SIGKILL. */
  readonly kill: { readonly request: number; readonly delay: number }
}

const { place, message, kill } = JSON.parse(process.argv[2] ?? '') as InvocationOrders
const client = openClient(place)
let requests = 0
client.middlewareStack.add(
  (next) => (args) => {
    const sent = next(args)
    if (++requests === kill.request) setTimeout(() => process.kill(process.pid, 'SIGKILL'), kill.delay)
    return sent
  },
  { step: 'finalizeRequest', priority: 'low' },
)
// At once: what is still in a buffer dies with the process.
const say = (line: unknown) => writeSync(1, `${JSON.stringify(line)}\n`)
const handler = createHandler({
  client,
  bucket: place.bucket,
  prefix: place.prefix,
  clock: clockOf(place),
  onRequest: (request) => say({ request }),
})
try {
  say({ reply: await handler(message) })
} catch (error) {
  const { code, message: text } = error as { code?: string; message: string }
  say({ failure: { code, message: text } })
}
client.destroy()
