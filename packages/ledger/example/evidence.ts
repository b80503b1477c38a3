import {
  currentReview,
  diffBaselines,
  baselineLines,
  firstBaseline,
  ledgerReport,
  listLedgers,
  openLedger,
} from '@sessiontree/ledger'
import { memory } from '@sessiontree/memory'

const adapter = memory() // or nodeFs('./store'), sqlite('store.db'), indexedDb('app'), s3({ … })
const task = openLedger(adapter, 'fix-login')

await task.append([
  { type: 'workspace_baseline', status: 'captured', output: ' M 3f2a src/login.ts' },
  { type: 'approval', status: 'approved' },
])
await task.append({ type: 'criterion', criterion_id: 'tests', status: 'pass', command: 'npm test', exit_code: 0 })

// Decided on the ledger as it is, whoever else appends: at most one review runs.
await task.append(({ entries }) => {
  const running = entries.findLast(({ type }) => type === 'review_attempt')?.status === 'running'
  return running ? [] : { type: 'review_attempt', status: 'running' }
})
await task.append({ type: 'review', status: 'pass', provider: 'codex' })

const ledger = await task.load()
console.log(ledger.criterion_states['tests']) // { status: 'pass', updated_at: …, source_id: 'entry-3' }
console.log(currentReview(ledger).isPass) // true; false as soon as anything is built after it

const before = baselineLines(firstBaseline(ledger) ?? {})
console.log(diffBaselines(before, [' M 99c0 src/login.ts', '?? 12ab src/new.ts']))

const ledgers = (await Array.fromAsync(listLedgers(adapter))).flatMap((one) => ('ledger' in one ? one.ledger : []))
console.log(ledgerReport(ledgers).firstAttempt)
