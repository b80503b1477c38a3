import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Harness } from '@sessiontree/contract'
import { raceRun } from '@sessiontree/contract/history'
import { modelSuite } from '@sessiontree/contract/model'
import { sessionModelSuite } from '@sessiontree/contract/session-model'
import * as fc from 'fast-check'
import { inject, test } from 'vitest'
import { nodeFs } from '../src/index.ts'

for (const durability of ['process', 'disk'] as const) {
  const harness: Harness = {
    name: `node-fs (${durability})`,
    async create() {
      const root = await mkdtemp(join(tmpdir(), 'sessiontree-model-'))
      return {
        open: async () => nodeFs(root, { durability }),
        destroy: () => rm(root, { recursive: true, force: true }),
      }
    },
  }
  modelSuite(harness, { test, fc, runs: 60 })
  sessionModelSuite(harness, { test, fc, runs: inject('modelRuns') ?? (durability === 'process' ? 200 : 40) })

  test.each([1, 2, 3])(`adapter races: ${harness.name}, seed %d`, async (seed) => {
    await raceRun(harness, { seed, rates: { refused: 0.05, unsent: 0.05, lost: 0.05, late: 0.05, unread: 0.05 } })
  })
}
