import { SessionError, type StorageAdapter } from '@sessiontree/core'
import * as real from '@sessiontree/ledger'
import type { Ledger, LedgerEntry, TaskLedger } from '@sessiontree/ledger'
import { delegate } from '../../src/delegate.ts'
import type { LedgerApi } from '../../src/ledger-case.ts'

/** Ledgers with one fault, and the case that must notice. */
export interface BrokenLedgers {
  readonly killedBy: string
  readonly name: string
  readonly api: LedgerApi
}

const broken = (killedBy: string, name: string, change: Partial<LedgerApi>): BrokenLedgers => ({
  killedBy,
  name,
  api: { ...real, ...change },
})

/** Makes every handle behave differently. */
function handle(killedBy: string, name: string, change: (ledger: TaskLedger) => object): BrokenLedgers {
  const openLedger = (...args: Parameters<typeof real.openLedger>) => {
    const ledger = real.openLedger(...args)
    const bound = Object.fromEntries(
      (['load', 'append', 'delete', 'close'] as const).map((method) => [
        method,
        (ledger[method] as () => unknown).bind(ledger),
      ]),
    )
    return Object.assign(Object.create(ledger) as object, bound, change(ledger)) as unknown as TaskLedger
  }
  return broken(killedBy, name, { openLedger })
}

/** Makes the adapter below every handle behave differently. */
const below = (killedBy: string, name: string, change: (adapter: StorageAdapter) => Partial<StorageAdapter>) =>
  broken(killedBy, name, {
    openLedger: (adapter, ...rest) => real.openLedger(delegate(adapter, change(adapter)), ...rest),
  })

const replayed = (killedBy: string, name: string, change: (ledger: Ledger, options?: real.ReplayOptions) => Ledger) =>
  broken(killedBy, name, {
    replay: change,
    withEntry: (ledger, entry, options) => change({ ...ledger, entries: [...ledger.entries, entry] }, options),
  })

const byTime = (a: LedgerEntry, b: LedgerEntry) => (a.recorded_at < b.recorded_at ? -1 : 1)

