import type { S3Stub, S3StubOptions } from '@sessiontree/s3-stub'
import { beforeAll, beforeEach } from 'vitest'
import { openStore, startStub, stubPlace, type Store } from './servers.ts'

/** The stub of the tests that run now. */
export let stub: S3Stub & AsyncDisposable

/** The store of the test that runs now. */
export let store: Store

/** Gives the tests of this file or group one stub, and each of them an empty store in it and an empty log of requests. */
export function useStub(options: S3StubOptions = {}): void {
  beforeAll(async () => {
    stub = await startStub(options)
    return () => stub.close()
  })
  beforeEach(() => {
    store = openStore(stubPlace(stub))
    stub.forget()
    return () => store[Symbol.asyncDispose]()
  })
}
