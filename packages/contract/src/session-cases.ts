import type { ContractCase } from './case.ts'
import { onCore, type SessionCase } from './session-case.ts'
import { contentCases } from './session-cases/content.ts'
import { damageCases } from './session-cases/damage.ts'
import { handleCases } from './session-cases/handles.ts'
import { idCases } from './session-cases/ids.ts'
import { liveCases } from './session-cases/live.ts'
import { removalCases } from './session-cases/removal.ts'
import { appendLines } from './session-cases/tree-append.ts'
import { contentLines } from './session-cases/tree-content.ts'
import { compactionLines, contextLines } from './session-cases/tree-context.ts'
import { deleteLines } from './session-cases/tree-delete.ts'
import { forkLines } from './session-cases/tree-fork.ts'
import { formatLines } from './session-cases/tree-format.ts'
import { listLines } from './session-cases/tree-list.ts'
import { pathLines } from './session-cases/tree-path.ts'
import { recoveryLines } from './session-cases/tree-recovery.ts'
import { resumeLines } from './session-cases/tree-resume.ts'
import { leaseLines } from './session-cases/tree-turns.ts'

/** Every case of the session contract. */
export const sessionCases: readonly SessionCase[] = Object.freeze([
  ...idCases,
  ...contentCases,
  ...handleCases,
  ...removalCases,
  ...damageCases,
  ...liveCases,
  ...appendLines,
  ...pathLines,
  ...listLines,
  ...deleteLines,
  ...forkLines,
  ...contextLines,
  ...compactionLines,
  ...leaseLines,
  ...resumeLines,
  ...recoveryLines,
  ...contentLines,
  ...formatLines,
])

/** The session contract on core itself, as cases that `runCase` runs. */
export const sessionContract: readonly ContractCase[] = Object.freeze(sessionCases.map((one) => onCore(one)))
