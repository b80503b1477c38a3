import { firstBaseline } from './baseline.ts'
import type { Ledger } from './ledger.ts'
import { ACCEPTED_PROVIDERS, isPass } from './review.ts'

/** So many of so many; the rate is 0 where there are none. */
export interface Share {
  readonly count: number
  readonly total: number
  readonly rate: number
}

/** What several ledgers say together. */
export interface LedgerReport {
  readonly ledgers: number
  /** First builds that had a result and went to review at once. */
  readonly firstAttempt: Share
  /** First builds that were blocked, and of those the ones that a later build got through. */
  readonly recovery: Share
  /** Reviews that passed. */
  readonly reviews: Share
  /** Ledgers with a review that failed, of those with a review. */
  readonly challenged: Share
  /** Ledgers that were completed although the latest review was no pass by somebody who may review, of those completed. */
  readonly overridden: Share
  /** Ledgers with a baseline. */
  readonly baselines: Share
  /** How often each gate was closed. */
  readonly blocked: { readonly build: number; readonly review: number; readonly reviewProvider: number }
}

/** Adds ledgers up. */
export function ledgerReport(
  ledgers: readonly Pick<Ledger, 'entries'>[],
  accepted: readonly string[] = ACCEPTED_PROVIDERS,
): LedgerReport {
  const facts = ledgers.map((ledger) => factsOf(ledger, accepted))
  const having = (test: (fact: Facts) => boolean) => facts.filter(test).length
  const sum = (count: (fact: Facts) => number) => facts.reduce((total, fact) => total + count(fact), 0)
  return {
    ledgers: ledgers.length,
    firstAttempt: share(
      having(({ firstBuild }) => firstBuild === 'review'),
      having(({ firstBuild }) => firstBuild !== undefined),
    ),
    recovery: share(
      having(({ isRecovered }) => isRecovered),
      having(({ firstBuild }) => firstBuild === 'blocked'),
    ),
    reviews: share(
      sum(({ passes }) => passes),
      sum(({ reviews }) => reviews),
    ),
    challenged: share(
      having(({ reviews, failures }) => reviews > 0 && failures > 0),
      having(({ reviews }) => reviews > 0),
    ),
    overridden: share(
      having(({ isOverridden }) => isOverridden),
      having(({ isCompleted }) => isCompleted),
    ),
    baselines: share(
      having(({ hasBaseline }) => hasBaseline),
      ledgers.length,
    ),
    blocked: {
      build: sum(({ blockedBuilds }) => blockedBuilds),
      review: sum(({ failures }) => failures),
      reviewProvider: sum(({ failedAttempts }) => failedAttempts),
    },
  }
}

type Facts = ReturnType<typeof factsOf>

function factsOf(ledger: Pick<Ledger, 'entries'>, accepted: readonly string[]) {
  const of = (type: string) => ledger.entries.filter((entry) => entry.type === type)
  const builds = of('build')
  const first = builds.findIndex(({ status }) => status !== undefined && status !== '' && status !== 'active')
  const firstBuild = builds[first]?.status
  const reviews = of('review')
  const latest = reviews.at(-1)
  const isCompleted = of('complete').length > 0
  return {
    firstBuild,
    isRecovered:
      firstBuild === 'blocked' &&
      builds.slice(first + 1).some(({ status }) => status === 'review' || status === 'completed'),
    reviews: reviews.length,
    passes: reviews.filter(({ status }) => status === 'pass').length,
    failures: reviews.filter(({ status }) => status === 'fail').length,
    isCompleted,
    isOverridden: isCompleted && !(latest && isPass(latest, accepted)),
    hasBaseline: firstBaseline(ledger) !== undefined,
    blockedBuilds: builds.filter(({ status }) => status === 'blocked').length,
    failedAttempts: of('review_attempt').filter(({ status }) => status === 'failed').length,
  }
}

const share = (count: number, total: number): Share => ({ count, total, rate: total === 0 ? 0 : count / total })
