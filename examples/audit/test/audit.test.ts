import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { openEvents } from '@sessiontree/events'
import { openLedger } from '@sessiontree/ledger'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openAdapter, PLACES } from '../src/places.ts'
import { reportRun } from '../src/report.ts'

const MAIN = fileURLToPath(new URL('../src/main.ts', import.meta.url))
let folder: string
beforeAll(async () => void (folder = await mkdtemp(join(tmpdir(), 'sessiontree-audit-'))))
afterAll(() => rm(folder, { recursive: true, force: true }))

describe.each(Object.keys(PLACES))('over %s', (place) => {
  test('prints the history, the totals and the report of the ledger', { timeout: 60_000 }, async () => {
    const { stdout } = await promisify(execFile)(process.execPath, [
      '--conditions=@sessiontree/source',
      MAIN,
      place,
      folder,
    ])
    expect(stdout.replace(/"ev-[0-9a-f]{16}"/g, '"ev-…"')).toContain(`history
  turn-1
     1  session_start {"task":"fix-login"}
     2  tool_call     {"tool":"bash","command":"npm test"}
     3  tool_result   {"call":"ev-…","exitCode":1,"output":"1 failed: login"}
  turn-2
     4  tool_call     {"tool":"edit","command":"src/login.ts"}
     5  tool_result   {"call":"ev-…","exitCode":0,"output":"1 line changed"}
     6  tool_call     {"tool":"bash","command":"npm test"}
     7  tool_result   {"call":"ev-…","exitCode":0,"output":"12 passed"}
     8  session_end   null
usage
  turn-1  1800 in, 240 out, 0.0091 EUR
  turn-2  4100 in, 420 out, 0.0187 EUR
  total   5900 in, 660 out, 0.0278 EUR
  hooks   3 applied
skills
  test: 1 passed, 1 failed
  - test (turn-1): fail. 1 failed: login
  - test (turn-2): pass. 12 passed
ledger
  criterion tests: pass (entry-5)
  phase mend: completed
  review: pass by codex, accepted
  since the baseline: src/login.ts changed
  since the baseline: test/login.test.ts added
report
  builds that went to review at once: 1 of 1; reviews passed: 1 of 1; overridden: 0 of 1
`)
  })

  test('what is recorded later shows in the next report: a build makes the review stale', async () => {
    await using adapter = openAdapter(place, folder)
    await openLedger(adapter, 'fix-login').append({ type: 'build', status: 'blocked' })
    await (
      await openEvents(adapter, 'fix-login')
    ).record({ turnId: 'turn-3', type: 'note', agentName: 'person', content: 'again' })
    const lines = await Array.fromAsync(reportRun(adapter, 'fix-login'))
    expect(lines).toContain('  review: stale: build')
    expect(lines).toContain('     9  note          "again"')
  })
})