/** Ledgers with one fault each. */
export const brokenLedgers: readonly BrokenLedgers[] = [
  broken('ledger:2', 'an entry is pushed into the ledger that is passed', {
    withEntry(ledger, entry, options) {
      ;(ledger.criterion_states as Record<string, object>)['c'] = { status: entry.status }
      return real.withEntry(ledger, entry, options)
    },
  }),
  replayed('ledger:3', 'stored states are built upon', (ledger, options) => {
    const fresh = real.replay(ledger, options)
    return { ...fresh, criterion_states: { ...ledger.criterion_states, ...fresh.criterion_states } }
  }),
  replayed('ledger:4', 'a later entry is merged into the earlier one', (ledger, options) => {
    const fresh = real.replay(ledger, options)
    const merged = ledger.entries.reduce(
      (all, entry) => ({ ...all, ...(entry.reason ? { reason: entry.reason } : {}) }),
      {},
    )
    const states = Object.entries(fresh.criterion_states).map(([id, state]) => [id, { ...merged, ...state }])
    return { ...fresh, criterion_states: Object.fromEntries(states) as Ledger['criterion_states'] }
  }),
  replayed('ledger:6', 'entries count in the order of their times', (ledger, options) =>
    real.replay({ ...ledger, entries: ledger.entries.toSorted(byTime) }, options),
  ),
  replayed('ledger:7', 'every entry with a phase id says how the phase is', (ledger) =>
    real.replay(ledger, { phases: 'seed' }),
  ),
  replayed('ledger:8', 'states are assigned', (ledger, options) => {
    const fresh = real.replay(ledger, options)
    const states: Record<string, real.StateRecord> = {}
    for (const [id, state] of Object.entries(fresh.criterion_states)) states[id] = state
    return { ...fresh, criterion_states: states }
  }),
  broken('ledger:10', 'criterion ids in the order of UTF-16', {
    orderedCriterionIds: ({ criterion_states }) => Object.keys(criterion_states).toSorted(),
  }),
  broken('ledger:11', 'the latest baseline is taken', {
    firstBaseline: ({ entries }) => entries.findLast(({ type }) => type === 'workspace_baseline'),
  }),
  broken('ledger:12', 'lines of a baseline are trimmed', {
    baselineLines: (entry) => real.baselineLines(entry).map((line) => line.trim()),
  }),
  handle('ledger:9', 'what is returned was derived before the time was filled in', (ledger) => ({
    append: async (input: real.LedgerInput) => {
      const { ledger: after, entries } = await ledger.append(input)
      return { entries, ledger: { ...after, updated_at: new Date(0).toISOString() } }
    },
  })),
  handle('ledger:14', 'an id that is taken is taken again', (ledger) => ({
    append: (input: real.NewEntry) => ledger.append({ ...input, id: undefined }),
  })),
  below('ledger:15', 'records of a batch are appended one by one', (adapter) => ({
    async append(log, at, records, options) {
      for (const [i, record] of records.entries()) {
        await adapter.append(log, at + i, [record], options)
        await new Promise((resolve) => setTimeout(resolve))
      }
    },
  })),
  handle('ledger:16', 'a lost race is not tried again', (ledger) => {
    let calls = 0
    return {
      append: async (input: real.LedgerInput) => (++calls % 5 === 0 ? ledger.load() : ledger.append(input)),
    }
  }),
  below('ledger:17', 'damage is read over', (adapter) => ({
    async *read(log, range) {
      let next = 0
      for await (const { records } of adapter.read(log, { ...range, salvage: true })) {
        yield { at: next, records }
        next += records.length
      }
    },
  })),
  broken('ledger:18', 'the first damaged ledger ends the list', {
    async *listLedgers(...args) {
      for await (const one of real.listLedgers(...args)) {
        if ('error' in one) throw one.error
        yield one
      }
    },
  }),
  handle('ledger:19', 'a ledger that is not there is empty', (ledger) => ({
    load: () =>
      ledger.load().catch((error: unknown) => {
        if (SessionError.is(error, 'NOT_FOUND')) return real.newLedger(ledger.taskId, '')
        throw error
      }),
  })),
  broken('ledger:20', 'task ids are made safe by leaving characters out', {
    openLedger: (adapter, id, options) => real.openLedger(adapter, id.replace(/[^a-z0-9]/gi, '') || 'x', options),
  }),
  handle('ledger:21', 'only known fields are kept', (ledger) => ({
    append: (input: real.NewEntry) => {
      const { lease: _lease, ...known } = input
      return ledger.append(known)
    },
  })),
  handle('ledger:22', 'a function is asked once, before the append', (ledger) => ({
    append: async (input: real.LedgerInput) => {
      if (typeof input !== 'function') return ledger.append(input)
      const seen = await ledger.load().catch(() => real.newLedger('t', ''))
      return ledger.append((await input(seen)) ?? [])
    },
  })),
  handle('ledger:23', 'a signal only ends the waiting', (ledger) => ({
    append: (input: real.LedgerInput, { signal }: real.LedgerCallOptions = {}) =>
      new Promise((resolve, reject) => {
        signal?.addEventListener('abort', () => reject(signal.reason))
        ledger.append(input).then(resolve, reject)
      }),
  })),
  broken('ledger:24', 'a first build counts while it is still active', {
    ledgerReport: (ledgers, accepted) =>
      real.ledgerReport(
        ledgers.map(({ entries }) => ({
          entries: entries.map((entry) => (entry.status === 'active' ? { ...entry, status: 'begun' } : entry)),
        })),
        accepted,
      ),
  }),
  broken('ledger:25', 'a review stays current whatever comes after it', {
    currentReview: ({ entries }) => real.currentReview({ entries: entries.filter(({ type }) => type === 'review') }),
  }),
  handle('ledger:26', 'exit code 0 is left out', (ledger) => ({
    append: (input: real.NewEntry | readonly real.NewEntry[]) =>
      ledger.append(
        [input].flat().map((entry) => ({
          ...entry,
          exit_code: entry.exit_code || undefined,
        })),
      ),
  })),
  below('ledger:27', 'a forged receipt is taken for a note', (adapter) => ({
    async *read(log, range) {
      for await (const batch of adapter.read(log, range)) {
        yield {
          at: batch.at,
          records: batch.records.map((text) =>
            text.replace('"type":"receipt","digest":"ccc', '"type":"note","digest":"ccc'),
          ),
        }
      }
    },
  })),
]
