import { CaseStore } from './case-store.ts'
import type { ContractCase } from './case.ts'
import type { Harness, Need } from './harness.ts'

/** How a case ended that did not fail. */
export interface CaseResult {
  /** Why it was not run: what this harness or adapter lacks. Undefined if it ran and passed. */
  readonly skipped: string | undefined
}

/**
 * Runs one case on a fresh store and resolves if the adapter kept its promise, or if the harness lacks what the case needs: that is
 * then said in `skipped`.
 *
 * Contract
 * - Whatever the case does, every handle that it opened is closed, and then the store is destroyed.
 * - Rejects with what went wrong; if closing or destroying failed too, with an `AggregateError` of all, the case's own first.
 */
export async function runCase(harness: Harness, contractCase: ContractCase): Promise<CaseResult> {
  const store = new CaseStore(await harness.create())
  const errors: unknown[] = []
  let lacking: Need | undefined
  try {
    lacking = await store.lacks(contractCase.needs ?? [])
    if (!lacking) await contractCase.run(store)
  } catch (error) {
    errors.push(error)
  }
  errors.push(...(await store.end()))
  if (errors.length === 1) throw errors[0]
  if (errors.length > 1) {
    throw new AggregateError(errors, `${contractCase.id} on ${harness.name}: ${errors.map(String).join('; then: ')}`)
  }
  return { skipped: lacking && (harness.lacks?.[lacking] ?? DEFAULT_REASONS[lacking]) }
}

const DEFAULT_REASONS: Readonly<Record<Need, string>> = {
  damage: 'the harness has no damage()',
  damageDocument: 'the harness has no damageDocument()',
  vanish: 'the harness has no vanish()',
  crash: 'the harness has no crash()',
  costs: 'the harness has no costs()',
  openFailingNextFlush: 'the harness has no openFailingNextFlush()',
  sharing: 'capabilities.sharing is "none": there is one handle at a time',
}
