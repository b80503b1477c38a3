import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Harness } from '@sessiontree/contract'
import { modelSuite } from '@sessiontree/contract/model'
import { contractSuite } from '@sessiontree/contract/vitest'
import * as fc from 'fast-check'
import { test } from 'vitest'
import { sqliteStore } from './sqlite-store.ts'

const harness: Harness = {
  name: 'sqlite-store',
  async create() {
    const folder = await mkdtemp(join(tmpdir(), 'sqlite-store-'))
    return {
      open: async () => sqliteStore(join(folder, 'sessions.db')),
      destroy: () => rm(folder, { recursive: true }),
    }
  },
}

contractSuite(harness)
modelSuite(harness, { test, fc, runs: 200 })
