import type { NewHookRun } from '@sessiontree/events'
import { assert, assertEqual } from '../assert.ts'
import type { EventsCase } from '../events-case.ts'
import { lengthOf } from '../reading.ts'
import { assertCode, assertTypeError } from '../rejection.ts'

const run: NewHookRun = {
  hookName: 'guard',
  event: 'tool.pre_call',
  source: 'config',
  mode: 'sync',
  duration: 1_234_567,
  outcome: 'applied',
}

/** Token usage and hook runs. */
export const usageAndHookCases: readonly EventsCase[] = [
  {
    id: 'events:15',
    title:
      'token usage: null keeps, a value replaces, 0 too, the timestamp always; blank currency is null, a blank turn refused; totals add turns up',
    async run({ open, openEvents }) {
      const events = await openEvents(await open(), 's')
      const [early, late] = ['2026-01-02T00:00:00.000Z', '2026-01-01T00:00:00.000Z']
      await events.recordTokenUsage({
        turnId: 't1',
        inputTokens: 100,
        outputTokens: 7,
        costAmount: 0.5,
        costCurrency: 'EUR',
        timestamp: early,
      })
      await events.recordTokenUsage({
        turnId: 't1',
        inputTokens: 0,
        totalTokens: 9,
        outputTokens: null,
        costCurrency: ' ',
        timestamp: late,
      })
      await events.recordTokenUsage({
        turnId: 't2',
        inputTokens: 5,
        costAmount: 0.25,
        costCurrency: '',
        timestamp: late,
      })
      const none = {
        thoughtTokens: null,
        cacheReadTokens: null,
        cacheWriteTokens: null,
        contextUsed: null,
        contextSize: null,
      }
      const t1 = {
        turnId: 't1',
        inputTokens: 0,
        outputTokens: 7,
        totalTokens: 9,
        ...none,
        costAmount: 0.5,
        costCurrency: 'EUR',
        timestamp: late,
      }
      const t2 = {
        turnId: 't2',
        inputTokens: 5,
        outputTokens: null,
        totalTokens: null,
        ...none,
        costAmount: 0.25,
        costCurrency: null,
        timestamp: late,
      }
      for (const handle of [events, await openEvents(await open(), 's')]) {
        assertEqual(await handle.tokenUsage(), [t1, t2], 'the usage of all turns')
        assertEqual(await handle.tokenUsage({ turnId: 't2' }), [t2], 'the usage of one turn')
        const { turns, inputTokens, outputTokens, thoughtTokens, costs } = await handle.tokenTotals()
        assertEqual(
          [turns, inputTokens, outputTokens, thoughtTokens, costs],
          [2, 5, 7, null, { EUR: 0.5, '': 0.25 }],
          'the totals',
        )
      }
      for (const bad of [
        { turnId: ' ' },
        { turnId: 't', inputTokens: -1 },
        { turnId: 't', outputTokens: 0.5 },
        { turnId: 't', costAmount: NaN },
      ]) {
        await assertTypeError(() => events.recordTokenUsage(bad), JSON.stringify(bad))
      }
      assertEqual((await events.tokenUsage()).length, 2, 'the turns after refused reports')
    },
  },
  {
    id: 'events:16',
    title: 'a hook run comes back with every field; a word that is none of the lists is refused, nothing stored',
    async run({ open, openEvents }) {
      const adapter = await open()
      const now = Date.UTC(2026, 10, 28)
      const events = await openEvents(adapter, 's', {
        clock: { now: () => now, elapsed: () => 0, timer: () => () => {} },
      })
      const full: NewHookRun = {
        ...run,
        dispatchDepth: 2,
        patchApplied: { path: ['a', 0], value: null },
        error: 'none',
        required: true,
        recordedAt: '2026-01-01T00:00:00.000000001Z',
      }
      const stored = [await events.recordHookRun(full), await events.recordHookRun({ ...run, patchApplied: null })]
      assertEqual(await events.hookRuns(), stored, 'the runs')
      const { id, ...fields } = stored[0]!
      assert(/^hook-[0-9a-f]{16}$/.test(id), `the id ${id}`)
      assertEqual(fields, full, 'the fields')
      assertEqual(
        [stored[1]?.recordedAt, stored[1]?.required, stored[1]?.dispatchDepth, stored[1]?.patchApplied],
        ['2026-11-28T00:00:00.000Z', false, 0, null],
        'the defaults',
      )
      for (const field of ['event', 'source', 'mode', 'outcome'] as const) {
        for (const word of ['', 'x', 'SYNC', undefined]) {
          await assertTypeError(() => events.recordHookRun({ ...run, [field]: word as never }), `${field} ${word}`)
        }
      }
      for (const bad of [
        { hookName: ' ' },
        { duration: -1 },
        { duration: 0.5 },
        { sessionId: 'other' },
        { recordedAt: 'now' },
      ]) {
        await assertTypeError(() => events.recordHookRun({ ...run, ...bad }), JSON.stringify(bad))
      }
      assertEqual(await lengthOf(adapter, 'events/s/0/hook'), 2, 'the stored runs')
    },
  },
  {
    id: 'events:17',
    title:
      'hook runs by event, outcome, since and latest-N; ties stay in order; a wrong session or word is refused, a malformed stored one is CORRUPT and named',
    async run({ open, openEvents }) {
      const adapter = await open()
      const events = await openEvents(adapter, 's')
      const times = [5, 3, 3, 9, 3, 1]
      for (const [i, second] of times.entries()) {
        await events.recordHookRun({
          ...run,
          hookName: `${i}`,
          event: i % 2 ? 'turn.end' : 'tool.pre_call',
          outcome: i < 3 ? 'denied' : 'failed',
          recordedAt: `2026-01-01T00:00:0${second}Z`,
        })
      }
      const names = async (query: object) => (await events.hookRuns(query)).map(({ hookName }) => hookName).join('')
      assertEqual(await names({}), '512403', 'by time, ties in order of recording')
      assertEqual(await names({ sessionId: 's', since: '2026-01-01T00:00:03.000Z' }), '12403', 'since is inclusive')
      assertEqual(await names({ limit: 2 }), '03', 'the latest two')
      assertEqual(await names({ event: 'turn.end' }), '513', 'of one event')
      assertEqual(await names({ outcome: 'denied', limit: 2 }), '20', 'the latest two of one outcome')
      for (const query of [
        { sessionId: 'other' },
        { event: 'turn.over' as never },
        { outcome: '' as never },
        { limit: -1 },
      ]) {
        await assertTypeError(() => events.hookRuns(query), JSON.stringify(query))
      }
      const [known] = await events.hookRuns({ limit: 1 })
      const text = JSON.stringify({ by: 'another program', value: { ...known, outcome: 'exploded' } })
      await adapter.append('events/s/0/hook', 6, [text])
      const error = await assertCode(events.hookRuns(), 'CORRUPT', 'reading a malformed run')
      assert(error.message.includes('exploded'), `the message names the word: ${error.message}`)
    },
  },
]
