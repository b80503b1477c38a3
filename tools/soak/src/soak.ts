import { checkHistory } from '@sessiontree/contract/history'
import { PROFILES, type Profile, type ProfileName } from './profiles.ts'
import { SeededRandom } from './seeded-random.ts'
import { sessionSchedule } from './session-schedule.ts'
import { storeSchedule } from './store-schedule.ts'
import type { TargetName } from './targets.ts'
import { World, type WorldOptions } from './world.ts'

const SCHEDULES = { store: storeSchedule, sessions: sessionSchedule } as const

/** Which schedule a run has: calls on the adapter itself, or on sessions. */
export type ScheduleName = keyof typeof SCHEDULES

/** What decides a run, all of it. */
export interface RunOptions {
  readonly seed: number
  readonly target: TargetName
  /** Default: as the seed says. */
  readonly profile?: ProfileName | undefined
  readonly schedule?: ScheduleName | undefined
  readonly onEvent?: WorldOptions['onEvent']
  readonly sabotage?: WorldOptions['sabotage']
}

/** What a run came to. */
export interface Run {
  readonly seed: number
  readonly profile: ProfileName
  readonly schedule: ScheduleName
  readonly violations: readonly string[]
  /** Equal for equal runs: a digest of every event. */
  readonly digest: string
  readonly faults: ReadonlyMap<string, number>
  readonly counts: World['counts']
}

/** Runs one seed from an empty store to the verdict. */
export async function run(options: RunOptions): Promise<Run> {
  const { seed, target, onEvent, sabotage } = options
  const random = new SeededRandom(seed)
  const names = Object.keys(PROFILES) as ProfileName[]
  const drawn = random.pick(names)
  const profile = options.profile ?? drawn
  const schedule = options.schedule ?? (random.chance(0.4) ? 'store' : 'sessions')
  const world = new World({ seed, target, profile: PROFILES[profile], onEvent, sabotage })
  world.log(`seed ${seed} ${target} ${profile} ${schedule}`)
  try {
    if (random.chance(0.8)) await world.time.until(world.prepare())
    await world.time.until(SCHEDULES[schedule](world))
    if (isLinear(PROFILES[profile])) {
      for (const violation of checkHistory(world.history)) world.violate(`history: ${violation.message}`)
    }
  } catch (error) {
    world.violate(`the schedule itself failed: ${error instanceof Error ? error.stack : String(error)}`)
  } finally {
    world.target.destroy()
  }
  const { digest, faults, counts } = world
  return { seed, profile, schedule, violations: world.violations, digest, faults, counts }
}

/** Whether what was seen once stays: not where the power fails, or a flush. */
function isLinear({ powerLosses, disk }: Profile): boolean {
  return powerLosses === 0 && disk.failedFlush === 0
}
