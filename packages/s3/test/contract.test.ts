import type { Harness } from '@sessiontree/contract'
import { contractSuite, sessionSuite, systemsSuite } from '@sessiontree/contract/vitest'
import type { S3Options } from '@sessiontree/s3'
import { afterAll, beforeAll, describe, test } from 'vitest'
import type { S3Stub } from '@sessiontree/s3-stub'
import { contractStore } from './contract-store.ts'
import { noServer, realPlace, serverIsRequired, serverName, startStub, stubPlace, type Place } from './servers.ts'

/** One run of both suites; `maxAttempts` is what the client itself repeats. */
function suite(name: string, place: () => Place, maxAttempts: number, options: Partial<S3Options> = {}): void {
  const harness: Harness = {
    name,
    lacks: { openFailingNextFlush: 'a server answers or does not; no client is told of a flush' },
    create: () => contractStore(place(), maxAttempts, options),
  }
  contractSuite(harness)
  sessionSuite(harness)
  systemsSuite(harness)
}

for (const { title, pageSize, maxAttempts, singleWriter = false } of [
  { title: 's3 (stub)', pageSize: 1000, maxAttempts: 1 },
  { title: 's3 (stub, 3 keys a page, a client that repeats)', pageSize: 3, maxAttempts: 3 },
  { title: 's3 (stub without conditions, one writer)', pageSize: 1000, maxAttempts: 1, singleWriter: true },
]) {
  describe(title, () => {
    let stub: S3Stub & AsyncDisposable
    beforeAll(async () => void (stub = await startStub({ pageSize, ignoreConditions: singleWriter })))
    afterAll(() => stub.close())
    suite(title, () => stubPlace(stub), maxAttempts, { singleWriter })
  })
}

if (!noServer) {
  describe(`s3 (${serverName})`, () => {
    let place: Place
    beforeAll(async () => void (place = await realPlace()))
    suite(`s3 (${serverName})`, () => place, 3)
  })
} else {
  test.skipIf(!serverIsRequired)(`s3 (${serverName}): ${noServer}`, () => {
    throw new Error('SESSIONTREE_REQUIRE names s3, but there is no S3_TEST_ENDPOINT')
  })
}
