import { cases, runCase, type Harness } from '@sessiontree/contract'

/** Runs every case and resolves with the errors of those that failed, by id. */
export async function check(harness: Harness): Promise<Map<string, unknown>> {
  const failed = new Map<string, unknown>()
  for (const one of cases) await runCase(harness, one).catch((error: unknown) => failed.set(one.id, error))
  return failed
}
