import { WORKSPACE_BASELINE, type LedgerEntry } from './entry.ts'
import type { Ledger } from './ledger.ts'

/** Who may review. */
export const ACCEPTED_PROVIDERS: readonly string[] = Object.freeze(['codex', 'claude', 'command'])

const AGES_A_REVIEW: ReadonlySet<string> = new Set([
  'review_attempt',
  'build',
  'criterion',
  'phase',
  'approval',
  WORKSPACE_BASELINE,
  'fail',
  'cancel',
])

/** What {@link currentReview} found. */
export interface CurrentReview {
  /** The newest review, if nothing came after it that makes it stale. */
  readonly review: LedgerEntry | undefined
  /** What made it stale. */
  readonly staleBecause: LedgerEntry | undefined
  /** Whether the review is current, a pass, and by somebody who may review. */
  readonly isPass: boolean
}

/**
 * Finds the review that counts: the newest one, unless a build, criterion, phase, approval, baseline, attempt, fail or cancel came after it.
 */
export function currentReview(
  ledger: Pick<Ledger, 'entries'>,
  accepted: readonly string[] = ACCEPTED_PROVIDERS,
): CurrentReview {
  for (const entry of ledger.entries.toReversed()) {
    if (entry.type === 'review') return { review: entry, staleBecause: undefined, isPass: isPass(entry, accepted) }
    if (AGES_A_REVIEW.has(entry.type)) return { review: undefined, staleBecause: entry, isPass: false }
  }
  return { review: undefined, staleBecause: undefined, isPass: false }
}

/** Whether a review says `pass` and is by somebody who may review. */
export const isPass = ({ status, provider }: LedgerEntry, accepted: readonly string[]): boolean =>
  status === 'pass' && accepted.includes(provider ?? '')
