import { describe, test, type TestContext } from 'vitest'
import type { ContractCase } from './case.ts'
import { cases, isCaseId } from './cases.ts'
import type { Harness } from './harness.ts'
import { runCase } from './run-case.ts'
import { sessionContract } from './session-cases.ts'
import { systemsContract } from './systems-cases.ts'

// The race over a bucket takes seconds; what takes this long hangs.
const TIMEOUT = 120_000

/**
 * Registers every case of the adapter contract with vitest.
 *
 * Contract
 * - One test per case, its title starts with the case's id.
 * - A case that needs what the harness or the adapter lacks is reported as skipped, with the reason.
 * - A known gap runs as an expected failure: it fails once the adapter passes, and so does an id that no case has.
 *
 * @example
 * contractSuite({ name: 'memory', create: async () => myEmptyStore() })
 */
export function contractSuite(harness: Harness): void {
  register(`adapter contract: ${harness.name}`, harness, cases)
}

/**
 * Registers every case of the session contract: what core promises, on this adapter. Otherwise like {@link contractSuite}.
 *
 * @example
 * sessionSuite({ name: 'memory', create: async () => myEmptyStore() })
 */
export function sessionSuite(harness: Harness): void {
  register(`session contract: ${harness.name}`, harness, sessionContract)
}

/**
 * Registers what `@sessiontree/events`, `@sessiontree/ledger` and `@sessiontree/invocations` promise, on this adapter. Otherwise like {@link contractSuite}.
 *
 * @example
 * systemsSuite({ name: 'memory', create: async () => myEmptyStore() })
 */
export function systemsSuite(harness: Harness): void {
  register(`systems contract: ${harness.name}`, harness, systemsContract)
}

function register(title: string, harness: Harness, list: readonly ContractCase[]): void {
  const gaps = new Map(harness.knownGaps?.map((gap) => [gap.id, gap.reason]))
  describe(title, () => {
    for (const one of list) registerCase(harness, one, gaps.get(one.id))
    for (const id of gaps.keys()) {
      if (isCaseId(id)) continue
      test(`${id}: known gap of no case`, () => {
        throw new TypeError(`knownGaps names "${id}", which is the id of no case; remove it or correct it`)
      })
    }
  })
}

function registerCase(harness: Harness, one: ContractCase, knownGap: string | undefined): void {
  const title = `${one.id}: ${one.title}`
  const run = async (context: TestContext) => {
    const { skipped } = await runCase(harness, one)
    if (skipped !== undefined) context.skip(skipped)
  }
  if (knownGap === undefined) test(title, { timeout: TIMEOUT }, run)
  else test.fails(`${title} (known gap: ${knownGap})`, { timeout: TIMEOUT }, run)
}
