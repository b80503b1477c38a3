import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { SessionError } from '@sessiontree/core'
import { RequestCounter, type S3Request, type S3Usage } from '@sessiontree/s3'
import { createHandler, type Reply, type UserMessage } from './handler.ts'
import type { InvocationOrders } from './invocation-process.ts'
import { clockOf, openClient, type Place } from './place.ts'

/** What came of one invocation, and what it asked of the bucket; of a killed one without the request that it was killed in. */
export interface Invocation {
  readonly message: UserMessage
  readonly outcome: 'answered' | 'killed' | 'held' | 'lost'
  readonly reply?: Reply
  readonly usage: S3Usage
  readonly dollars: number
}

/** How an invocation may fail and be made again later. */
const AGAIN: Readonly<Record<string, Invocation['outcome']>> = { ACTIVE_TURN: 'held', BUSY: 'held', LEASE_LOST: 'lost' }

/** Invokes the handler in this process, with a client, an adapter and sessions that nobody used before. */
export async function invoke(place: Place, message: UserMessage): Promise<Invocation> {
  const counter = new RequestCounter()
  const client = openClient(place)
  const { bucket, prefix } = place
  const handler = createHandler({ client, bucket, prefix, clock: clockOf(place), onRequest: counter.onRequest })
  const counted = () => ({ message, usage: counter.usage, dollars: counter.dollars() })
  try {
    const reply = await handler(message)
    return { outcome: 'answered', reply, ...counted() }
  } catch (error) {
    const outcome = error instanceof SessionError ? AGAIN[error.code] : undefined
    if (!outcome) throw error
    return { outcome, ...counted() }
  } finally {
    client.destroy()
  }
}

const PROCESS = new URL('invocation-process.ts', import.meta.url)

/** Invokes the handler in a process of its own, which gets SIGKILL in the middle, unless it ends before. */
export async function invokeAndKill({ place, message, kill }: InvocationOrders): Promise<Invocation> {
  const counter = new RequestCounter()
  let reply: Reply | undefined
  let failure: { readonly code?: string; readonly message: string } | undefined
  const orders = JSON.stringify({ place, message, kill } satisfies InvocationOrders)
  const child = spawn(process.execPath, ['--conditions=@sessiontree/source', PROCESS.pathname, orders], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const ended = once(child, 'exit') as Promise<[number | null, string | null]>
  for await (const line of createInterface({ input: child.stdout })) {
    const said = JSON.parse(line) as { request?: S3Request; reply?: Reply; failure?: typeof failure }
    if (said.request) counter.onRequest(said.request)
    reply ??= said.reply
    failure ??= said.failure
  }
  const [code, signal] = await ended
  const counted = { message, usage: counter.usage, dollars: counter.dollars() }
  // What it said before it died has arrived.
  if (reply) return { outcome: 'answered', reply, ...counted }
  if (signal === 'SIGKILL') return { outcome: 'killed', ...counted }
  const outcome = AGAIN[failure?.code ?? '']
  if (!outcome) throw new Error(`An invocation ended with ${code ?? signal}: ${failure?.message ?? 'no answer'}`)
  return { outcome, ...counted }
}
