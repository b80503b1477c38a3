import { SessionError, type Clock } from '@sessiontree/core'
import { checkCount, checkText, checkWord } from './check-input.ts'
import { checkInstant, comparable } from './instant.ts'

/** What a hook can run on. */
export const HOOK_EVENTS = [
  'session.pre_create',
  'session.post_create',
  'session.pre_start',
  'session.post_start',
  'session.pre_stop',
  'session.post_stop',
  'session.resume',
  'session.clear',
  'session.fork',
  'session.error',
  'session.idle',
  'session.message_persisted',
  'turn.start',
  'turn.end',
  'turn.retry',
  'turn.cancel',
  'turn.error',
  'turn.recover',
  'prompt.pre_submit',
  'prompt.post_submit',
  'prompt.rewrite',
  'prompt.reject',
  'input.received',
  'input.validated',
  'input.rejected',
  'input.attachment',
  'message.start',
  'message.delta',
  'message.end',
  'message.error',
  'message.persisted',
  'thought.start',
  'thought.delta',
  'thought.end',
  'tool.pre_call',
  'tool.post_call',
  'tool.progress',
  'tool.error',
  'tool.timeout',
  'tool.denied',
  'tool.result',
  'permission.request',
  'permission.granted',
  'permission.denied',
  'permission.expired',
  'permission.escalated',
  'model.pre_call',
  'model.post_call',
  'model.retry',
  'model.error',
  'model.fallback',
  'agent.spawn',
  'agent.start',
  'agent.end',
  'agent.error',
  'agent.handoff',
  'context.pre_compact',
  'context.post_compact',
  'context.overflow',
  'context.injected',
  'memory.read',
  'memory.write',
  'memory.evict',
  'file.pre_read',
  'file.post_read',
  'file.pre_write',
  'file.post_write',
  'file.deleted',
  'plan.update',
  'plan.complete',
] as const
/** Where a hook comes from. */
export const HOOK_SOURCES = ['native', 'config', 'agent_definition', 'skill'] as const
/** Whether the agent waited for it. */
export const HOOK_MODES = ['sync', 'async'] as const
/** What came of it. */
export const HOOK_OUTCOMES = ['applied', 'denied', 'failed', 'skipped', 'dropped', 'rejected'] as const

export type HookEvent = (typeof HOOK_EVENTS)[number]
export type HookSource = (typeof HOOK_SOURCES)[number]
export type HookMode = (typeof HOOK_MODES)[number]
export type HookOutcome = (typeof HOOK_OUTCOMES)[number]

/** One run of a hook, as it is recorded. */
export interface NewHookRun {
  readonly hookName: string
  readonly event: HookEvent
  readonly source: HookSource
  readonly mode: HookMode
  /** Nanoseconds. */
  readonly duration: number
  readonly outcome: HookOutcome
  /** How many hooks called one another before it. Default 0. */
  readonly dispatchDepth?: number | undefined
  /** What it changed: any JSON value. Whether such payloads may be kept is decided by whoever records. */
  readonly patchApplied?: unknown
  readonly error?: string | undefined
  /** Default false. */
  readonly required?: boolean | undefined
  /** Default: now. */
  readonly recordedAt?: string | undefined
  /** May repeat the session's id; any other is refused. */
  readonly sessionId?: string | undefined
}

/** One run of a hook, as it is stored. */
export interface HookRun {
  readonly id: string
  readonly hookName: string
  readonly event: HookEvent
  readonly source: HookSource
  readonly mode: HookMode
  readonly duration: number
  readonly outcome: HookOutcome
  readonly dispatchDepth: number
  readonly patchApplied?: unknown
  readonly error?: string
  readonly required: boolean
  readonly recordedAt: string
}

/** Which runs. All conditions must hold. */
export interface HookRunQuery {
  /** Must be the session's own id, or blank. */
  readonly sessionId?: string | undefined
  readonly event?: HookEvent | undefined
  readonly outcome?: HookOutcome | undefined
  /** From this moment on, inclusive. */
  readonly since?: string | undefined
  /** The latest so many. 0, the default: all. */
  readonly limit?: number | undefined
}

/** Checks a run; everything that has a default is there afterwards. */
export function checkHookRun(run: NewHookRun, clock: Clock): Omit<HookRun, 'id'> {
  const { patchApplied, error, required = false } = run
  if (typeof required !== 'boolean') throw new TypeError('required: expected true or false')
  if (error !== undefined && typeof error !== 'string') throw new TypeError('error: expected a text')
  const duration = checkCount(run.duration, 'duration')
  if (duration === null) throw new TypeError('duration: expected whole nanoseconds')
  return {
    hookName: checkText(run.hookName, 'hookName'),
    ...checkWords(run),
    duration,
    dispatchDepth: checkCount(run.dispatchDepth, 'dispatchDepth') ?? 0,
    ...(patchApplied === undefined ? {} : { patchApplied }),
    ...(error === undefined ? {} : { error }),
    required,
    recordedAt: checkInstant(run.recordedAt, clock, 'recordedAt'),
  }
}

/** Checks a stored run again: another program may have written it. */
export function checkStoredRun(run: HookRun): HookRun {
  try {
    checkWords(run)
    comparable(run.recordedAt, 'recordedAt')
    return run
  } catch (cause) {
    throw new SessionError('CORRUPT', `Hook run ${JSON.stringify(run.id)} is malformed: ${(cause as Error).message}`, {
      cause,
    })
  }
}

/** Picks the runs that a query asks for, ordered by when they were recorded; equal times in the order of recording. */
export function selectRuns(
  runs: readonly HookRun[],
  { event, outcome, since, limit }: HookRunQuery,
): readonly HookRun[] {
  const from = since === undefined || since === '' ? '' : comparable(since, 'since')
  const times = new Map(runs.map((run) => [run, comparable(run.recordedAt, 'recordedAt')]))
  const timeOf = (run: HookRun) => times.get(run) as string
  const found = runs
    .filter(
      (run) =>
        (event === undefined || run.event === event) &&
        (outcome === undefined || run.outcome === outcome) &&
        timeOf(run) >= from,
    )
    // Stable: equal times stay as they are.
    .toSorted((a, b) => (timeOf(a) < timeOf(b) ? -1 : timeOf(a) > timeOf(b) ? 1 : 0))
  return limit ? found.slice(-limit) : found
}

/** Checks the words and numbers of a query. */
export function checkHookRunQuery({ event, outcome, since, limit }: HookRunQuery): void {
  if (event !== undefined) checkWord(event, HOOK_EVENTS, 'event')
  if (outcome !== undefined) checkWord(outcome, HOOK_OUTCOMES, 'outcome')
  if (since !== undefined && since !== '') comparable(since, 'since')
  checkCount(limit, 'limit')
}

function checkWords(
  run: Pick<NewHookRun, 'event' | 'source' | 'mode' | 'outcome'>,
): Pick<HookRun, 'event' | 'source' | 'mode' | 'outcome'> {
  return {
    event: checkWord(run.event, HOOK_EVENTS, 'event'),
    source: checkWord(run.source, HOOK_SOURCES, 'source'),
    mode: checkWord(run.mode, HOOK_MODES, 'mode'),
    outcome: checkWord(run.outcome, HOOK_OUTCOMES, 'outcome'),
  }
}
