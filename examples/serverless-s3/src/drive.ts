import { setTimeout as pause } from 'node:timers/promises'
import type { UserMessage } from './handler.ts'
import { invoke, invokeAndKill, type Invocation } from './invocation.ts'
import type { Place } from './place.ts'
import { seeded } from './seeded.ts'

/** What the driver does. */
export interface DriveOptions {
  /** How many user messages there are. */
  readonly messages: number
  readonly sessions: number
  readonly parallel: number
  /** Which share of the messages has its first invocation killed; half of those the second one, too. */
  readonly kills: number
  readonly seed: number
  /** A killed message waits until the lease has run out, instead of taking over from its own killed invocation. */
  readonly waitForLease: boolean
  readonly onInvocation?: (invocation: Invocation) => void
}

// From before the lease is taken to after the turn has ended: some die in each of its steps.
const [FIRST_KILL, LAST_KILL] = [4, 15]
const FIRST_PAUSE = 50
const LONGEST_PAUSE = 1000

interface Job {
  readonly message: UserMessage
  readonly kills: InvocationKill[]
}
type InvocationKill = { readonly request: number; readonly delay: number }

/** Sends all messages, so many at a time, each until it is answered; resolves with every invocation that was needed. */
export async function drive(place: Place, options: DriveOptions): Promise<readonly Invocation[]> {
  const jobs = plan(options).values()
  const invocations: Invocation[] = []
  const note = (invocation: Invocation) => {
    invocations.push(invocation)
    options.onInvocation?.(invocation)
  }
  const worker = async () => {
    for (const job of jobs) await untilAnswered(place, job, options.waitForLease, note)
  }
  await Promise.all(Array.from({ length: options.parallel }, worker))
  return invocations
}

/** The messages in an order in which those of a session meet; the same for the same seed. */
function plan({ messages, sessions, kills, seed }: DriveOptions): Job[] {
  const random = seeded(seed)
  const killed = () => ({ request: FIRST_KILL + Math.floor(random() * (LAST_KILL - FIRST_KILL)), delay: random() * 4 })
  return Array.from({ length: messages }, (_, number) => {
    const session = `session-${Math.floor(random() * sessions)}`
    const message = { session, id: `message-${number}`, text: `Where is parcel ${number}?`, isRetry: false }
    const times = random() < kills ? 1 + Math.floor(random() * 2) : 0
    return { message, kills: Array.from({ length: times }, killed) }
  })
}

/** What a queue does: delivers a message until it is answered, later and later while another one holds the session. */
async function untilAnswered(
  place: Place,
  { message, kills }: Job,
  waitForLease: boolean,
  note: (invocation: Invocation) => void,
): Promise<void> {
  let [isRetry, wait] = [false, FIRST_PAUSE]
  for (;;) {
    const delivered = { ...message, isRetry: isRetry && !waitForLease }
    const kill = kills.shift()
    const invocation = await (kill ? invokeAndKill({ place, message: delivered, kill }) : invoke(place, delivered))
    note(invocation)
    if (invocation.outcome === 'answered') return
    if (invocation.outcome !== 'held') isRetry = true
    else {
      await pause(wait * (0.5 + Math.random()))
      wait = Math.min(2 * wait, LONGEST_PAUSE)
    }
  }
}
