import type { ContractCase } from './case.ts'
import { onEvents, type EventsCase } from './events-case.ts'
import { damageCases } from './events-cases/damage.ts'
import { followCases } from './events-cases/follow.ts'
import { lifecycleCases } from './events-cases/lifecycle.ts'
import { queryingCases } from './events-cases/querying.ts'
import { readOnlyCases } from './events-cases/read-only.ts'
import { recordingCases } from './events-cases/recording.ts'
import { usageAndHookCases } from './events-cases/usage-and-hooks.ts'

/** Every case of the group `events`. */
export const eventsCases: readonly EventsCase[] = Object.freeze([
  ...recordingCases,
  ...queryingCases,
  ...usageAndHookCases,
  ...lifecycleCases,
  ...readOnlyCases,
  ...damageCases,
  ...followCases,
])

/** What `@sessiontree/events` promises, as cases that `runCase` runs. */
export const eventsContract: readonly ContractCase[] = Object.freeze(eventsCases.map((one) => onEvents(one)))
