import type { Ledger, LedgerEntry } from '@sessiontree/ledger'
import { assert, assertEqual } from '../assert.ts'
import type { LedgerCase } from '../ledger-case.ts'

const NOW = '2026-11-28T00:00:00.000Z'
const at = (day: number) => `2026-01-0${day}T00:00:00Z`

/** An entry; the fields that matter come from the case. */
function entry(type: string, fields: Partial<LedgerEntry> = {}): LedgerEntry {
  return { id: `${type}-1`, type, recorded_at: at(1), ...fields }
}

const frozen = (ledger: Ledger): Ledger => Object.freeze({ ...ledger, entries: Object.freeze([...ledger.entries]) })

/** Replay, baselines, reviews and reports: what follows from the entries alone. */
export const modelCases: readonly LedgerCase[] = [
  {
    id: 'ledger:1',
    title: 'a new ledger: version 1, created and updated now, no entries, no states',
    async run({ api }) {
      const { entries, criterion_states, phase_blocks, ...head } = api.newLedger('t', NOW)
      assertEqual(head, { schema_version: 1, task_id: 't', created_at: NOW, updated_at: NOW }, 'the head')
      assertEqual([entries, criterion_states, phase_blocks], [[], {}, {}], 'entries and states')
    },
  },
  {
    id: 'ledger:2',
    title: 'withEntry returns a new ledger with replayed state; the one it is called with stays as it is',
    async run({ api }) {
      const before = frozen(api.newLedger('t', NOW))
      const added = entry('criterion', { criterion_id: 'c', status: 'pass' })
      const after = api.withEntry(before, added)
      assertEqual([before.entries, before.criterion_states], [[], {}], 'the ledger before')
      assertEqual(after.entries, [added], 'the entries after')
      assertEqual(after.criterion_states['c']?.status, 'pass', 'the state after')
    },
  },
  {
    id: 'ledger:3',
    title: 'replay ignores states that are there already, and replaying twice changes nothing',
    async run({ api }) {
      const ledger = {
        ...api.withEntry(api.newLedger('t', NOW), entry('criterion', { criterion_id: 'c', status: 'fail' })),
        criterion_states: { invented: { status: 'pass', source_id: 'x' } },
        phase_blocks: { invented: { status: 'completed', source_id: 'x' } },
      }
      const once = api.replay(ledger)
      assertEqual([Object.keys(once.criterion_states), once.phase_blocks], [['c'], {}], 'the states')
      assertEqual(api.replay(once), once, 'replayed again')
    },
  },
  {
    id: 'ledger:4',
    title: 'a later entry about a criterion replaces status, reason, time and source together',
    async run({ api }) {
      const first = entry('criterion', { criterion_id: 'c', status: 'fail', reason: 'red', id: 'e1' })
      const second = entry('manual_evidence', { criterion_id: 'c', status: 'pass', recorded_at: at(2), id: 'e2' })
      const ledger = api.withEntry(api.withEntry(api.newLedger('t', NOW), first), second)
      assertEqual(ledger.criterion_states, { c: { status: 'pass', updated_at: at(2), source_id: 'e2' } }, 'the state')
    },
  },
  {
    id: 'ledger:5',
    title: 'an empty status is the entry type, an entry without id is its own type as source',
    async run({ api }) {
      const ledger = api.withEntry(api.newLedger('t', NOW), entry('note', { criterion_id: 'c', id: '', status: '' }))
      assertEqual(ledger.criterion_states['c'], { status: 'note', updated_at: at(1), source_id: 'note' }, 'the state')
    },
  },
  {
    id: 'ledger:6',
    title: 'the order is that of the entries, also when their times go backwards',
    async run({ api }) {
      const late = entry('criterion', { criterion_id: 'c', status: 'pass', recorded_at: at(9) })
      const early = entry('criterion', { criterion_id: 'c', status: 'fail', recorded_at: at(1) })
      const ledger = api.withEntry(api.withEntry(api.newLedger('t', NOW), late), early)
      assertEqual([ledger.criterion_states['c']?.status, ledger.updated_at], ['fail', at(1)], 'what counts')
    },
  },
  {
    id: 'ledger:7',
    title: 'a phase has the state of its phase entries; in seed mode any entry with its id says how it is',
    async run({ api }) {
      const entries = [
        entry('phase', { phase_id: 'p', status: 'completed' }),
        entry('criterion', { phase_id: 'p', criterion_id: 'c', status: 'fail' }),
      ]
      const ledger = { ...api.newLedger('t', NOW), entries }
      assertEqual(api.replay(ledger).phase_blocks['p']?.status, 'completed', 'strict')
      assertEqual(api.replay(ledger, { phases: 'seed' }).phase_blocks['p']?.status, 'fail', 'as in the earlier system')
    },
  },
  {
    id: 'ledger:8',
    title:
      'an entry with both ids is about the criterion too; unknown types are kept and do no harm; an id may be __proto__',
    async run({ api }) {
      const odd = entry('from_the_future', { criterion_id: '__proto__', phase_id: 'p', shape: { of: 'it' } })
      const ledger = api.withEntry(api.newLedger('t', NOW), odd)
      assertEqual(ledger.entries, [odd], 'the entry')
      assertEqual(Object.keys(ledger.criterion_states), ['__proto__'], 'the criteria')
      assert(({} as { status?: unknown }).status === undefined, 'no prototype is polluted')
      assertEqual(ledger.phase_blocks, {}, 'the phases')
    },
  },
  {
    id: 'ledger:10',
    title: 'criterion ids in the order of their UTF-8 bytes, [] where there are none',
    async run({ api }) {
      assertEqual(api.orderedCriterionIds(api.newLedger('t', NOW)), [], 'of an empty ledger')
      const ids = ['é', 'a', 'ac2', '\u{1f600}', 'B', 'ac10', '\uffff', 'b']
      const entries = ids.map((criterion_id) => entry('criterion', { criterion_id }))
      const ordered = api.orderedCriterionIds(api.replay({ ...api.newLedger('t', NOW), entries }))
      assertEqual(ordered, ['B', 'a', 'ac10', 'ac2', 'b', 'é', '\uffff', '\u{1f600}'], 'the order')
    },
  },
  {
    id: 'ledger:11',
    title: 'the first baseline is the earliest, not the latest; none is undefined',
    async run({ api }) {
      const first = entry('workspace_baseline', { output: 'first' })
      const entries = [entry('approval'), first, entry('workspace_baseline', { output: 'second' })]
      assertEqual(api.firstBaseline({ entries }), first, 'the first baseline')
      assertEqual(api.firstBaseline({ entries: [entry('approval')] }), undefined, 'none')
    },
  },
  {
    id: 'ledger:12',
    title:
      'a baseline decodes with its spaces, without blank lines and trailing CR; paths with spaces survive parse and diff',
    async run({ api }) {
      const output = ' M f1 a b.txt\r\n\n   \n?? f2  leading \r\n\tD f3 c\n'
      const lines = api.baselineLines({ output })
      assertEqual(lines, [' M f1 a b.txt', '?? f2  leading ', '\tD f3 c'], 'the lines')
      assertEqual([api.baselineLines({ output: '' }), api.baselineLines({})], [[], []], 'of nothing')
      assertEqual(
        lines.map((line) => api.parseBaselineLine(line)),
        [
          { status: 'M', fingerprint: 'f1', path: 'a b.txt' },
          { status: '??', fingerprint: 'f2', path: ' leading ' },
          { status: 'D', fingerprint: 'f3', path: 'c' },
        ],
        'the files',
      )
      const later = [' M f9 a b.txt', '?? f2  leading ', ' M f4 B']
      const changes = [
        { path: 'B', kind: 'added' },
        { path: 'a b.txt', kind: 'changed' },
        { path: 'c', kind: 'removed' },
      ]
      assertEqual(api.diffBaselines(lines, later), changes, 'the difference')
      assertEqual(api.diffBaselines(lines, lines), [], 'no difference')
    },
  },
  {
    id: 'ledger:24',
    title:
      'the report: first attempts, recovery, reviews, challenges, overrides, baselines, blocked gates; 0 where there is nothing to divide by',
    async run({ api }) {
      const of = (...parts: readonly string[]) => ({
        entries: parts.map((part) => {
          const [type = '', status = '', provider = ''] = part.split(':')
          return entry(type, { status, ...(provider ? { provider } : {}) })
        }),
      })
      const ledgers = [
        of('workspace_baseline', 'build:active', 'build:review', 'review:pass:codex', 'complete:completed'),
        of(
          'build:active',
          'build:blocked',
          'build:active',
          'build:review',
          'review:fail:claude',
          'review:pass:claude',
          'complete:completed',
        ),
        of('build:blocked', 'review_attempt:failed', 'review:pass:somebody', 'complete:completed'),
        of('workspace_baseline', 'build:active'),
        of('complete:completed'),
      ]
      const share = (count: number, total: number) => ({ count, total, rate: count / total })
      const expected = {
        ledgers: 5,
        firstAttempt: share(1, 3),
        recovery: share(1, 2),
        reviews: share(3, 4),
        challenged: share(1, 3),
        overridden: share(2, 4),
        baselines: share(2, 5),
        blocked: { build: 2, review: 1, reviewProvider: 1 },
      }
      assertEqual(api.ledgerReport(ledgers), expected, 'the report')
      const nothing = { count: 0, total: 0, rate: 0 }
      const { firstAttempt, recovery, overridden, baselines } = api.ledgerReport([])
      assertEqual(
        [firstAttempt, recovery, overridden, baselines],
        [nothing, nothing, nothing, nothing],
        'of no ledgers',
      )
    },
  },
  {
    id: 'ledger:25',
    title:
      'a review is current until a build, criterion, phase, approval, baseline, attempt, fail or cancel comes after it',
    async run({ api }) {
      const review = entry('review', { status: 'pass', provider: 'codex' })
      const stale = [
        'build',
        'criterion',
        'phase',
        'approval',
        'workspace_baseline',
        'review_attempt',
        'fail',
        'cancel',
      ]
      for (const type of stale) {
        const found = api.currentReview({ entries: [review, entry(type)] })
        assertEqual([found.review, found.staleBecause?.type, found.isPass], [undefined, type, false], `after ${type}`)
        const before = api.currentReview({ entries: [entry(type), review] })
        assertEqual([before.review, before.isPass], [review, true], `before ${type}`)
      }
      for (const type of ['complete', 'note', 'receipt', 'review_stage']) {
        assertEqual(api.currentReview({ entries: [review, entry(type)] }).review, review, `after ${type}`)
      }
      const local = entry('review', { status: 'pass', provider: 'local' })
      assertEqual(api.currentReview({ entries: [local] }).isPass, false, 'a pass by somebody who may not review')
      assertEqual(api.currentReview({ entries: [] }).review, undefined, 'of no entries')
    },
  },
]
