import { afterAll, beforeAll, describe } from 'vitest'
import type { S3Stub } from '@sessiontree/s3-stub'
import { startStub, stubPlace } from './servers.ts'
import { registerSuites } from './suites.ts'

for (const { title, pageSize, maxAttempts, singleWriter = false, systems = false } of [
  // Events, ledgers and invocations ask nothing of a store that the others do not: once on a stub, and on the server.
  { title: 's3 (stub)', pageSize: 1000, maxAttempts: 1, systems: true },
  { title: 's3 (stub, 3 keys a page, a client that repeats)', pageSize: 3, maxAttempts: 3 },
  { title: 's3 (stub without conditions, one writer)', pageSize: 1000, maxAttempts: 1, singleWriter: true },
]) {
  describe(title, () => {
    let stub: S3Stub & AsyncDisposable
    beforeAll(async () => void (stub = await startStub({ pageSize, ignoreConditions: singleWriter })))
    afterAll(() => stub.close())
    registerSuites(title, () => stubPlace(stub), { maxAttempts, systems, options: { singleWriter } })
  })
}
