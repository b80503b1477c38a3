import type { ContractCase } from './case.ts'
import { onCore, type SessionCase } from './session-case.ts'
import { contentCases } from './session-cases/content.ts'
import { damageCases } from './session-cases/damage.ts'
import { handleCases } from './session-cases/handles.ts'
import { idCases } from './session-cases/ids.ts'
import { removalCases } from './session-cases/removal.ts'

/** Every case of the session contract. */
export const sessionCases: readonly SessionCase[] = Object.freeze([
  ...idCases,
  ...contentCases,
  ...handleCases,
  ...removalCases,
  ...damageCases,
])

/** The session contract on core itself, as cases that `runCase` runs. */
export const sessionContract: readonly ContractCase[] = Object.freeze(sessionCases.map((one) => onCore(one)))
