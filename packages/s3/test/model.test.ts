import type { Harness } from '@sessiontree/contract'
import { raceRun } from '@sessiontree/contract/history'
import { modelSuite } from '@sessiontree/contract/model'
import { sessionModelSuite } from '@sessiontree/contract/session-model'
import type { S3Stub } from '@sessiontree/s3-stub'
import * as fc from 'fast-check'
import { afterAll, beforeAll, describe, inject, test } from 'vitest'
import { noServer, openStore, realPlace, serverName, startStub, stubPlace, type Place } from './servers.ts'

// A drop keeps its last slots taken, not all of them: a writer who missed more than the record that closed the log may write into it.
const lateAppends = 'refused or garbage'

// Small pages, so that a listing of a few names takes several.
describe('s3 (stub, 3 keys a page)', () => {
  let stub: S3Stub & AsyncDisposable
  beforeAll(async () => void (stub = await startStub({ pageSize: 3 })))
  afterAll(() => stub.close())

  const harness: Harness = {
    name: 's3 (stub, 3 keys a page)',
    async create() {
      const store = openStore(stubPlace(stub))
      return { open: async () => store.open(), destroy: async () => store[Symbol.asyncDispose]() }
    },
  }
  modelSuite(harness, { test, fc, runs: 25 })
  sessionModelSuite(harness, { test, fc, lateAppends, runs: inject('modelRuns') ?? 20 })

  test.each([1, 2, 3])(`adapter races: ${harness.name}, seed %d`, async (seed) => {
    await raceRun(harness, { seed, rates: { refused: 0.05, unsent: 0.05, lost: 0.05, late: 0.05, unread: 0.05 } })
  })
})

describe.skipIf(noServer)(`s3 (${serverName})`, () => {
  let place: Place
  beforeAll(async () => void (place = await realPlace()))

  const harness: Harness = {
    name: `s3 (${serverName})`,
    async create() {
      const store = openStore(place)
      return { open: async () => store.open(), destroy: async () => store[Symbol.asyncDispose]() }
    },
  }
  sessionModelSuite(harness, { test, fc, lateAppends, runs: inject('modelRuns') ?? 2 })
})
