import { encodeSegment, SessionError } from '@sessiontree/core'
import { assert, assertEqual } from '../assert.ts'
import { counting } from '../counting.ts'
import { delegate } from '../delegate.ts'
import type { InvocationsCase } from '../invocations-case.ts'
import { collect, lengthOf } from '../reading.ts'
import { assertCode, assertTypeError, outcomeOf } from '../rejection.ts'

const full = {
  session_id: 's',
  timestamp: '2026-04-18T10:00:00.123456789+02:00',
  skill: 'tdd',
  phase: 'red',
  project_root: '/src',
  input: { html: '<b>', nothing: null, list: [1, { a: '' }] },
  attempts: [
    { attempt: 1, model: 'small', output_summary: 'wrong', runner_output: 'x', verified: false },
    { attempt: 2, model: 'large', verified: true, verdict: 'accept', warm_start: false },
  ],
  final_status: 'pass',
  file_path: 'a.ts',
  model_used: 'large',
  duration_ms: 0,
}

/** Appending invocations. */
export const recordingCases: readonly InvocationsCase[] = [
  {
    id: 'invocations:1',
    title: 'append creates the log; records come back in order, with all their fields',
    async run({ open, api }) {
      const log = api.openInvocations(await open())
      const stored = [await log.append('s', full), await log.append('s', { ...full, input: null, final_status: 'ok' })]
      stored.push(await log.append('s', { skill: 'review', final_status: 'fail', timestamp: full.timestamp }))
      assertEqual(stored.slice(0, 2), [full, { ...full, input: null, final_status: 'ok' }], 'what append resolves with')
      assertEqual(await collect(api.openInvocations(await open()).read('s')), stored, 'what is read')
    },
  },
  {
    id: 'invocations:2',
    title: 'a session that has no log reads as empty, and reading creates nothing',
    async run({ open, api }) {
      const { adapter, counts } = counting(await open())
      const log = api.openInvocations(adapter)
      assertEqual(await log.readAll('nobody'), { invocations: [], damage: [] }, 'what is read')
      assertEqual([await collect(log.sessions()), await collect(log.query())], [[], []], 'what is listed')
      assertEqual([counts.put.calls, counts.append.calls], [0, 0], 'writes')
    },
  },
  {
    id: 'invocations:3',
    title: 'sessions are apart from each other',
    async run({ open, api }) {
      const log = api.openInvocations(await open())
      for (const id of ['a', 'b', 'a/b', 'a.b']) await log.append(id, { skill: id })
      for (const id of ['a', 'b', 'a/b', 'a.b']) {
        assertEqual(
          (await collect(log.read(id))).map(({ skill }) => skill),
          [id],
          `the log of ${id}`,
        )
      }
      await log.delete('a')
      assertEqual((await collect(log.read('a/b'))).length, 1, 'another one, after a deletion')
      await assertCode(collect(log.read('a')), 'DELETED', 'reading what was deleted')
    },
  },
  {
    id: 'invocations:4',
    title: 'empty optional fields are left out; the ones that are always there are always there',
    async run({ open, api }) {
      const log = api.openInvocations(await open())
      await log.append('s', {
        skill: 'tdd',
        phase: '',
        attempts: [],
        file_path: '',
        input: undefined,
        message: undefined,
      })
      await log.append('s', { skill: 'tdd', attempts: [{ model: 'm' }, { model: '', attempt: 7, output_summary: '' }] })
      const [bare, tried] = await collect(log.read('s'))
      assertEqual(Object.keys(bare!).toSorted(), ['final_status', 'session_id', 'skill', 'timestamp'], 'the fields')
      assertEqual(
        tried!.attempts,
        [
          { attempt: 1, model: 'm', verified: false },
          { attempt: 7, model: '', verified: false },
        ],
        'the attempts',
      )
    },
  },
  {
    id: 'invocations:5',
    title: 'time, session and status are filled in; another session, a bad time, status, skill or attempt is refused',
    async run({ open, api }) {
      const clock = { now: () => Date.UTC(2026, 10, 28), elapsed: () => 0, timer: () => () => {} }
      const log = api.openInvocations(await open(), { clock })
      const stored = await log.append('s', { skill: 'tdd' })
      assertEqual(
        [stored.session_id, stored.timestamp, stored.final_status],
        ['s', '2026-11-28T00:00:00.000Z', 'skip'],
        'filled in',
      )
      const derived = [
        await log.append('s', { skill: 'tdd', attempts: [{ model: 'm', verified: true }, { model: 'm' }] }),
        await log.append('s', { skill: 'tdd', attempts: [{ model: 'm' }, { model: 'm', verified: true }] }),
      ]
      assertEqual(
        derived.map(({ final_status }) => final_status),
        ['fail', 'pass'],
        'a status from the attempts',
      )
      for (const bad of [
        { session_id: 'other' },
        { timestamp: 'yesterday' },
        { final_status: 'perhaps' },
        { skill: ' ' },
        { attempts: [{ verified: true }] },
        { attempts: {} },
      ]) {
        await assertTypeError(() => log.append('s', { skill: 'tdd', ...bad } as never), JSON.stringify(bad))
      }
      assertEqual((await collect(log.read('s'))).length, 3, 'the records')
    },
  },
  {
    id: 'invocations:6',
    title: 'records of 64 KiB, 1 MiB and 4 MB come back, stored and as lines of a file',
    async run({ open, api }) {
      const log = api.openInvocations(await open())
      const sizes = [1 << 16, 1 << 20, 4_000_000]
      for (const size of sizes)
        await log.append('s', { skill: 'tdd', attempts: [{ model: 'm', runner_output: 'x'.repeat(size) }] })
      const lengths = []
      for await (const { attempts } of log.read('s')) lengths.push(attempts?.[0]?.runner_output?.length)
      assertEqual(lengths, sizes, 'the lengths')
      const lines = await collect(log.exportJsonl('s'))
      // In pieces, as a file is read.
      const pieces = lines.join('').match(/[^]{1,65536}/g) ?? []
      assertEqual(
        await log.importJsonl(pieces.map((piece) => piece.replaceAll('"s"', '"t"'))),
        { imported: 3, damage: [] },
        'the import',
      )
      assertEqual(
        (await collect(log.exportJsonl('t'))).map(({ length }) => length),
        lines.map(({ length }) => length),
        'the lines',
      )
    },
  },
  {
    id: 'invocations:10',
    title: 'when a record cannot be written as JSON, nothing is created',
    async run({ open, api }) {
      const { adapter, counts } = counting(await open())
      const log = api.openInvocations(adapter)
      const cycle: { self?: unknown } = {}
      cycle.self = cycle
      for (const input of [1n, NaN, cycle, new Map(), () => 1]) {
        await assertTypeError(() => log.append('s', { skill: 'tdd', input }), typeof input)
      }
      assertEqual([counts.put.calls, counts.append.calls], [0, 0], 'writes')
    },
  },
  {
    id: 'invocations:11',
    title: 'appends at once, of one handle and of several, never mix: every record is there once and whole',
    needs: ['sharing'],
    async run({ open, api }) {
      const logs = [
        api.openInvocations(await open()),
        api.openInvocations(await open()),
        api.openInvocations(await open()),
      ]
      const wanted = Array.from({ length: 60 }, (_, i) => `${i}:${'x'.repeat(9000)}`)
      await Promise.all(wanted.map((message, i) => logs[i % 3]!.append('s', { skill: `skill-${i % 7}`, message })))
      const read = (await collect(logs[0]!.read('s'))).map(({ message }) => message)
      const sorted = (texts: readonly unknown[]) => texts.map(String).toSorted((a, b) => (a < b ? -1 : 1))
      assertEqual(sorted(read), sorted(wanted), 'the records')
      for (let handle = 0; handle < 3; handle++) {
        const own = read.flatMap((message) =>
          Number(message?.split(':')[0]) % 3 === handle ? [Number(message?.split(':')[0])] : [],
        )
        assertEqual(
          own,
          own.toSorted((a, b) => a - b),
          `the order of handle ${handle}`,
        )
      }
    },
  },
  {
    id: 'invocations:12',
    title:
      'an append resolves as durable as the adapter says, and every failure to write or to close reaches the caller',
    async run({ open, api }) {
      const inner = await open()
      let failing: 'IO' | 'QUOTA' | undefined
      const adapter = delegate(inner, {
        async append(...args) {
          if (failing) throw new SessionError(failing, 'the disk says no')
          return inner.append(...args)
        },
      })
      const log = api.openInvocations(adapter)
      await log.append('s', { skill: 'tdd' })
      for (const code of ['IO', 'QUOTA'] as const) {
        failing = code
        await assertCode(log.append('s', { skill: 'tdd' }), code, `an append where the store says ${code}`)
      }
      failing = undefined
      await log.append('s', { skill: 'tdd' })
      await log.close()
      await assertCode(log.append('s', { skill: 'tdd' }), 'CLOSED', 'an append after close')
      assertEqual(await lengthOf(inner, 'invocations/s/0/entry'), 2, 'the records')
    },
  },
  {
    id: 'invocations:12/flush',
    title: 'a flush that fails is never taken for a record that is kept',
    needs: ['openFailingNextFlush'],
    async run({ openFailingNextFlush, api }) {
      const log = api.openInvocations(await openFailingNextFlush())
      const outcome = await outcomeOf(log.append('s', { skill: 'tdd' }))
      assert(!outcome.ok && SessionError.is(outcome.error), 'the append rejects with an error of the library')
    },
  },
  {
    id: 'invocations:13',
    title:
      'no session id leaves its place: separators, dots, odd characters and length are encoded, a blank one refused',
    async run({ open, api }) {
      const adapter = await open()
      const log = api.openInvocations(adapter)
      const ids = ['../esc', '..', '.', 'x/y', 'x\\y', 'nul', 'A', 'a', 'é', 'x'.repeat(900), '\u0000']
      for (const id of ids) await log.append(id, { skill: 'tdd', message: id })
      for (const id of ids) {
        const read = (await collect(log.read(id))).map(({ session_id, message }) => [session_id, message])
        assertEqual(read, [[id, id]], `session ${JSON.stringify(id.slice(0, 20))}`)
      }
      const keys = (await collect(adapter.keys(''))).flat()
      assertEqual(keys.toSorted(), ids.map((id) => `invocations/${encodeSegment(id)}`).toSorted(), 'the keys')
      for (const id of ['', ' ', '\ud800']) {
        await assertTypeError(() => log.append(id, { skill: 'tdd' }), JSON.stringify(id))
      }
    },
  },
  {
    id: 'invocations:14',
    title: 'fields of newer writers do no harm and survive reading, export and import',
    async run({ open, api }) {
      const log = api.openInvocations(await open())
      const odd = {
        skill: 'tdd',
        shape: { of: [null] },
        error: 'x',
        damage: 1,
        attempts: [{ model: 'm', novel: { a: 1 } }],
      }
      const stored = await log.append('s', odd)
      assertEqual(
        [stored['shape'], stored['error'], stored.attempts?.[0]?.['novel']],
        [odd.shape, 'x', { a: 1 }],
        'the fields',
      )
      const lines = (await collect(log.exportJsonl('s'))).map((line) =>
        line.replace('"session_id":"s"', '"session_id":"t"'),
      )
      assertEqual(await log.importJsonl(lines), { imported: 1, damage: [] }, 'the import')
      assertEqual(await collect(log.read('t')), [{ ...stored, session_id: 't' }], 'what was imported')
    },
  },
  {
    id: 'invocations:15',
    title: 'attempts keep their order: a wrong one and its correction stay a pair',
    async run({ open, api }) {
      const log = api.openInvocations(await open())
      const attempts = [3, 1, 2].map((attempt) => ({ attempt, model: `m${attempt}`, verified: attempt === 2 }))
      await log.append('s', { skill: 'tdd', attempts })
      assertEqual((await collect(log.read('s')))[0]?.attempts, attempts, 'the attempts')
    },
  },
]
