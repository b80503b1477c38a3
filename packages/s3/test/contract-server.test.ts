import { beforeAll, describe, test } from 'vitest'
import { noServer, realPlace, serverIsRequired, serverName, type Place } from './servers.ts'
import { registerSuites } from './suites.ts'

if (!noServer) {
  describe(`s3 (${serverName})`, () => {
    let place: Place
    beforeAll(async () => void (place = await realPlace()))
    registerSuites(`s3 (${serverName})`, () => place, { maxAttempts: 3, systems: true })
  })
} else {
  test.skipIf(!serverIsRequired)(`s3 (${serverName}): ${noServer}`, () => {
    throw new Error('SESSIONTREE_REQUIRE names s3, but there is no S3_TEST_ENDPOINT')
  })
}
