import { encodeSegment } from '@sessiontree/core'
import { assert, assertEqual } from '../assert.ts'
import { counting } from '../counting.ts'
import { gating } from '../gating.ts'
import type { LedgerCase } from '../ledger-case.ts'
import { collect, lengthOf } from '../reading.ts'
import { assertCode, assertTypeError, outcomeOf } from '../rejection.ts'
import { abortableSignal } from '../signal.ts'

const criterion = (criterion_id: string, status: string) => ({ type: 'criterion', criterion_id, status })

/** Ledgers as they are kept. */
export const storageCases: readonly LedgerCase[] = [
  {
    id: 'ledger:9',
    title: 'updated_at is the time of the last entry; what an append returns is what is loaded afterwards',
    async run({ open, api }) {
      const ledger = api.openLedger(await open(), 't')
      const inputs = [
        criterion('a', 'pass'),
        { ...criterion('b', 'fail'), recorded_at: '2020-01-01T00:00:00Z', id: 'mine' },
        [criterion('a', 'fail'), { type: 'phase', phase_id: 'p', status: 'blocked' }],
      ]
      for (const input of inputs) {
        const { ledger: returned, entries } = await ledger.append(input)
        assertEqual(await ledger.load(), returned, 'loaded by the same handle')
        assertEqual(await api.openLedger(await open(), 't').load(), returned, 'loaded by another handle')
        assertEqual(returned.updated_at, entries.at(-1)?.recorded_at, 'updated_at')
      }
    },
  },
  {
    id: 'ledger:13',
    title: 'appending to a ledger that is not there creates it; ids and times are filled in, given ones kept',
    async run({ open, api }) {
      const adapter = await open()
      const ledger = api.openLedger(adapter, 't', {
        clock: { now: () => Date.UTC(2026, 10, 28), elapsed: () => 0, timer: () => () => {} },
      })
      const { entries: first } = await ledger.append({ type: 'approval', reason: 'go', status: '' })
      const filled = { id: 'entry-1', type: 'approval', reason: 'go', recorded_at: '2026-11-28T00:00:00.000Z' }
      assertEqual(first, [filled], 'what was filled in')
      const given = { ...criterion('c', 'pass'), id: 'mine', recorded_at: 'yesterday' }
      const { entries } = await ledger.append([given, { type: 'note' }])
      assertEqual([entries[0], entries[1]?.id], [given, 'entry-3'], 'what was kept')
      for (const bad of [
        {},
        { type: ' ' },
        { type: 'x', exit_code: 0.5 },
        { type: 'x', reason: 1 },
        null,
        { type: 'x', extra: NaN },
      ]) {
        await assertTypeError(() => ledger.append(bad as never), JSON.stringify(bad))
      }
      assertEqual((await ledger.load()).entries.length, 3, 'the entries')
    },
  },
  {
    id: 'ledger:14',
    title: 'an id that is taken: the same entry is not stored again, another one is DUPLICATE',
    async run({ open, api }) {
      const ledger = api.openLedger(await open(), 't')
      const { entries: first } = await ledger.append({ id: 'one', ...criterion('c', 'pass') })
      assertEqual((await ledger.append({ id: 'one', ...criterion('c', 'pass') })).entries, first, 'the same again')
      const other = api.openLedger(await open(), 't')
      await assertCode(other.append({ id: 'one', ...criterion('c', 'fail') }), 'DUPLICATE', 'another')
      await assertCode(
        other.append([{ type: 'note' }, { id: 'x', type: 'a' }, { id: 'x', type: 'b' }]),
        'DUPLICATE',
        'twice in one call',
      )
      assertEqual((await other.load()).entries, first, 'the entries')
    },
  },
  {
    id: 'ledger:15',
    title: 'a crash leaves all of an append or nothing of it, and nothing else',
    needs: ['crash'],
    async run({ open, crash, api }) {
      let whole = 0
      for (let round = 0; round < 8; round++) {
        const ledger = api.openLedger(await open(), 't')
        if (round === 0) await ledger.append([1, 2, 3].map((n) => criterion(`c${n}`, 'pass')))
        const appends = [0, 1].map(() => outcomeOf(ledger.append([1, 2, 3].map((n) => criterion(`c${n}`, 'pass')))))
        // At another moment each time.
        for (let tick = 0; tick < round * 25; tick++) await Promise.resolve()
        if (round === 7) await appends[0]
        await crash()
        const adapter = await open()
        const { entries } = await api.openLedger(adapter, 't').load()
        assertEqual(entries.length % 3, 0, `entries after crash ${round}: ${entries.length}, in threes`)
        assert(entries.length >= whole, 'nothing that was there is gone')
        whole = entries.length
        const names = [(await collect(adapter.keys(''))).flat(), (await collect(adapter.logs(''))).flat()]
        assertEqual(names, [['ledger/t'], ['ledger/t/0/entry']], 'what is in the store')
      }
      assert(whole >= 9, 'what was acknowledged is there')
    },
  },
  {
    id: 'ledger:16',
    title: '8 appends at once, of one handle and of 8, are 8 entries with 8 ids',
    needs: ['sharing'],
    async run({ open, api }) {
      const one = api.openLedger(await open(), 'one')
      await Promise.all(Array.from({ length: 8 }, () => one.append({ type: 'note' })))
      const handles = await Promise.all(Array.from({ length: 8 }, async () => api.openLedger(await open(), 'many')))
      await Promise.all(handles.map((ledger) => ledger.append({ type: 'note' })))
      const wanted = Array.from({ length: 8 }, (_, i) => `entry-${i + 1}`)
      for (const ledger of [one, handles[0]!]) {
        assertEqual(
          (await ledger.load()).entries.map(({ id }) => id),
          wanted,
          `the ids of ${ledger.taskId}`,
        )
      }
    },
  },
  {
    id: 'ledger:17',
    title: 'a damaged ledger is CORRUPT to load and to append to, and stays as it is',
    needs: ['damage'],
    async run({ open, damage, api }) {
      const writer = api.openLedger(await open(), 't')
      for (let i = 0; i < 9; i++) await writer.append({ type: 'note' })
      await damage('ledger/t/0/entry', 4)
      const adapter = await open()
      const left = () => collect(adapter.read('ledger/t/0/entry', { salvage: true }))
      const before = await left()
      const ledger = api.openLedger(await open(), 't')
      await assertCode(ledger.load(), 'CORRUPT', 'load')
      await assertCode(ledger.append({ type: 'note' }), 'CORRUPT', 'append')
      assertEqual(await left(), before, 'what is stored')
    },
  },
  {
    id: 'ledger:18',
    title: 'ledgers are listed by task id; empty and foreign places are left out, and a damaged one hides no other',
    needs: ['damageDocument'],
    async run({ open, damageDocument, api }) {
      const adapter = await open()
      for (const id of ['b', 'é', 'a', 'B', '\u{1f600}', '\uffff', 'hurt', 'deleted']) {
        await api.openLedger(adapter, id).append({ type: 'note', reason: id })
      }
      await api.openLedger(adapter, 'deleted').delete()
      // Somebody created it and went away before the first entry.
      const { value } = (await adapter.get('ledger/a'))!
      await adapter.put('ledger/empty', value.replace('"id":"a"', '"id":"empty"'), { expect: 'absent' })
      await adapter.append('ledger/foreign', 0, ['"not a ledger"'])
      await adapter.put('ledger/a/foreign', '{}', { expect: 'absent' })
      await damageDocument('ledger/hurt')
      const listed = await collect(api.listLedgers(await open()))
      assertEqual(
        listed.flatMap((one) => ('ledger' in one ? [[one.taskId, one.ledger.entries[0]?.reason]] : [])),
        ['B', 'a', 'b', 'é', '\uffff', '\u{1f600}'].map((id) => [id, id]),
        'what is listed',
      )
      assertEqual(
        listed.flatMap((one) => ('error' in one ? [one.error.code] : [])),
        ['CORRUPT'],
        'what is reported',
      )
    },
  },
  {
    id: 'ledger:19',
    title: 'a ledger that is not there is NOT_FOUND, and looking for it creates nothing',
    async run({ open, api }) {
      const { adapter, counts } = counting(await open())
      await assertCode(api.openLedger(adapter, 't').load(), 'NOT_FOUND', 'load')
      await assertCode(api.openLedger(adapter, 't').delete(), 'NOT_FOUND', 'delete')
      assertEqual(await collect(api.listLedgers(adapter)), [], 'the list')
      assertEqual([counts.put.calls, counts.append.calls], [0, 0], 'writes')
    },
  },
  {
    id: 'ledger:20',
    title: 'no task id leaves its place: separators, dots, odd characters and length are encoded, a blank one refused',
    async run({ open, api }) {
      const adapter = await open()
      const ids = ['../../x', '..', 'a/b', 'a\\b', 'C:x', 'con', 'A', 'a', 'é', 'x'.repeat(900), '\u0000']
      for (const id of ids) await api.openLedger(adapter, id).append({ type: 'note', reason: id })
      for (const id of ids) {
        const { task_id, entries } = await api.openLedger(adapter, id).load()
        assertEqual(
          [task_id, entries.map(({ reason }) => reason)],
          [id, [id]],
          `ledger ${JSON.stringify(id.slice(0, 20))}`,
        )
      }
      const keys = (await collect(adapter.keys(''))).flat()
      assertEqual(keys.toSorted(), ids.map((id) => `ledger/${encodeSegment(id)}`).toSorted(), 'the keys')
      for (const id of ['', ' ', '\ud800']) {
        await assertTypeError(() => api.openLedger(adapter, id).append({ type: 'note' }), JSON.stringify(id))
      }
    },
  },
  {
    id: 'ledger:21',
    title: 'a newer schema is not written to; fields that nobody knows survive',
    async run({ open, api }) {
      const adapter = await open()
      const odd = { ...criterion('c', 'pass'), lease: { until: null, list: [1] }, __proto: 'x' }
      await api.openLedger(adapter, 't').append(odd)
      const { ledger } = await api.openLedger(await open(), 't').append({ type: 'note' })
      const { id: _id, recorded_at: _at, ...kept } = ledger.entries[0]!
      assertEqual(kept, odd, 'the fields of an entry')
      const file = api.formatLedger({ ...ledger, extra: { kept: true } })
      assertEqual(api.formatLedger(api.parseLedger(file)), file, 'a ledger as a file, read and written again')
      const { value, version } = (await adapter.get('ledger/t'))!
      await adapter.put('ledger/t', value.replace('"schema_version":1', '"schema_version":9,"shape":[]'), {
        expect: version,
      })
      const later = api.openLedger(await open(), 't')
      await assertCode(later.append({ type: 'note' }), 'FORMAT', 'an append')
      const { schema_version, shape, entries } = await later.load()
      assertEqual([schema_version, shape, entries.length], [9, [], 2], 'what can be read of it')
    },
  },
  {
    id: 'ledger:22',
    title:
      'append with a function sees the ledger as it is and adds all or none of what it returns; one that throws writes nothing',
    async run({ open, api }) {
      const handles = [api.openLedger(await open(), 't'), api.openLedger(await open(), 't')]
      const error = new Error('no')
      const throwing = handles[0]!.append(() => {
        throw error
      })
      const outcome = await outcomeOf(throwing)
      assert(!outcome.ok && outcome.error === error, 'the error of the function')
      await assertCode(handles[0]!.load(), 'NOT_FOUND', 'nothing was created')
      // Each replaces the attempt that runs with its own: never two at a time, whoever races.
      const attempt = (number: number) =>
        handles[number % 2]!.append(async ({ entries }) => {
          const running = entries.findLast(({ type }) => type === 'review_attempt')
          const start = { type: 'review_attempt', status: 'running', attempt_id: `a${number}` }
          const isRunning = running?.status === 'running'
          return isRunning ? [{ ...start, status: 'abandoned', attempt_id: running['attempt_id'] }, start] : start
        })
      await Promise.all(Array.from({ length: 10 }, (_, number) => attempt(number)))
      const { entries } = await handles[0]!.load()
      assertEqual(entries.length, 19, 'the entries')
      for (let i = 1; i < entries.length; i += 2) {
        const said = [entries[i]?.status, entries[i]?.['attempt_id'], entries[i + 1]?.status]
        assertEqual(said, ['abandoned', entries[i - 1]?.['attempt_id'], 'running'], `entries ${i} and ${i + 1}`)
      }
      const none = await handles[1]!.append(({ entries: seen }) => (seen.length === 19 ? [] : { type: 'note' }))
      assertEqual([none.entries, none.ledger.entries.length], [[], 19], 'a function that adds nothing')
    },
  },
  {
    id: 'ledger:23',
    title: 'an append that waits is given up with the reason of its signal, and then writes nothing',
    async run({ open, api }) {
      const gate = gating(await open())
      const ledger = api.openLedger(gate.adapter, 't')
      await ledger.append({ type: 'note' })
      const held = gate.park('append', 'before')
      const first = ledger.append({ type: 'note' })
      await held.parked
      const { signal, abort } = abortableSignal()
      const second = outcomeOf(ledger.append({ type: 'late' }, { signal }))
      abort()
      const outcome = await second
      assert(!outcome.ok && outcome.error === signal.reason, 'the reason')
      await held.release()
      await first
      await ledger.append({ type: 'after' })
      assertEqual(
        (await ledger.load()).entries.map(({ type }) => type),
        ['note', 'note', 'after'],
        'the entries',
      )
    },
  },
  {
    id: 'ledger:26',
    title: 'exit code 0 is stored and differs from none; long output is cut between characters and says so',
    async run({ open, api }) {
      const ledger = api.openLedger(await open(), 't', { maxOutputBytes: 10 })
      await ledger.append([
        { ...criterion('a', 'pass'), command: 'true', exit_code: 0, output: 'short' },
        criterion('b', 'pending'),
        { ...criterion('c', 'fail'), exit_code: 1, output: 'ab😀😀😀' },
        { type: 'workspace_baseline', output: 'longer than ten bytes' },
      ])
      const { entries } = await api.openLedger(await open(), 't').load()
      assertEqual(
        entries.map((entry) => 'exit_code' in entry && entry.exit_code),
        [0, false, 1, false],
        'the exit codes',
      )
      assertEqual(
        entries.map(({ output }) => output),
        ['short', undefined, 'ab😀😀', 'longer than ten bytes'],
        'the outputs',
      )
      assertEqual(
        entries.map((entry) => entry.output_truncated),
        [undefined, undefined, true, undefined],
        'the flags',
      )
    },
  },
  {
    id: 'ledger:27',
    title: 'receipts hang together; where one does not, the ledger says so, and nothing is appended to it',
    async run({ open, api }) {
      const adapter = await open()
      const ledger = api.openLedger(adapter, 't')
      const digest = (digit: string) => digit.repeat(64)
      await ledger.append([{ type: 'receipt', digest: digest('a') }, { type: 'note' }])
      const { ledger: sound, entries } = await ledger.append({ type: 'receipt', digest: digest('b') })
      assertEqual(sound['invalid'], undefined, 'a sound ledger')
      assert(/^[0-9a-f]{64}$/.test(String(entries[0]?.['ledger_head'])), 'a receipt names the head that it makes')
      const breaking = { type: 'receipt', digest: digest('c'), ledger_head: digest('0') }
      await assertCode(ledger.append(breaking), 'CONFLICT', 'a receipt with another head')
      await assertTypeError(() => ledger.append({ type: 'receipt', digest: 'x' }), 'a receipt of nothing')
      assertEqual(await lengthOf(adapter, 'ledger/t/0/entry'), 3, 'the entries')
      const forged = { id: 'forged', recorded_at: 'now', ...breaking }
      await adapter.append('ledger/t/0/entry', 3, [JSON.stringify({ by: 'another program', value: forged })])
      const later = api.openLedger(await open(), 't')
      const loaded = await later.load()
      assertEqual(
        (loaded['invalid'] as { entry_id?: string } | undefined)?.entry_id,
        'forged',
        'what is said about a broken ledger',
      )
      await assertCode(later.append({ type: 'note' }), 'CORRUPT', 'an append to it')
      assertEqual(await lengthOf(adapter, 'ledger/t/0/entry'), 4, 'the entries afterwards')
    },
  },
]
