import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { cases } from '@sessiontree/contract'
import { beforeAll, describe, expect, test } from 'vitest'

interface Outcome {
  readonly ancestorTitles: readonly string[]
  readonly title: string
  readonly status: string
}

interface Report {
  readonly testResults: readonly { readonly assertionResults: readonly Outcome[] }[]
}

const vitest = join(dirname(createRequire(import.meta.url).resolve('vitest/package.json')), 'vitest.mjs')
const root = join(import.meta.dirname, 'vitest-fixture')

describe('the suite as vitest runs it', () => {
  let outcomes: readonly Outcome[] = []

  beforeAll(async () => {
    const folder = await mkdtemp(join(tmpdir(), 'contract-suite-'))
    const outputFile = join(folder, 'outcomes.json')
    try {
      const options = ['--root', root, '--reporter', 'json', '--outputFile', outputFile]
      // Suites fail on purpose: the outcomes count, not the exit code. Of the run around it, it must know nothing.
      await promisify(execFile)(process.execPath, [vitest, 'run', ...options], {
        env: { PATH: process.env['PATH'] },
      }).catch(() => {})
      const report = JSON.parse(await readFile(outputFile, 'utf8')) as Report
      outcomes = report.testResults.flatMap((file) => file.assertionResults)
    } finally {
      await rm(folder, { recursive: true })
    }
  }, 120_000)

  const failed = (suite: string) =>
    outcomes
      .filter((one) => one.ancestorTitles.includes(`adapter contract: ${suite}`) && one.status === 'failed')
      .map((one) => one.title.split(':')[0])
  const skipped = (suite: string) =>
    outcomes.flatMap((one) =>
      one.ancestorTitles.includes(`adapter contract: ${suite}`) && one.status === 'skipped'
        ? [one.title.split(':')[0]]
        : [],
    )

  test('registers one test for each case, its title starting with the id', () => {
    const titles = outcomes
      .filter((one) => one.ancestorTitles.includes('adapter contract: correct'))
      .map((one) => one.title)
    expect(titles).toEqual(cases.map((one) => `${one.id}: ${one.title}`))
  })

  test('passes for a correct adapter', () => expect(failed('correct')).toEqual([]))
  test('skips what the harness lacks, and nothing else', () => {
    const lacking = cases.filter((one) => one.needs?.some((need) => need !== 'sharing')).map((one) => one.id)
    expect(lacking.length).toBeGreaterThan(0)
    expect(skipped('correct')).toEqual(lacking)
    expect(skipped('able')).toEqual([])
    expect(failed('able')).toEqual([])
  })
  test('fails for a broken one', () => expect(failed('broken')).toEqual(['capabilities/declared']))
  test('passes when the broken case is a known gap', () => expect(failed('known')).toEqual([]))
  test('fails when a known gap has healed', () => expect(failed('healed')).toEqual(['append/batch']))
  test('fails when a known gap is the id of no case', () => expect(failed('unknown')).toEqual(['append/bacth']))
})
