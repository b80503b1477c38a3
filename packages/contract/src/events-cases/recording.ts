import { SessionError, type StorageAdapter } from '@sessiontree/core'
import { assert, assertEqual } from '../assert.ts'
import { counting } from '../counting.ts'
import { delegate } from '../delegate.ts'
import type { EventsCase } from '../events-case.ts'
import { gating } from '../gating.ts'
import { collect } from '../reading.ts'
import { assertCode, assertTypeError, outcomeOf } from '../rejection.ts'
import { abortableSignal, abortedSignal } from '../signal.ts'
import { numbered, plain, sequences } from './numbered.ts'

const contents = ['', ' ', '{"a":1}', 'line\r\nbreaks', '\u0000\ud800 lone', '😀 e\u0301 \u00e9', 'x'.repeat(200_000)]

/** Writing events. */
export const recordingCases: readonly EventsCase[] = [
  {
    id: 'events:1',
    title: 'opening creates what is needed; opening again changes nothing',
    async run({ open, openEvents, listEvents }) {
      const adapter = await open()
      await openEvents(adapter, 's')
      const before = await adapter.get('events/s')
      assert(before !== undefined, 'there is a document')
      for (let i = 0; i < 3; i++) await openEvents(await open(), 's')
      assertEqual(await adapter.get('events/s'), before, 'the document, opened again')
      const [listed] = await collect(listEvents(adapter))
      assertEqual(listed && 'sessionId' in listed && listed.sessionId, 's', 'the session that is listed')
    },
  },
  {
    id: 'events:2',
    title: 'a blank session id is a TypeError and creates nothing; white space around an id is dropped',
    async run({ open, openEvents, openEventsReadOnly }) {
      const adapter = await open()
      for (const id of ['', '  ', undefined as never]) {
        await assertTypeError(() => openEvents(adapter, id), `openEvents(${JSON.stringify(id)})`)
        await assertTypeError(() => openEventsReadOnly(adapter, id), `openEventsReadOnly(${JSON.stringify(id)})`)
      }
      assertEqual((await collect(adapter.keys(''))).flat(), [], 'the documents')
      const events = await openEvents(adapter, '  s ')
      assertEqual(events.sessionId, 's', 'sessionId')
      await events.record(plain())
      assertEqual((await (await openEvents(adapter, 's')).query()).length, 1, 'the events of the trimmed id')
    },
  },
  {
    id: 'events:3',
    title: 'sequences are 1, 2, 3 … without gaps; a failed write takes no number',
    async run({ open, openEvents }) {
      const events = await openEvents(await open(), 's')
      const stored = [await events.recordPersisted(plain())]
      await assertTypeError(() => events.record({ ...plain(), turnId: ' ' }), 'a blank turn id')
      await assertTypeError(() => events.record({ ...plain(), content: NaN }), 'NaN')
      await outcomeOf(events.record(plain(), { signal: abortedSignal(new Error('enough')) }))
      for (let i = 0; i < 5; i++) stored.push(await events.recordPersisted(plain()))
      assertEqual(sequences(stored), [1, 2, 3, 4, 5, 6], 'the sequences')
      assertEqual(sequences(await events.query()), [1, 2, 3, 4, 5, 6], 'the stored sequences')
    },
  },
  {
    id: 'events:4',
    title: 'handles that take turns, and handles that race, share one gap-free sequence',
    needs: ['sharing'],
    async run({ open, openEvents }) {
      const handles = await Promise.all([open(), open(), open()].map(async (adapter) => openEvents(await adapter, 's')))
      const told: number[] = []
      for (let i = 0; i < 9; i++) told.push((await handles[i % 3]!.recordPersisted(plain())).sequence)
      assertEqual(told, [1, 2, 3, 4, 5, 6, 7, 8, 9], 'the sequences of handles that take turns')
      const raced = await Promise.all(
        Array.from({ length: 30 }, (_, i) => handles[i % 3]!.recordPersisted(plain({ content: i }))),
      )
      const all = Array.from({ length: 39 }, (_, i) => i + 1)
      assertEqual(
        sequences(raced).toSorted((a, b) => a - b),
        all.slice(9),
        'the sequences of handles that race',
      )
      const stored = await handles[0]!.query()
      assertEqual(sequences(stored), all, 'the stored sequences')
      for (const { sequence, content } of raced) {
        assertEqual(stored[sequence - 1]?.content, content, `the content of event ${sequence}`)
      }
    },
  },
  {
    id: 'events:5',
    title: 'recordPersisted resolves with what a query gives; once record has resolved, every new query sees the event',
    async run({ open, openEvents }) {
      const events = await openEvents(await open(), 's')
      const other = await openEvents(await open(), 's')
      for (let i = 1; i <= 5; i++) {
        const stored = await events.recordPersisted(plain({ content: { i } }))
        assertEqual([stored.sequence, stored.sessionId], [i, 's'], 'sequence and session')
        assertEqual((await other.query()).at(-1), stored, 'the event as it is queried')
      }
      await events.record(plain({ content: 'last' }))
      assertEqual((await other.query({ limit: 1 }))[0]?.content, 'last', 'what record stored')
    },
  },
  {
    id: 'events:6',
    title:
      'blank turn, type or agent and a foreign session are refused before anything is written; content comes back exactly',
    async run({ open, openEvents }) {
      const events = await openEvents(await open(), 's')
      for (const field of ['turnId', 'type', 'agentName'] as const) {
        for (const blank of ['', ' \t', undefined as never]) {
          await assertTypeError(
            () => events.record({ ...plain(), [field]: blank }),
            `${field} ${JSON.stringify(blank)}`,
          )
        }
      }
      await assertTypeError(() => events.record(plain({ sessionId: 'other' })), 'another session')
      assertEqual(await events.query(), [], 'nothing was written')
      for (const content of contents) await events.record(plain({ content, sessionId: 's', turnId: ' t ' }))
      const stored = await (await openEvents(await open(), 's')).query()
      assertEqual(
        stored.map(({ content }) => content),
        contents,
        'the contents',
      )
      assertEqual(stored[0]?.turnId, ' t ', 'the turn id is stored as it is')
    },
  },
  {
    id: 'events:7',
    title: 'a missing id and timestamp are filled in; given timestamps stay as they are and never change the order',
    async run({ open, openEvents }) {
      const adapter = await open()
      const now = Date.UTC(2026, 10, 28)
      const clock = { now: () => now, elapsed: () => 0, timer: () => () => {} }
      const events = await openEvents(adapter, 's', { clock })
      const times = ['2026-03-01T00:00:00.123456789Z', '2025-03-01T00:00:00Z', '2027-01-01T00:00:00.5Z']
      const filled = await events.recordPersisted(plain())
      assertEqual(filled.timestamp, '2026-11-28T00:00:00.000Z', 'the time that was filled in')
      assert(/^ev-[0-9a-f]{16}$/.test(filled.id), `the id that was filled in, ${filled.id}`)
      for (const timestamp of times) await events.record(plain({ timestamp }))
      const stored = await events.query()
      assertEqual(sequences(stored), [1, 2, 3, 4], 'the order')
      assertEqual(
        stored.slice(1).map(({ timestamp }) => timestamp),
        times,
        'the timestamps',
      )
      await assertTypeError(() => events.record(plain({ timestamp: '2026-02-30T00:00:00Z' })), 'February 30')
    },
  },
  {
    id: 'events:8',
    title:
      'an id that is taken: the same event resolves with the stored one, another one is DUPLICATE; nothing is stored twice',
    async run({ open, openEvents }) {
      const events = await openEvents(await open(), 's')
      const first = await events.recordPersisted(plain({ id: 'one', content: { a: 1 } }))
      // Further back than any window.
      await Promise.all(numbered(400).map((event) => events.record(event)))
      for (const handle of [events, await openEvents(await open(), 's')]) {
        assertEqual(
          await handle.recordPersisted(plain({ id: 'one', content: { a: 1 } })),
          first,
          'the same event again',
        )
        await assertCode(handle.recordPersisted(plain({ id: 'one', content: { a: 2 } })), 'DUPLICATE', 'other content')
      }
      const both = await Promise.all([1, 2].map(() => events.recordPersisted(plain({ id: 'two' }))))
      assertEqual(both[0], both[1], 'the same id twice at once')
      assertEqual((await events.query()).length, 402, 'the number of events')
    },
  },
  {
    id: 'events:9',
    title:
      'concurrent calls keep their order, all of them succeed, and they share few writes; none is lost however many wait',
    async run({ open, openEvents }) {
      const { adapter, counts } = counting(await open())
      const events = await openEvents(adapter, 's')
      await events.record(plain({ content: -1 }))
      const before = counts.append.calls
      const stored = await Promise.all(numbered(100).map((event) => events.recordPersisted(event)))
      assertEqual(
        sequences(stored),
        Array.from({ length: 100 }, (_, i) => i + 2),
        'the sequences of 100 at once',
      )
      assert(counts.append.calls - before <= 3, `100 at once cost ${counts.append.calls - before} appends, at most 3`)
      await Promise.all(numbered(2500).map((event) => events.record(event)))
      const contentsNow = (await events.query({ limit: 2500 })).map(({ content }) => content)
      assertEqual(contentsNow, [...Array(2500).keys()], 'the contents of 2,500 at once')
    },
  },
  {
    id: 'events:10',
    title:
      'aborted before it is written: the reason, nothing written; aborted under way: UNCERTAIN, and the next call finds out',
    async run({ open, openEvents }) {
      const gate = gating(await open())
      const events = await openEvents(gate.adapter, 's')
      await events.record(plain({ content: 0 }))
      const held = gate.park('append', 'before')
      const [under, waits] = [abortableSignal(), abortableSignal()]
      const early = abortedSignal(new Error('the caller went away before'))
      const first = outcomeOf(events.record(plain({ content: 1 }), under))
      await held.parked
      const second = outcomeOf(events.record(plain({ content: 2 }), waits))
      const third = outcomeOf(events.record(plain({ content: 3 }), { signal: early }))
      waits.abort()
      under.abort()
      for (const [outcome, { reason }] of [
        [await second, waits.signal],
        [await third, early],
      ] as const) {
        assert(!outcome.ok && outcome.error === reason, 'a call that was not written rejects with the reason')
      }
      const uncertain = await first
      assert(!uncertain.ok && SessionError.is(uncertain.error, 'UNCERTAIN'), 'a call under way rejects with UNCERTAIN')
      assertEqual(uncertain.error.written, 'unknown', 'written')
      await held.release()
      await events.record(plain({ content: 4 }))
      assertEqual(
        (await events.query()).map(({ content }) => content),
        [0, 1, 4],
        'what is stored',
      )
    },
  },
  {
    id: 'events:29',
    title: 'a full store rejects the write, keeps no part of it, and goes on working',
    async run({ open, openEvents }) {
      const inner = await open()
      let full = false
      const adapter: StorageAdapter = delegate(inner, {
        async append(...args) {
          if (full) throw new SessionError('QUOTA', 'no space left')
          return inner.append(...args)
        },
      })
      const events = await openEvents(adapter, 's')
      await events.record(plain())
      full = true
      const all = await Promise.all(numbered(3).map((event) => outcomeOf(events.record(event))))
      for (const one of all) assert(!one.ok && SessionError.is(one.error, 'QUOTA'), 'each call rejects with QUOTA')
      assertEqual((await events.query()).length, 1, 'the events of a full store')
      full = false
      assertEqual((await events.recordPersisted(plain())).sequence, 2, 'the next sequence')
    },
  },
  {
    id: 'events:28',
    title: 'what strip takes out is neither stored nor returned',
    async run({ open, openEvents }) {
      const { adapter, counts } = counting(await open())
      type Update = { readonly text: string; readonly raw?: string }
      const events = await openEvents<Update>(adapter, 's', {
        strip: ({ content: { raw: _raw, ...content }, ...event }) => ({ ...event, content }),
      })
      for (let i = 0; i < 10; i++) {
        const stored = await events.recordPersisted(plain({ content: { text: `${i}`, raw: 'x'.repeat(50_000) } }))
        assertEqual(stored.content, { text: `${i}` }, 'what is returned')
      }
      assert(
        counts.append.bytes < 10_000,
        `10 stripped events of 50 kB are ${counts.append.bytes} bytes, at most 10,000`,
      )
      assertEqual((await events.query()).at(-1)?.content, { text: '9' }, 'what is stored')
    },
  },
]
