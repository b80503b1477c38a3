import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { sessionModelRun } from '../src/session-model.ts'
import { brokenCores } from './broken-cores/broken-cores.ts'
import { MortalStore } from './broken-stores/mortal-store.ts'

const harness = { name: 'memory', create: async () => new MortalStore() }

/** The smallest failing run matters to nobody here. */
const unshrunk: typeof fc = {
  ...fc,
  assert: ((property: never, options: object) => fc.assert(property, { ...options, endOnFailure: true })) as never,
}

describe('a broken core does not agree with the model', () => {
  for (const name of [
    'a label drags the leaf along',
    'whoever opens a session moves the leaf to its newest entry',
    'an append follows the newest entry, not the leaf',
    'reject is taken for rebase',
    'a known id is not compared',
    'a fork goes to the leaf, wherever it was to end',
    'before the first entry is nowhere, so that everything is taken',
    'a fork that comes before a delete loses what it shares',
    'a delete does not ask whether a turn lives',
    'an expired lease is taken by whoever asks',
    'a turn that is lost is accepted after a fresh look',
    'the marker is lost when a turn is called off',
    'anybody releases a turn',
    'an append resolves before it is stored',
  ]) {
    test(name, async () => {
      const core = brokenCores.find((one) => one.name === name)
      if (!core) throw new TypeError(`No broken core "${name}"`)
      const running = sessionModelRun(harness, { fc: unshrunk, runs: 1000, seed: 1, open: core.open })
      await expect(running).rejects.toThrow(/Property failed after/)
    })
  }
})

test('the same seed takes the same steps', async () => {
  const failures = []
  for (let i = 0; i < 2; i++) {
    const core = brokenCores.find(({ name }) => name === 'a label drags the leaf along')
    const running = sessionModelRun(harness, { fc: unshrunk, runs: 1000, seed: 7, ...(core && { open: core.open }) })
    failures.push(await running.catch((error: unknown) => String(error)))
  }
  expect(failures[0]).toBe(failures[1])
})
