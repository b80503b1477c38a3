import type { ContractCase } from './case.ts'
import { appendCases } from './cases/append.ts'
import { argumentCases } from './cases/arguments.ts'
import { capabilityCases } from './cases/capabilities.ts'
import { closeCases } from './cases/close.ts'
import { documentCases } from './cases/document.ts'
import { dropCases } from './cases/drop.ts'
import { listCases } from './cases/list.ts'
import { readCases } from './cases/read.ts'
import { textCases } from './cases/text.ts'

/** Every case of the suite. */
export const cases: readonly ContractCase[] = Object.freeze([
  ...capabilityCases,
  ...appendCases,
  ...readCases,
  ...textCases,
  ...argumentCases,
  ...documentCases,
  ...listCases,
  ...dropCases,
  ...closeCases,
])

const byId: ReadonlyMap<string, ContractCase> = new Map(cases.map((one) => [one.id, one]))

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
