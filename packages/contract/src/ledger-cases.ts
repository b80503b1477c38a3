import type { ContractCase } from './case.ts'
import { onLedger, type LedgerCase } from './ledger-case.ts'
import { modelCases } from './ledger-cases/model.ts'
import { storageCases } from './ledger-cases/storage.ts'

/** Every case of the group `ledger`. */
export const ledgerCases: readonly LedgerCase[] = Object.freeze([...modelCases, ...storageCases])

/** What `@sessiontree/ledger` promises, as cases that `runCase` runs. */
export const ledgerContract: readonly ContractCase[] = Object.freeze(ledgerCases.map((one) => onLedger(one)))
