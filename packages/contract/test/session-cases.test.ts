import { SessionError } from '@sessiontree/core'
import { describe, expect, test } from 'vitest'
import { AssertionError } from '../src/assert.ts'
import type { Harness } from '../src/harness.ts'
import { runCase } from '../src/run-case.ts'
import { onCore } from '../src/session-case.ts'
import { sessionCases } from '../src/session-cases.ts'
import { brokenCores } from './broken-cores/broken-cores.ts'
import { MortalStore } from './broken-stores/mortal-store.ts'

const harness: Harness = { name: 'memory', create: async () => new MortalStore() }

describe('session contract: memory that can crash and be damaged', () => {
  for (const one of sessionCases) {
    test(`${one.id}: ${one.title}`, async () => {
      expect(await runCase(harness, onCore(one))).toEqual({ skipped: undefined })
    })
  }
})

describe('a broken core is killed by the case that it names', () => {
  for (const core of brokenCores) {
    test(`${core.killedBy} kills "${core.name}"`, async () => {
      const one = sessionCases.find(({ id }) => id === core.killedBy)
      if (!one) throw new TypeError(`No case ${core.killedBy}`)
      const death: unknown = await runCase(harness, onCore(one, core.open)).then(
        () => 'it survived',
        (error: unknown) => (error instanceof AggregateError ? error.errors[0] : error),
      )
      expect(death instanceof AssertionError || SessionError.is(death), String(death)).toBe(true)
    })
  }
})

test('every case kills at least one broken core', () => {
  const killing = new Set(brokenCores.map(({ killedBy }) => killedBy))
  expect(sessionCases.map(({ id }) => id).filter((id) => !killing.has(id))).toEqual([])
})
