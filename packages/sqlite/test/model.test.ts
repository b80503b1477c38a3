import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Harness } from '@sessiontree/contract'
import { raceRun } from '@sessiontree/contract/history'
import { modelSuite } from '@sessiontree/contract/model'
import { sessionModelSuite } from '@sessiontree/contract/session-model'
import * as fc from 'fast-check'
import { inject, test } from 'vitest'
import { sqlite } from '../src/index.ts'
import { DRIVERS } from './drivers.ts'

for (const [name, driver] of Object.entries(DRIVERS)) {
  const harness: Harness = {
    name: `sqlite on ${name}`,
    async create() {
      const folder = await mkdtemp(join(tmpdir(), 'sessiontree-model-'))
      return {
        open: async () => sqlite(join(folder, 'sessions.db'), { durability: 'process', driver }),
        destroy: () => rm(folder, { recursive: true, force: true }),
      }
    },
  }
  modelSuite(harness, { test, fc, runs: 40 })
  sessionModelSuite(harness, { test, fc, runs: inject('modelRuns') ?? 200 })

  test.each([1, 2])(`adapter races: ${harness.name}, seed %d`, async (seed) => {
    await raceRun(harness, { seed })
  })
}
