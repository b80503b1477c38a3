import type { Harness } from '@sessiontree/contract'
import { contractSuite, sessionSuite, systemsSuite } from '@sessiontree/contract/vitest'
import type { S3Options } from '@sessiontree/s3'
import { contractStore } from './contract-store.ts'
import type { Place } from './servers.ts'

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
