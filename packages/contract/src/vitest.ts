import { describe, test } from 'vitest'
import { cases, isCaseId } from './cases.ts'
import type { Harness } from './harness.ts'
import { runCase } from './run-case.ts'

// The race over a bucket takes seconds; what takes this long hangs.
const TIMEOUT = 60_000

/**
 * Registers every case of the adapter contract with vitest.
 *
 * Contract
 * - One test per case, its title starts with the case's id.
 * - A known gap runs as an expected failure: it fails once the adapter passes, and so does an id that no case has.
 *
 * @example
 * contractSuite({ name: 'memory', create: async () => myEmptyStore() })
 */
export function contractSuite(harness: Harness): void {
  const gaps = new Map(harness.knownGaps?.map((gap) => [gap.id, gap.reason]))
  describe(`adapter contract: ${harness.name}`, () => {
    for (const one of cases) {
      const reason = gaps.get(one.id)
      const title = `${one.id}: ${one.title}`
      if (reason === undefined) test(title, { timeout: TIMEOUT }, () => runCase(harness, one))
      else test.fails(`${title} (known gap: ${reason})`, { timeout: TIMEOUT }, () => runCase(harness, one))
    }
    for (const id of gaps.keys()) {
      if (isCaseId(id)) continue
      test(`${id}: known gap of no case`, () => {
        throw new TypeError(`knownGaps names "${id}", which is the id of no case; remove it or correct it`)
      })
    }
  })
}
