import type { Harness } from '@sessiontree/contract'
import { contractSuite, sessionSuite, systemsSuite } from '@sessiontree/contract/vitest'
import type { S3Options } from '@sessiontree/s3'
import type { S3Stub } from '@sessiontree/s3-stub'
import { afterAll, beforeAll, describe } from 'vitest'
import { contractStore } from './contract-store.ts'
import { startStub, stubPlace, type Place } from './servers.ts'

/** How {@link registerSuites} runs. */
interface SuiteSettings {
  /** What the client itself repeats. */
  readonly maxAttempts: number
  /** Whether events, ledgers and invocations are tested too. */
  readonly systems: boolean
  readonly options?: Partial<S3Options>
}

/** Registers the suites on a bucket. */
export function registerSuites(name: string, place: () => Place, settings: SuiteSettings): void {
  const { maxAttempts, systems, options = {} } = settings
  const harness: Harness = {
    name,
    lacks: { openFailingNextFlush: 'a server answers or does not; no client is told of a flush' },
    create: () => contractStore(place(), maxAttempts, options),
  }
  contractSuite(harness)
  sessionSuite(harness)
  if (systems) systemsSuite(harness)
}

/** Registers the suites on a stub of their own. A store for one writer is one that takes no notice of conditions. */
export function registerStubSuites(name: string, settings: SuiteSettings & { readonly pageSize: number }): void {
  const { pageSize, options: { singleWriter: ignoreConditions = false } = {} } = settings
  describe(name, () => {
    let stub: S3Stub & AsyncDisposable
    beforeAll(async () => void (stub = await startStub({ pageSize, ignoreConditions })))
    afterAll(() => stub.close())
    registerSuites(name, () => stubPlace(stub), settings)
  })
}
