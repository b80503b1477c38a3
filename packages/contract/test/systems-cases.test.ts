import { SessionError } from '@sessiontree/core'
import { describe, expect, test } from 'vitest'
import { AssertionError } from '../src/assert.ts'
import type { ContractCase } from '../src/case.ts'
import { onEvents } from '../src/events-case.ts'
import { eventsCases } from '../src/events-cases.ts'
import type { Harness } from '../src/harness.ts'
import { onInvocations } from '../src/invocations-case.ts'
import { invocationsCases } from '../src/invocations-cases.ts'
import { onLedger } from '../src/ledger-case.ts'
import { ledgerCases } from '../src/ledger-cases.ts'
import { runCase } from '../src/run-case.ts'
import { systemsContract } from '../src/systems-cases.ts'
import { MortalStore } from './broken-stores/mortal-store.ts'
import { brokenEvents } from './broken-systems/broken-events.ts'
import { brokenInvocations } from './broken-systems/broken-invocations.ts'
import { brokenLedgers } from './broken-systems/broken-ledgers.ts'

const harness: Harness = { name: 'memory', create: async () => new MortalStore() }

describe('systems contract: memory that can crash and be damaged', () => {
  for (const one of systemsContract) {
    test(`${one.id}: ${one.title}`, async () => {
      expect(await runCase(harness, one)).toEqual({ skipped: undefined })
    })
  }
})

describe('broken session events are killed by the case that names them', () => {
  for (const { killedBy, name, api } of brokenEvents) {
    test(`${killedBy} kills "${name}"`, async () => {
      const one = eventsCases.find(({ id }) => id === killedBy)
      if (!one) throw new TypeError(`No case ${killedBy}`)
      expect(await deathOf(onEvents(one, api))).toBe(true)
    })
  }
})

describe('broken ledgers are killed by the case that names them', () => {
  for (const { killedBy, name, api } of brokenLedgers) {
    test(`${killedBy} kills "${name}"`, async () => {
      const one = ledgerCases.find(({ id }) => id === killedBy)
      if (!one) throw new TypeError(`No case ${killedBy}`)
      expect(await deathOf(onLedger(one, api))).toBe(true)
    })
  }
})

describe('broken invocation logs are killed by the case that names them', () => {
  for (const { killedBy, name, api } of brokenInvocations) {
    test(`${killedBy} kills "${name}"`, async () => {
      const one = invocationsCases.find(({ id }) => id === killedBy)
      if (!one) throw new TypeError(`No case ${killedBy}`)
      expect(await deathOf(onInvocations(one, api))).toBe(true)
    })
  }
})

/** Whether a case fails in the way that it should: by saying what is wrong. */
async function deathOf(one: ContractCase): Promise<unknown> {
  const death: unknown = await runCase(harness, one).then(
    () => 'it survived',
    (error: unknown) => (error instanceof AggregateError ? (error.errors[0] as unknown) : error),
  )
  return death instanceof AssertionError || SessionError.is(death) ? true : death
}

test.each([
  ['events', eventsCases, 32],
  ['ledger', ledgerCases, 27],
  ['invocations', invocationsCases, 20],
] as const)('every line of the list of %s has a case', (prefix, cases, lines) => {
  const named = new Set(cases.map(({ id }) => Number(new RegExp(`^${prefix}:(\\d+)`).exec(id)?.[1])))
  expect([...named].toSorted((a, b) => a - b)).toEqual(Array.from({ length: lines }, (_, i) => i + 1))
})
