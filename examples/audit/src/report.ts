import type { StorageAdapter } from '@sessiontree/core'
import { openEventsReadOnly } from '@sessiontree/events'
import { formatHistory, openInvocations } from '@sessiontree/invocations'
import {
  baselineLines,
  currentReview,
  diffBaselines,
  firstBaseline,
  ledgerReport,
  listLedgers,
  openLedger,
  orderedCriterionIds,
} from '@sessiontree/ledger'

/** Describes a recorded run, from what is stored alone; writes nothing. */
export async function* reportRun(adapter: StorageAdapter, task: string): AsyncGenerator<string, void, void> {
  const events = await openEventsReadOnly(adapter, task)
  yield 'history'
  for (const turn of await events.history()) {
    yield `  ${turn.turnId}`
    for (const { sequence, type, content } of turn.events) {
      yield `    ${String(sequence).padStart(2)}  ${type.padEnd(13)} ${JSON.stringify(content)}`
    }
  }

  yield 'usage'
  for (const { turnId, inputTokens, outputTokens, costAmount } of await events.tokenUsage()) {
    yield `  ${turnId}  ${inputTokens} in, ${outputTokens} out, ${costAmount} EUR`
  }
  const { inputTokens, outputTokens, costs } = await events.tokenTotals()
  yield `  total   ${inputTokens} in, ${outputTokens} out, ${costs['EUR']?.toFixed(4)} EUR`
  const hooks = await events.hookRuns({ outcome: 'applied' })
  yield `  hooks   ${hooks.length} applied`

  const invocations = openInvocations(adapter)
  yield 'skills'
  const rate = await invocations.passRate({ skill: 'test' })
  yield `  test: ${rate.pass} passed, ${rate.fail} failed`
  const history = formatHistory((await invocations.readAll(task)).invocations)
  for (const line of history.trimEnd().split('\n').slice(1)) yield `  ${line}`

  const ledger = await openLedger(adapter, task).load()
  yield 'ledger'
  for (const id of orderedCriterionIds(ledger)) {
    const { status, source_id } = ledger.criterion_states[id] ?? {}
    yield `  criterion ${id}: ${status} (${source_id})`
  }
  for (const [id, { status }] of Object.entries(ledger.phase_blocks)) yield `  phase ${id}: ${status}`
  const { review, isPass, staleBecause } = currentReview(ledger)
  yield `  review: ${review ? `${review.status} by ${review.provider}, ${isPass ? 'accepted' : 'not accepted'}` : `stale: ${staleBecause?.type}`}`
  const before = baselineLines(firstBaseline(ledger) ?? {})
  for (const { path, kind } of diffBaselines(before, [' M 99c0 src/login.ts', '?? 12ab test/login.test.ts'])) {
    yield `  since the baseline: ${path} ${kind}`
  }

  const ledgers = []
  for await (const one of listLedgers(adapter)) if ('ledger' in one) ledgers.push(one.ledger)
  const { firstAttempt, reviews, overridden } = ledgerReport(ledgers)
  const share = ({ count, total }: { readonly count: number; readonly total: number }) => `${count} of ${total}`
  yield 'report'
  yield `  builds that went to review at once: ${share(firstAttempt)}; reviews passed: ${share(reviews)}; overridden: ${share(overridden)}`
  await events.close()
}
