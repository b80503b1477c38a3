import { cases, runCase, type Harness } from '@sessiontree/contract'

/** Runs every case and resolves with what did not pass, by id: the error, or why it was skipped. */
export async function check(harness: Harness): Promise<Map<string, unknown>> {
  const notPassed = new Map<string, unknown>()
  for (const one of cases) {
    const outcome = await runCase(harness, one).then(
      ({ skipped }) => skipped,
      (error: unknown) => error,
    )
    if (outcome !== undefined) notPassed.set(one.id, outcome)
  }
  return notPassed
}
