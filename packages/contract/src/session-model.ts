import { openSessions } from '@sessiontree/core'
import type { Harness } from './harness.ts'
import type { ModelRunOptions, RegisterTest } from './model.ts'
import type { OpenSessions } from './session-case.ts'
import { SessionRun, type LateAppends } from './session-model/run.ts'
import { arbitrarySessionStep, type SessionStep } from './session-model/step.ts'

/** Options of {@link sessionModelRun}. */
export interface SessionModelRunOptions extends ModelRunOptions {
  /** How sessions are opened on a handle. Default: core's own `openSessions`. */
  readonly open?: OpenSessions
  /**
   * What becomes of an append by a handle that lags behind when its session is deleted. Default: `refused`. A store that keeps no trace of each
   * record of a dropped log may acknowledge it into a log that nobody names (`[drop.late]`): the session stays deleted.
   */
  readonly lateAppends?: LateAppends
}

/**
 * Runs random steps on sessions and on a plain model of them, and compares the two: two handles that append, branch, move the leaf, label, fork, delete, run
 * turns, take over from one another, crash between two calls and in the middle of one, and open again. Resolves if they always agreed.
 *
 * Contract
 * - Rejects with fast-check's report: the seed, the path, and the smallest steps that it found to fail.
 * - The same seed and options take the same steps. Steps follow one another; time passes only by steps.
 * - After a crash in the middle of a call the call has taken effect as a whole, or not at all, or as far as its protocol allows.
 * - Works on two handles at a time, on one if `capabilities.sharing` is `"none"`.
 *
 * @example
 * test('sessions', () => sessionModelRun({ name: 'mine', create: async () => myEmptyStore() }, { fc, runs: 200 }))
 */
export async function sessionModelRun(harness: Harness, options: SessionModelRunOptions): Promise<void> {
  const { fc, seed, path, runs = 100, steps = 40, open = openSessions, lateAppends = 'refused' } = options
  const isAlone = await sharesNothing(harness)
  const step = arbitrarySessionStep(fc, isAlone ? 1 : 2)
  const property = fc.asyncProperty(fc.array(step, { maxLength: steps, size: 'max' }), (taken) =>
    run(harness, { isAlone, open, lateAppends }, taken),
  )
  await fc.assert(property, {
    numRuns: runs,
    endOnFailure: false,
    ...(seed === undefined ? {} : { seed }),
    ...(path === undefined ? {} : { path }),
  })
}

// Shrinking takes many runs; what takes this long hangs.
const TIMEOUT = 300_000
const SLOWEST_RUN = 10_000

/**
 * Registers {@link sessionModelRun} as one test.
 *
 * @example
 * sessionModelSuite(harness, { test, fc, runs: 200 })
 */
export function sessionModelSuite(
  harness: Harness,
  options: SessionModelRunOptions & { readonly test: RegisterTest },
): void {
  options.test(
    `session model: ${harness.name}`,
    () => sessionModelRun(harness, options),
    Math.max(TIMEOUT, (options.runs ?? 0) * SLOWEST_RUN),
  )
}

async function sharesNothing(harness: Harness): Promise<boolean> {
  const store = await harness.create()
  try {
    const adapter = await store.open()
    await adapter.close()
    return adapter.capabilities.sharing === 'none'
  } finally {
    await store.destroy()
  }
}

async function run(
  harness: Harness,
  {
    isAlone,
    open,
    lateAppends,
  }: { readonly isAlone: boolean; readonly open: OpenSessions; readonly lateAppends: LateAppends },
  steps: readonly SessionStep[],
): Promise<void> {
  const store = await harness.create()
  const running = new SessionRun(store, isAlone, open, lateAppends)
  try {
    await running.start(isAlone ? 1 : 2)
    for (const step of steps) await running.take(step)
    await running.compare()
  } finally {
    await running.end()
    await store.destroy()
  }
}
