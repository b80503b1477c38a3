import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import type { Clock, Session } from '@sessiontree/core'
import type { Place, Store } from '../servers.ts'
import { briskClock, type Message, type Orders } from './place.ts'

/** The session that the process knows. */
export const ID = 'stopped'

/** For how many seconds it is stopped before others act. */
export const SECONDS = Number(process.env['SESSIONTREE_S3_STOPPED'] ?? 0)

// What a lease lasts, and how long after it clocks may still differ.
const LEASE_SECONDS = 35

/** The clock of the others: by it, the lease of who was stopped has run out. Ahead, unless it is left to run out. */
export const clockOfOthers: Clock = {
  ...briskClock,
  now: () => briskClock.now() + (SECONDS > LEASE_SECONDS ? 0 : 2 * LEASE_SECONDS * 1000),
}

export interface Stopped {
  readonly place: Place
  readonly store: Store
  /** What it does: see `stopped.ts`. */
  readonly actor: string
  /** Before which of its PUTs it is stopped. */
  readonly put: number
}

/** Starts the process, waits until it has stopped and for as long as it is to be, lets others act, and lets it go on; resolves with what it was told. */
export async function whileStopped(
  { place, store, actor, put }: Stopped,
  act: () => Promise<unknown>,
): Promise<string> {
  const orders: Orders = { place, prefix: store.prefix, id: ID, actor, count: put, history: '' }
  const child = spawn(
    process.execPath,
    ['--conditions=@sessiontree/source', '--no-warnings', join(import.meta.dirname, 'stopped.ts')],
    { env: { ...process.env, ORDERS: JSON.stringify(orders) }, stdio: ['ignore', 'pipe', 'inherit'] },
  )
  let said = ''
  child.stdout.on('data', (text: Buffer) => void (said += text.toString()))
  const ended = once(child, 'close')
  try {
    const state = async () => /^\d+ \(.*\) (\S)/.exec(await readFile(`/proc/${child.pid}/stat`, 'utf8'))?.[1]
    // Who ends without having been stopped has said what it was told.
    while (child.exitCode === null && (await state()) !== 'T') await pause(20)
    await pause(SECONDS * 1000)
    await act()
    child.kill('SIGCONT')
    await ended
  } finally {
    // Only if something went wrong before.
    child.kill('SIGKILL')
  }
  return said.trim()
}

/** What was said on the path to the leaf. */
export async function contents(session: Session<Message>): Promise<string[]> {
  const found: string[] = []
  for await (const { message } of session.path() as AsyncIterable<{ message?: Message }>)
    if (message) found.push(message.content)
  return found
}
