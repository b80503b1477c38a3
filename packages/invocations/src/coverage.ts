import type { JsonObject } from '@sessiontree/core'
import type { Matcher } from './filter.ts'
import type { Invocation } from './invocation.ts'

/**
 * What a session's log may hold, as its document says: widened before the record that needs it is appended, so it is never too narrow.
 */
export interface Coverage extends JsonObject {
  /** The skills; `*` alone once there are too many to name. */
  readonly skills: readonly string[]
  /** The first and last day, UTC. */
  readonly first: string
  readonly last: string
}

const ANY = '*'
const MOST_SKILLS = 64
const DAY = 24 * 60 * 60 * 1000

/** Widens what is covered so that these are; undefined if they are already. */
export function widened(covered: JsonObject | undefined, invocations: readonly Invocation[]): Coverage | undefined {
  const known = covered as Partial<Coverage> | undefined
  const skills = new Set(known?.skills)
  let { first, last } = known ?? {}
  let isWider = known?.skills === undefined
  for (const { skill: named, timestamp } of invocations) {
    // An imported record may lack anything.
    const skill = String(named ?? '')
    if (!skills.has(ANY) && !skills.has(skill)) {
      skills.add(skill)
      isWider = true
    }
    const day = dayOf(timestamp)
    if (first === undefined || day < first) [first, isWider] = [day, true]
    if (last === undefined || day > last) [last, isWider] = [day, true]
  }
  if (!isWider || first === undefined || last === undefined) return undefined
  const kept = skills.size > MOST_SKILLS || skills.has(ANY) ? [ANY] : [...skills]
  return { ...covered, skills: kept, first, last }
}

/** Whether a log that covers this may hold something that matches. */
export function mayMatch(covered: JsonObject | undefined, { skill, from, to }: Matcher): boolean {
  const { skills = [ANY], first, last } = (covered ?? {}) as Partial<Coverage>
  if (skill !== undefined && !skills.includes(ANY) && !skills.includes(skill)) return false
  if (first === undefined || last === undefined) return true
  return Date.parse(first) < to && Date.parse(last) + DAY > from
}

// What has no time, or one from before all calendars, is on the first day of all.
function dayOf(timestamp: string): string {
  const moment = Date.parse(timestamp)
  return Number.isNaN(moment) || moment < 0 ? '1970-01-01' : new Date(moment).toISOString().slice(0, 10)
}
