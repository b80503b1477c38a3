import { contractSuite } from '@sessiontree/contract/vitest'
import { afterAll, beforeAll, describe, test } from 'vitest'
import type { S3Stub } from '@sessiontree/s3-stub'
import {
  loseNextPut,
  noServer,
  openStore,
  realPlace,
  serverIsRequired,
  serverName,
  startStub,
  stubPlace,
  type Place,
} from './servers.ts'

/** One run of the suite; `maxAttempts` is what the client itself repeats. */
function suite(name: string, place: () => Place, maxAttempts: number): void {
  contractSuite({
    name,
    async create() {
      const store = openStore(place())
      return {
        open: async () => store.open({ client: store.newClient({ maxAttempts }) }),
        async openLosingNextAnswer() {
          const client = store.newClient({ maxAttempts })
          loseNextPut(client)
          return store.open({ client })
        },
        destroy: async () => store[Symbol.asyncDispose](),
      }
    },
  })
}

for (const { title, pageSize, maxAttempts } of [
  { title: 's3 (stub)', pageSize: 1000, maxAttempts: 1 },
  { title: 's3 (stub, 3 keys a page, a client that repeats)', pageSize: 3, maxAttempts: 3 },
]) {
  describe(title, () => {
    let stub: S3Stub & AsyncDisposable
    beforeAll(async () => void (stub = await startStub({ pageSize })))
    afterAll(() => stub.close())
    suite(title, () => stubPlace(stub), maxAttempts)
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
