import { canonicalJson, checkText, MAX_RECORD_BYTES } from '@sessiontree/core'
import { statusOf, statusWords } from './status.ts'

// What a record log puts around a value, generously.
const ENVELOPE = 256

/** One try within an invocation. */
export interface Attempt {
  readonly attempt: number
  readonly model: string
  readonly verified: boolean
  readonly output_summary?: string
  readonly runner_output?: string
  readonly tier?: string
  readonly duration_ms?: number
  readonly warm_start?: boolean
  readonly verdict?: string
  readonly feedback?: string
  readonly [field: string]: unknown
}

/** One invocation of a skill, as it is stored. Fields that this version does not know are kept. */
export interface Invocation {
  readonly session_id: string
  readonly timestamp: string
  readonly skill: string
  readonly final_status: string
  readonly phase?: string
  readonly project_root?: string
  /** Any JSON value. */
  readonly input?: unknown
  /** In the order in which they were made. */
  readonly attempts?: readonly Attempt[]
  readonly file_path?: string
  readonly model_used?: string
  readonly duration_ms?: number
  readonly message?: string
  readonly [field: string]: unknown
}

/** An attempt as it is given: its number is its place, unless it says another, and it is not verified unless it says so. */
export interface NewAttempt {
  readonly model: string
  readonly attempt?: number | undefined
  readonly verified?: boolean | undefined
  readonly [field: string]: unknown
}

/** An invocation as it is given. */
export interface NewInvocation {
  readonly skill: string
  /** `pass`, `fail`, `skip` or an older word for one of them. Default: what the last attempt says; `skip` without attempts. */
  readonly final_status?: string | undefined
  /** May repeat the session's id; any other is refused. */
  readonly session_id?: string | undefined
  /** RFC 3339. Default: now. */
  readonly timestamp?: string | undefined
  readonly attempts?: readonly NewAttempt[] | undefined
  readonly [field: string]: unknown
}

/**
 * Checks an invocation and fills in what has a default; leaves out what is empty: undefined, `""` and `[]`.
 *
 * @throws {TypeError} naming the field; also for what JSON cannot keep.
 */
export function checkInvocation(invocation: NewInvocation, sessionId: string, now: string): Invocation {
  const { session_id, skill, timestamp, attempts, final_status } = invocation
  if (session_id !== undefined && session_id !== '' && session_id !== sessionId) {
    throw new TypeError(
      `session_id: this is the log of ${JSON.stringify(sessionId)}, not of ${JSON.stringify(session_id)}`,
    )
  }
  if (typeof skill !== 'string' || skill.trim() === '') throw new TypeError('skill: expected a text that is not blank')
  if (timestamp && Number.isNaN(Date.parse(timestamp))) {
    throw new TypeError(`timestamp: expected RFC 3339, got ${JSON.stringify(timestamp)}`)
  }
  if (final_status && !statusOf(final_status)) {
    throw new TypeError(`final_status: ${JSON.stringify(final_status)} is none of ${statusWords().join(', ')}`)
  }
  if (attempts !== undefined && !Array.isArray(attempts)) throw new TypeError('attempts: expected a list')
  const made = attempts?.map(checkAttempt)
  const rest = Object.entries({ ...invocation, attempts: made }).filter(
    ([name, value]) => !isEmpty(value) || name === 'input',
  )
  const stored = {
    ...Object.fromEntries(rest.filter(([, value]) => value !== undefined)),
    session_id: sessionId,
    timestamp: timestamp || now,
    skill,
    final_status: final_status || outcomeOf(made),
  }
  canonicalJson(stored)
  checkText(JSON.stringify(stored), MAX_RECORD_BYTES - ENVELOPE, 'invocation')
  return stored
}

function checkAttempt(attempt: NewAttempt, index: number): Attempt {
  const { model, verified = false, attempt: number = index + 1 } = attempt
  if (typeof model !== 'string') throw new TypeError(`attempts[${index}].model: expected a text`)
  if (typeof verified !== 'boolean') throw new TypeError(`attempts[${index}].verified: expected true or false`)
  if (!Number.isSafeInteger(number)) throw new TypeError(`attempts[${index}].attempt: expected a whole number`)
  const rest = Object.entries(attempt).filter(([, value]) => !isEmpty(value))
  return { ...Object.fromEntries(rest), attempt: number, model, verified }
}

function outcomeOf(attempts: readonly Attempt[] | undefined): string {
  const last = attempts?.at(-1)
  return last === undefined ? 'skip' : last.verified ? 'pass' : 'fail'
}

const isEmpty = (value: unknown) => value === undefined || value === '' || (Array.isArray(value) && value.length === 0)
