import type { ContractCase } from './case.ts'
import { abortCases } from './cases/abort.ts'
import { appendCases } from './cases/append.ts'
import { argumentCases } from './cases/arguments.ts'
import { capabilityCases } from './cases/capabilities.ts'
import { closeCases } from './cases/close.ts'
import { costCases } from './cases/cost.ts'
import { crashCases } from './cases/crash.ts'
import { damageCases } from './cases/damage.ts'
import { documentCases } from './cases/document.ts'
import { dropCases } from './cases/drop.ts'
import { handleCases } from './cases/handles.ts'
import { longListCases } from './cases/list-long.ts'
import { listCases } from './cases/list.ts'
import { longReadCases } from './cases/read-long.ts'
import { readCases } from './cases/read.ts'
import { textCases } from './cases/text.ts'
import { sessionContract } from './session-cases.ts'
import { systemsContract } from './systems-cases.ts'
import { uncertainCases } from './cases/uncertain.ts'
import { vanishCases } from './cases/vanish.ts'

/** Every case of the suite. */
export const cases: readonly ContractCase[] = Object.freeze([
  ...capabilityCases,
  ...appendCases,
  ...uncertainCases,
  ...handleCases,
  ...readCases,
  ...longReadCases,
  ...textCases,
  ...argumentCases,
  ...documentCases,
  ...listCases,
  ...longListCases,
  ...dropCases,
  ...closeCases,
  ...abortCases,
  ...damageCases,
  ...crashCases,
  ...vanishCases,
  ...costCases,
])

const byId: ReadonlyMap<string, ContractCase> = new Map(
  [...cases, ...sessionContract, ...systemsContract].map((one) => [one.id, one]),
)

/** Whether there is a case with this id. */
export function isCaseId(id: string): boolean {
  return byId.has(id)
}

/** The case with this id: a worker can be told which one to run. */
export function caseById(id: string): ContractCase {
  const found = byId.get(id)
  if (!found) throw new TypeError(`No case "${id}"; the ids are ${[...byId.keys()].join(', ')}`)
  return found
}
