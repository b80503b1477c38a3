import { cases, runCase, type ContractCase } from '@sessiontree/contract'
import { contractSuite, sessionSuite, systemsSuite } from '@sessiontree/contract/vitest'
import { describe, expect, test } from 'vitest'
import { brokenDatabases, survival } from './broken-databases.ts'
import { withoutGetAllRecords } from './factory.ts'
import { indexedDbHarness } from './harness.ts'

contractSuite(indexedDbHarness('window'))
sessionSuite(indexedDbHarness('window'))
systemsSuite(indexedDbHarness('window'))

describe('adapter contract: indexeddb (window without getAllRecords), what reads', () => {
  const harness = indexedDbHarness('window without getAllRecords', withoutGetAllRecords)
  // Of the 100,000 records of `read/long` it takes 20 s to write them; layout.browser.test.ts bounds the pieces of `getAll`.
  const reads = ({ id, rules }: ContractCase) => id !== 'read/long' && rules.some((rule) => rule.startsWith('read'))
  for (const one of cases.filter(reads)) {
    test(`${one.id}: ${one.title}`, { timeout: 120_000 }, async (context) => {
      const { skipped } = await runCase(harness, one)
      if (skipped !== undefined) context.skip(skipped)
    })
  }
})

describe('broken databases: indexeddb (window)', () => {
  for (const broken of brokenDatabases) {
    test(`${broken.killedBy} kills "${broken.name}"`, async () => {
      expect(await survival('window', broken)).toBeUndefined()
    })
  }
})
