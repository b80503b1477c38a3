import type { Clock } from '@sessiontree/core'
import { checkCount, checkText } from './check-input.ts'
import { checkInstant } from './instant.ts'

const COUNTERS = [
  'inputTokens',
  'outputTokens',
  'totalTokens',
  'thoughtTokens',
  'cacheReadTokens',
  'cacheWriteTokens',
  'contextUsed',
  'contextSize',
] as const
// How full the context is does not add up over turns.
const ADDED = COUNTERS.filter((name) => !name.startsWith('context'))

type Counter = (typeof COUNTERS)[number]
type AddedCounter = Exclude<Counter, 'contextUsed' | 'contextSize'>

/** A report of what a turn has used so far. What is absent or null is not reported, and keeps what was reported before; 0 is a value. */
export type NewTokenUsage = {
  readonly turnId: string
  readonly costAmount?: number | null | undefined
  /** A blank one is not reported. */
  readonly costCurrency?: string | null | undefined
  /** Default: now. */
  readonly timestamp?: string | undefined
} & { readonly [name in Counter]?: number | null | undefined }

/** What a turn has used; null was never reported. */
export type TokenUsage = {
  readonly turnId: string
  readonly costAmount: number | null
  readonly costCurrency: string | null
  /** When it was last reported. */
  readonly timestamp: string
} & { readonly [name in Counter]: number | null }

/** What all turns have used together; null was reported by none. */
export type TokenTotals = {
  /** How many turns reported. */
  readonly turns: number
  /** By currency; a cost without one is under "". */
  readonly costs: Readonly<Record<string, number>>
} & { readonly [name in AddedCounter]: number | null }

/** Checks a report; everything is there afterwards. */
export function checkTokenUsage(usage: NewTokenUsage, clock: Clock): TokenUsage {
  checkText(usage.turnId, 'turnId')
  const { costAmount = null, costCurrency = null } = usage
  if (costAmount !== null && !(Number.isFinite(costAmount) && costAmount >= 0)) {
    throw new TypeError(`costAmount: expected a number from 0, got ${String(costAmount)}`)
  }
  if (costCurrency !== null && typeof costCurrency !== 'string') throw new TypeError('costCurrency: expected a text')
  const counters = Object.fromEntries(COUNTERS.map((name) => [name, checkCount(usage[name], name)]))
  return {
    turnId: usage.turnId,
    ...(counters as Record<Counter, number | null>),
    costAmount,
    costCurrency: costCurrency?.trim() ? costCurrency : null,
    timestamp: checkInstant(usage.timestamp, clock, 'timestamp'),
  }
}

/** Puts a later report over what is known of the same turn. */
export function mergeUsage(known: TokenUsage | undefined, report: TokenUsage): TokenUsage {
  if (!known) return report
  const reported = Object.entries(report).filter(([, value]) => value !== null)
  return { ...known, ...Object.fromEntries(reported) }
}

/** Adds turns up. */
export function totalUsage(turns: readonly TokenUsage[]): TokenTotals {
  const sum = (name: AddedCounter) => {
    const reported = turns.map((turn) => turn[name]).filter((value) => value !== null)
    return reported.length === 0 ? null : reported.reduce((total, value) => total + value, 0)
  }
  const costs = new Map<string, number>()
  for (const { costAmount, costCurrency } of turns) {
    if (costAmount !== null) costs.set(costCurrency ?? '', (costs.get(costCurrency ?? '') ?? 0) + costAmount)
  }
  return {
    turns: turns.length,
    ...(Object.fromEntries(ADDED.map((name) => [name, sum(name as AddedCounter)])) as Record<
      AddedCounter,
      number | null
    >),
    costs: Object.fromEntries(costs),
  }
}
