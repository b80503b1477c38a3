import { randomInt } from 'node:crypto'
import { appendFileSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import { openSessions, SessionError, type RoleMessage, type Session, type Turn } from '@sessiontree/core'
import { nodeFs } from '../../src/node-fs.ts'
import { fastClock } from './fast-clock.ts'

/** What a process that runs this file does: begin turns on one session, until it is released or killed. */
export interface TurnWorkerPlan {
  readonly root: string
  readonly session: string
  readonly name: string
  /** Where it says what was acknowledged: a line of JSON for each {@link Said}. */
  readonly testimony: string
  /** What its clock starts from, in every process the same. */
  readonly start: number
}

/** What a worker was told. */
export type Said =
  | { readonly what: 'begun'; readonly turn: string; readonly epoch: number; readonly recovered: readonly string[] }
  | { readonly what: 'stored'; readonly turn: string; readonly entry: string; readonly at: number }
  | { readonly what: 'ended'; readonly turn: string; readonly status: string }
  | { readonly what: 'lost'; readonly turn: string }

const plan = JSON.parse(process.argv[2] ?? '') as TurnWorkerPlan
const say = (said: Said) => appendFileSync(plan.testimony, `${JSON.stringify(said)}\n`)

const released = new AbortController()
process.stdin.on('end', () => released.abort()).resume()

const sessions = openSessions(nodeFs(plan.root), { clock: fastClock(plan.start) })
const session = await sessions.open(plan.session)
process.stdout.write('up\n')
while (!released.signal.aborted) {
  const turn = await begin(session)
  if (turn) await run(turn)
  else await pause(randomInt(30))
}
await sessions.close()
// The end of what it reads from keeps it alive no longer.
process.stdin.destroy()

async function begin(of: Session<RoleMessage>): Promise<Turn<RoleMessage> | undefined> {
  try {
    const turn = await of.beginTurn({ owner: plan.name, force: randomInt(12) === 0 })
    say({ what: 'begun', turn: turn.id, epoch: turn.epoch, recovered: turn.recovered.map(({ turnId }) => turnId) })
    return turn
  } catch (error) {
    if (SessionError.is(error, 'ACTIVE_TURN')) return undefined
    throw error
  }
}

async function run(turn: Turn<RoleMessage>): Promise<void> {
  try {
    for (let left = randomInt(6); left > 0; left--) {
      const entries = await turn.append(
        Array.from({ length: 1 + randomInt(3) }, () => ({ role: 'user', content: plan.name })),
      )
      for (const { id, position } of entries) say({ what: 'stored', turn: turn.id, entry: id, at: position[1] })
      if (randomInt(4) === 0) await pause(randomInt(20))
      // In the middle of a turn, and for sure.
      if (randomInt(40) === 0) process.kill(process.pid, 'SIGKILL')
    }
    if (randomInt(3) === 0) await turn.context()
    const { status } = await end(turn)
    say({ what: 'ended', turn: turn.id, status })
  } catch (error) {
    if (!SessionError.is(error, 'LEASE_LOST')) throw error
    say({ what: 'lost', turn: turn.id })
  }
}

function end(turn: Turn<RoleMessage>) {
  switch (randomInt(4)) {
    case 0:
      return turn.fail(new Error('by chance'))
    case 1:
      return turn.abort()
    case 2:
      return turn.wait()
    default:
      return turn.complete()
  }
}
