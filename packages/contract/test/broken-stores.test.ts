import { SessionError } from '@sessiontree/core'
import { AssertionError, caseById, cases, runCase } from '@sessiontree/contract'
import { describe, expect, test } from 'vitest'
import { brokenAppends } from './broken-stores/append.ts'
import type { BrokenStore } from './broken-stores/broken-store.ts'
import { brokenCosts } from './broken-stores/cost.ts'
import { brokenDamage } from './broken-stores/damage.ts'
import { brokenDocuments } from './broken-stores/document.ts'
import { brokenFailures } from './broken-stores/failure.ts'
import { brokenInterruptions } from './broken-stores/interruption.ts'
import { brokenLifetimes } from './broken-stores/lifetime.ts'
import { brokenLists } from './broken-stores/list.ts'
import { brokenLong } from './broken-stores/long.ts'
import { brokenReads } from './broken-stores/read.ts'
import { brokenTexts } from './broken-stores/text.ts'

const brokenStores: readonly BrokenStore[] = [
  ...brokenAppends,
  ...brokenReads,
  ...brokenTexts,
  ...brokenDocuments,
  ...brokenLists,
  ...brokenLifetimes,
  ...brokenLong,
  ...brokenInterruptions,
  ...brokenCosts,
  ...brokenFailures,
  ...brokenDamage,
]

describe('a broken store is killed by the case that it names', () => {
  for (const store of brokenStores) {
    test(`${store.killedBy} kills "${store.name}"`, async () => {
      const death = await causeOfDeath(store)
      // Found by the case or refused by the store; a crash of the wrapper or of the case proves nothing.
      expect(death instanceof AssertionError || SessionError.is(death), String(death)).toBe(true)
    })
  }
})

test('every case kills at least one broken store', () => {
  const killing = new Set(brokenStores.map((store) => store.killedBy))
  expect(cases.map((one) => one.id).filter((id) => !killing.has(id))).toEqual([])
})

async function causeOfDeath(store: BrokenStore): Promise<unknown> {
  try {
    const { skipped } = await runCase(store, caseById(store.killedBy))
    return skipped ?? 'it survived'
  } catch (error) {
    return error instanceof AggregateError ? error.errors[0] : error
  }
}
