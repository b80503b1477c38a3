import type { Invocation } from '@sessiontree/invocations'
import { assert, assertEqual } from '../assert.ts'
import { counting } from '../counting.ts'
import { delegate } from '../delegate.ts'
import type { InvocationsCase } from '../invocations-case.ts'
import { collect } from '../reading.ts'
import { assertCode, assertTypeError, outcomeOf } from '../rejection.ts'

const skills = (invocations: readonly Invocation[]) => invocations.map(({ skill }) => skill)

/** Reading invocations, and files of them. */
export const readingCases: readonly InvocationsCase[] = [
  {
    id: 'invocations:7',
    title: 'a torn last line: all records before it, the damage reported, and what is appended next can be read',
    async run({ open, api }) {
      const log = api.openInvocations(await open())
      const lines = ['a', 'b', 'c'].map(
        (skill) => `${JSON.stringify({ session_id: 's', skill, final_status: 'ok' })}\n`,
      )
      const torn = lines.join('').slice(0, -20)
      const { imported, damage } = await log.importJsonl(torn)
      assertEqual(
        [imported, damage.map(({ line, lines: many }) => [line, many])],
        [2, [[3, 1]]],
        'the import of a torn file',
      )
      await log.append('s', { skill: 'next' })
      assertEqual(skills(await collect(log.read('s'))), ['a', 'b', 'next'], 'the records')
    },
  },
  {
    id: 'invocations:7/crash',
    title: 'a crash in the middle of appends: everything acknowledged reads back, and the next append is readable',
    needs: ['crash'],
    async run({ open, crash, api }) {
      const log = api.openInvocations(await open())
      for (let i = 0; i < 5; i++) await log.append('s', { skill: `${i}` })
      const late = [5, 6].map((i) => outcomeOf(log.append('s', { skill: `${i}`, message: 'x'.repeat(50_000) })))
      await crash()
      void late
      const again = api.openInvocations(await open())
      await again.append('s', { skill: 'next' })
      const { invocations, damage } = await again.readAll('s')
      assertEqual(skills(invocations).slice(0, 5), ['0', '1', '2', '3', '4'], 'what was acknowledged')
      assertEqual([skills(invocations).at(-1), damage], ['next', []], 'what comes behind it')
    },
  },
  {
    id: 'invocations:8',
    title: 'a corrupt record inside: the others, with its place; strict throws',
    needs: ['damage'],
    async run({ open, damage, api }) {
      const writer = api.openInvocations(await open())
      for (let i = 0; i < 40; i++) await writer.append('s', { skill: `${i}` })
      const lost = await damage('invocations/s/0/entry', 20)
      const log = api.openInvocations(await open())
      const found = await log.readAll('s')
      const left = Array.from({ length: 40 }, (_, i) => i).filter((i) => !lost.includes(i))
      assertEqual(skills(found.invocations), left.map(String), 'the others')
      const told = found.damage.flatMap(({ line, lines = 0 }) => Array.from({ length: lines }, (_, i) => line - 1 + i))
      assertEqual(told, lost, 'the damage')
      const before: string[] = []
      const reading = (async () => {
        for await (const { skill } of log.read('s', { strict: true })) before.push(skill)
      })()
      await assertCode(reading, 'CORRUPT', 'reading strictly')
      assertEqual(before, left.filter((i) => i < lost[0]!).map(String), 'what is before the damage')
      await log.append('s', { skill: 'next' })
      assertEqual(skills((await log.readAll('s')).invocations).at(-1), 'next', 'what is appended behind the damage')
    },
  },
  {
    id: 'invocations:8/file',
    title: 'corrupt lines of a file are reported by number, the others imported; strict stops at the first',
    async run({ open, api }) {
      const log = api.openInvocations(await open())
      const line = (skill: string) => JSON.stringify({ session_id: 's', skill, final_status: 'pass' })
      const file = [line('a'), '{"torn', line('b'), `${line('x')} ${line('y')}`, '[1]', 'null', line('c')].join('\n')
      const { imported, damage } = await log.importJsonl(file)
      assertEqual([imported, damage.map((one) => one.line)], [3, [2, 4, 5, 6]], 'the import')
      assertEqual(skills(await collect(log.read('s'))), ['a', 'b', 'c'], 'the records')
      await assertCode(log.importJsonl(file.replaceAll('"s"', '"t"'), { strict: true }), 'CORRUPT', 'a strict import')
      assertEqual(skills(await collect(log.read('t'))), ['a'], 'what was before the first one')
    },
  },
  {
    id: 'invocations:9',
    title: 'empty and blank lines, CRLF and a missing last line feed are fine, wherever a file is cut into pieces',
    async run({ open, api }) {
      const log = api.openInvocations(await open())
      const record = (skill: string) =>
        JSON.stringify({ session_id: 's', skill, final_status: 'error', message: 'é😀' })
      const file = `\n${record('a')}\r\n  \t \r\n\r\n${record('b')}\n \n${record('c')}`
      for (const pieces of [
        [file],
        Array.from({ length: file.length }, (_, i) => file.charAt(i)),
        [file.slice(0, 77), file.slice(77)],
      ]) {
        const parsed = await collect(api.parseJsonl(pieces))
        const found = parsed.map((one) => ('invocation' in one ? [one.line, one.invocation.skill] : ['damage', '']))
        assertEqual(
          found,
          [
            [2, 'a'],
            [5, 'b'],
            [7, 'c'],
          ],
          `in ${pieces.length} pieces`,
        )
      }
      assertEqual(await log.importJsonl(file), { imported: 3, damage: [] }, 'the import')
      assertEqual((await collect(log.read('s')))[0]?.final_status, 'error', 'words are kept as they are')
    },
  },
  {
    id: 'invocations:16',
    title:
      'sessions are listed; records are found by skill, phase, status and time without reading sessions that cannot have any',
    async run({ open, api }) {
      const { adapter, counts, reset } = counting(await open())
      const log = api.openInvocations(adapter)
      const days = ['2026-04-01', '2026-04-10', '2026-04-20']
      for (const [i, day] of days.entries()) {
        for (const skill of ['tdd', `only-${i}`]) {
          for (const final_status of ['ok', 'fail']) {
            await log.append(`s${i}`, {
              skill,
              final_status,
              phase: skill === 'tdd' ? 'red' : '',
              timestamp: `${day}T12:00:00Z`,
            })
          }
        }
      }
      assertEqual(await collect(log.sessions()), ['s0', 's1', 's2'], 'the sessions')
      const found = async (filter: object) => {
        reset()
        const invocations = await collect(api.openInvocations(adapter).query(filter))
        return [
          invocations.map((one) => `${one.session_id}/${one.skill}/${one.final_status}`),
          counts.read.records > 0 && counts.read.calls,
        ]
      }
      const both = (session: string, skill: string) => [`${session}/${skill}/ok`, `${session}/${skill}/fail`]
      assertEqual(await found({ skill: 'only-1' }), [both('s1', 'only-1'), 1], 'one skill')
      assertEqual(
        await found({ phase: 'red', status: 'pass' }),
        [['s0/tdd/ok', 's1/tdd/ok', 's2/tdd/ok'], 3],
        'a phase and a status',
      )
      const window = { skill: 'tdd', since: '2026-04-10T12:00:00Z', until: '2026-04-20T12:00:00Z' }
      assertEqual(await found(window), [both('s1', 'tdd'), 2], 'a window, inclusive and exclusive')
      assertEqual(await found({ since: '2026-05-01T00:00:00Z' }), [[], false], 'a window without any')
      assertEqual(await found({ skill: 'unknown' }), [[], false], 'a skill without any')
      // A record outside what the session was known to cover widens that first.
      await log.append('s0', { skill: 'late', timestamp: '2026-06-01T00:00:00Z' })
      assertEqual(await found({ skill: 'late', since: '2026-05-01T00:00:00Z' }), [['s0/late/skip'], 1], 'a late one')
      for (const bad of [{ status: 'perhaps' }, { since: 'yesterday' }]) {
        await assertTypeError(() => collect(log.query(bad)), JSON.stringify(bad))
      }
    },
  },
  {
    id: 'invocations:17',
    title:
      'pass rate: older words count, skip does not, null where nothing counts, zeros for a skill that nobody knows',
    async run({ open, api }) {
      const clock = { now: () => Date.UTC(2026, 3, 20), elapsed: () => 0, timer: () => () => {} }
      const log = api.openInvocations(await open(), { clock })
      const words = ['pass', 'ok', 'fail', 'error', 'skip', 'skipped', 'pass']
      for (const [i, final_status] of words.entries()) {
        await log.append(`s${i % 2}`, { skill: 'tdd', final_status, timestamp: '2026-04-19T00:00:00Z' })
      }
      await log.append('s0', { skill: 'tdd', final_status: 'fail', timestamp: '2026-04-01T00:00:00Z' })
      await log.append('s0', { skill: 'spec', final_status: 'skip' })
      const rate = { pass: 3, fail: 2, skip: 2, pass_rate: 3 / 5 }
      assertEqual(await log.passRate({ skill: 'tdd' }), rate, 'within 7 days')
      assertEqual(
        await log.passRate({ skill: 'tdd', window: '30d' }),
        { ...rate, fail: 3, pass_rate: 0.5 },
        'within 30 days',
      )
      assertEqual(
        await log.passRate({ skill: 'tdd', window: '12h' }),
        { pass: 0, fail: 0, skip: 0, pass_rate: null },
        'within 12 hours',
      )
      assertEqual(await log.passRate({ skill: 'spec' }), { pass: 0, fail: 0, skip: 1, pass_rate: null }, 'of skips')
      assertEqual(
        await log.passRate({ skill: 'nobody' }),
        { pass: 0, fail: 0, skip: 0, pass_rate: null },
        'of an unknown skill',
      )
      await assertTypeError(() => log.passRate({ window: 'a week' }), 'a window that is none')
    },
  },
  {
    id: 'invocations:18',
    title: 'history for a prompt: a line each, one phase left out, "" for none',
    async run({ open, api }) {
      const log = api.openInvocations(await open())
      await log.append('s', { skill: 'spec', phase: 'plan', final_status: 'ok', message: 'two\nlines' })
      await log.append('s', { skill: 'tdd', phase: 'red', attempts: [{ model: 'a' }, { model: 'b', verified: true }] })
      const invocations = await collect(log.read('s'))
      const text = api.formatHistory(invocations)
      assertEqual(
        text,
        'Earlier in this session:\n- spec (plan): pass. two lines\n- tdd (red): pass after 2 attempts: a → b\n',
        'the history',
      )
      const without = api.formatHistory(invocations, { excludePhase: 'red' })
      assertEqual(without, 'Earlier in this session:\n- spec (plan): pass. two lines\n', 'without a phase')
      assertEqual(
        [api.formatHistory([]), api.formatHistory(invocations.slice(1), { excludePhase: 'red' })],
        ['', ''],
        'of none',
      )
    },
  },
  {
    id: 'invocations:19',
    title: 'reading streams: the first record comes before the log is read to its end, and leaving ends the reading',
    async run({ open, api }) {
      const inner = await open()
      const writer = api.openInvocations(inner)
      const message = 'x'.repeat(100_000)
      await Promise.all(Array.from({ length: 60 }, (_, i) => writer.append('s', { skill: `${i}`, message })))
      let records = 0
      const adapter = delegate(inner, {
        async *read(log, range) {
          for await (const { at, records: texts } of inner.read(log, range)) {
            // As small as batches can be: what is pulled is what is needed.
            for (const [i, text] of texts.entries()) {
              records++
              yield { at: at + i, records: [text] }
            }
          }
        },
      })
      const log = api.openInvocations(adapter)
      for await (const { skill } of log.read('s')) if (skill === '9') break
      assert(records <= 12, `10 records were asked for, ${records} were read`)
    },
  },
  {
    id: 'invocations:20',
    title: 'an export is plain JSONL: one object a line, a line feed behind each, and what it holds is what was stored',
    async run({ open, api }) {
      const log = api.openInvocations(await open())
      const stored = []
      for (const message of ['plain', 'line\r\nbreaks\u2028', '😀 \ud800']) {
        stored.push(await log.append('s', { skill: 'tdd', message }))
      }
      const text = (await collect(log.exportJsonl('s'))).join('')
      assert(text.endsWith('\n') && !text.includes('\r'), 'each line ends in a line feed, and nothing else does')
      const lines = text.slice(0, -1).split('\n')
      assertEqual(
        lines.map((line) => JSON.parse(line) as unknown),
        stored,
        'the lines',
      )
    },
  },
]
