import type { StorageAdapter } from '@sessiontree/core'
import type * as FastCheck from 'fast-check'
import { assert } from './assert.ts'
import type { Harness } from './harness.ts'
import { Model } from './model/model.ts'
import { arbitraryStep, type Step } from './model/step.ts'

/** Options of {@link modelRun}. */
export interface ModelRunOptions {
  /** fast-check, as `import * as fc from 'fast-check'` gives it. */
  readonly fc: typeof FastCheck
  /** Default: another one each time; a failure names it. */
  readonly seed?: number
  /** The path that a failure names beside its seed: starts with the smallest failing run. */
  readonly path?: string
  /** How many runs, each on a fresh store. Default 100. */
  readonly runs?: number
  /** The most steps of a run. Default 60. */
  readonly steps?: number
}

/**
 * Runs random steps on an adapter and on a plain model of the contract, and compares the two after each one: appends and conflicts, reads of every
 * range, drops, documents, listings, handles that are closed and opened again. Resolves if they always agreed.
 *
 * Contract
 * - Rejects with fast-check's report: the seed, the path, and the smallest steps that it found to fail.
 * - The same seed and options take the same steps.
 * - Works on two handles at a time, on one if `capabilities.sharing` is `"none"`. Steps follow one another: races are for `checkHistory`.
 * - Where the contract leaves an adapter free (a dropped log's name at other indexes, traces in listings) anything passes.
 *
 * @example
 * test('model', () => modelRun({ name: 'mine', create: async () => myEmptyStore() }, { fc, runs: 200 }))
 */
export async function modelRun(harness: Harness, options: ModelRunOptions): Promise<void> {
  const { fc, seed, path, runs = 100, steps = 60 } = options
  const handles = await handlesAtOnce(harness)
  const property = fc.asyncProperty(fc.array(arbitraryStep(fc, handles), { maxLength: steps, size: 'max' }), (taken) =>
    run(harness, handles, taken),
  )
  await fc.assert(property, {
    numRuns: runs,
    endOnFailure: false,
    ...(seed === undefined ? {} : { seed }),
    ...(path === undefined ? {} : { path }),
  })
}

/** How a test runner registers a test: `test` of vitest, jest or Bun fits. */
export type RegisterTest = (title: string, body: () => Promise<void>, milliseconds: number) => unknown

// Shrinking takes many runs; what takes this long hangs.
const TIMEOUT = 300_000

/**
 * Registers {@link modelRun} as one test.
 *
 * @example
 * modelSuite(harness, { test, fc, runs: 200 })
 */
export function modelSuite(harness: Harness, options: ModelRunOptions & { readonly test: RegisterTest }): void {
  options.test(`adapter model: ${harness.name}`, () => modelRun(harness, options), TIMEOUT)
}

async function handlesAtOnce(harness: Harness): Promise<number> {
  const store = await harness.create()
  try {
    const adapter = await store.open()
    await adapter.close()
    return adapter.capabilities.sharing === 'none' ? 1 : 2
  } finally {
    await store.destroy()
  }
}

async function run(harness: Harness, handles: number, steps: readonly Step[]): Promise<void> {
  const store = await harness.create()
  const open: StorageAdapter[] = []
  try {
    for (let i = 0; i < handles; i++) open.push(await store.open())
    const model = new Model()
    for (const step of steps) {
      const adapter = open[step.handle]
      assert(adapter !== undefined, `there is a handle ${step.handle}`)
      if (step.do === 'reopen') {
        await adapter.close()
        open[step.handle] = await store.open()
      } else {
        await model.take(step, adapter)
      }
    }
    for (const adapter of open) await model.compare(adapter)
    for (const adapter of open) await adapter.close()
  } finally {
    // Closing again does nothing; after a failed step only that failure counts.
    await Promise.allSettled(open.map((adapter) => adapter.close()))
    await store.destroy()
  }
}
