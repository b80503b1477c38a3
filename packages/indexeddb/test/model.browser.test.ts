import { raceRun } from '@sessiontree/contract/history'
import { modelSuite } from '@sessiontree/contract/model'
import { sessionModelSuite } from '@sessiontree/contract/session-model'
import * as fc from 'fast-check'
import { inject, test } from 'vitest'
import { indexedDbHarness } from './harness.ts'

const harness = indexedDbHarness('window')

modelSuite(harness, { test, fc, runs: 25 })
sessionModelSuite(harness, { test, fc, runs: inject('modelRuns') ?? 50 })

test.each([1, 2, 3])(`adapter races: ${harness.name}, seed %d`, async (seed) => {
  await raceRun(harness, { seed, rates: { refused: 0.05, unsent: 0.05, lost: 0.05, late: 0.05, unread: 0.05 } })
})
