import { assert, assertEqual } from '../assert.ts'
import type { EventsCase } from '../events-case.ts'
import { gating } from '../gating.ts'
import { assertCode, outcomeOf } from '../rejection.ts'
import { numbered, plain, sequences } from './numbered.ts'

const hook = {
  hookName: 'h',
  event: 'turn.end',
  source: 'native',
  mode: 'async',
  duration: 1,
  outcome: 'applied',
} as const

/** Clearing, closing, deleting, and reading beside a writer. */
export const lifecycleCases: readonly EventsCase[] = [
  {
    id: 'events:18',
    title:
      'clear empties events, usage and hook runs together and keeps the handles usable; sequences start again; old cursors are recognised',
    async run({ open, openEvents }) {
      const events = await openEvents(await open(), 's')
      const other = await openEvents(await open(), 's')
      const fill = async () => {
        await Promise.all(numbered(5).map((event) => events.record(event)))
        await events.recordTokenUsage({ turnId: 't1', inputTokens: 1 })
        await events.recordHookRun(hook)
      }
      await fill()
      const old = (await events.query()).at(-1)!
      assertEqual((await other.query()).length, 5, 'the events before')
      await events.clear()
      for (const handle of [events, other, await openEvents(await open(), 's')]) {
        const left = [await handle.query(), await handle.tokenUsage(), await handle.hookRuns()]
        assertEqual(left, [[], [], []], 'what is left')
      }
      await assertCode(other.page({ after: old.cursor }), 'CONFLICT', 'a page after an old cursor, nothing there')
      const first = await other.recordPersisted(plain())
      assertEqual([first.sequence, first.cursor === old.cursor], [1, false], 'the first event after the clear')
      await fill()
      await assertCode(
        events.page({ after: old.cursor }),
        'CONFLICT',
        'a page after an old cursor, as many events there',
      )
      await assertCode(other.follow({ after: old.cursor }).next(), 'CONFLICT', 'following an old cursor')
      assertEqual(sequences((await events.page({ after: first.cursor })).events), [2, 3, 4, 5, 6], 'after a new cursor')
      await events.clear()
      await events.clear()
      assertEqual((await events.recordPersisted(plain())).sequence, 1, 'the first sequence after two more')
    },
  },
  {
    id: 'events:18/race',
    title: 'a clear beside writers takes away what was before it, and nothing that came after',
    needs: ['sharing'],
    async run({ open, openEvents }) {
      const handles = [await openEvents(await open(), 's'), await openEvents(await open(), 's')]
      for (let round = 0; round < 5; round++) {
        const before = Promise.all(numbered(10).map((event, i) => handles[i % 2]!.record(event)))
        const clearing = handles[round % 2]!.clear()
        await Promise.all([before, clearing])
        const after = await Promise.all(numbered(4).map((event, i) => handles[i % 2]!.recordPersisted(event)))
        const stored = await handles[0]!.query()
        assertEqual(
          sequences(stored),
          [...stored.keys()].map((i) => i + 1),
          'the sequences',
        )
        for (const event of after) assertEqual(stored[event.sequence - 1], event, 'an event recorded after the clear')
        await handles[0]!.clear()
        assertEqual(await handles[1]!.query(), [], 'after another clear')
      }
    },
  },
  {
    id: 'events:19',
    title:
      'close drains; later calls are CLOSED, a second close is fine, one beside it CLOSED; not in time is TIMEOUT, and closed all the same',
    async run({ open, openEvents }) {
      const gate = gating(await open())
      const events = await openEvents(gate.adapter, 's')
      const drained = outcomeOf(Promise.all(numbered(50).map((event) => events.recordPersisted(event))))
      const closing = events.close()
      await assertCode(events.close(), 'CLOSED', 'a close beside a close')
      await closing
      assert((await drained).ok, 'what was under way is stored')
      await events.close()
      for (const [name, call] of Object.entries({
        record: () => events.record(plain()),
        query: () => events.query(),
        recordTokenUsage: () => events.recordTokenUsage({ turnId: 't' }),
        hookRuns: () => events.hookRuns(),
        clear: () => events.clear(),
        follow: () => events.follow().next(),
      })) {
        await assertCode(call(), 'CLOSED', `${name} after close`)
      }
      const stuck = await openEvents(gate.adapter, 's')
      const held = gate.park('append', 'before')
      const under = outcomeOf(stuck.record(plain()))
      await held.parked
      const waits = outcomeOf(stuck.record(plain()))
      await assertCode(stuck.close({ timeout: 20 }), 'TIMEOUT', 'a close that is not in time')
      await stuck.close()
      const never = await waits
      assert(!never.ok, 'what had not reached the store is not written')
      await assertCode(stuck.record(plain()), 'CLOSED', 'a call after the time-out')
      await held.release()
      assert((await under).ok, 'what had reached the store is')
      assertEqual((await (await openEvents(await open(), 's')).query()).length, 51, 'the events')
    },
  },
  {
    id: 'events:20',
    title: 'whatever was acknowledged before close is there for a handle opened afterwards',
    async run({ open, openEvents }) {
      const adapter = await open()
      const events = await openEvents(adapter, 's')
      const stored = await Promise.all(numbered(200).map((event) => events.recordPersisted(event)))
      await events.close()
      await adapter.close()
      assertEqual(await (await openEvents(await open(), 's')).query(), stored, 'the events')
    },
  },
  {
    id: 'events:23',
    title:
      'one writer and six readers: each sees a prefix of what is committed, and what was acknowledged before it asked',
    async run({ open, openEvents, openEventsReadOnly }) {
      const writer = await openEvents(await open(), 's')
      const readers = await Promise.all(Array.from({ length: 6 }, async () => openEventsReadOnly(await open(), 's')))
      const progress = { acknowledged: 0, done: false }
      const writing = (async () => {
        for (let i = 0; i < 150; i += 5) {
          await Promise.all(numbered(5).map((event) => writer.record(event)))
          progress.acknowledged = i + 5
        }
        progress.done = true
      })()
      const reading = readers.map(async (reader) => {
        let reads = 0
        while (!progress.done || reads === 0) {
          const least = progress.acknowledged
          const seen = sequences(await reader.query())
          assert(seen.length >= least, `a reader sees ${seen.length} events, ${least} were acknowledged`)
          assertEqual(
            seen,
            [...seen.keys()].map((i) => i + 1),
            'what a reader sees',
          )
          reads++
        }
      })
      await Promise.all([writing, ...reading])
      assertEqual((await readers[0]!.query()).length, 150, 'the events in the end')
    },
  },
  {
    id: 'events:27',
    title: 'what a newer version wrote is refused with FORMAT and left as it is',
    async run({ open, openEvents, openEventsReadOnly }) {
      const adapter = await open()
      await (await openEvents(adapter, 's')).record(plain())
      const { value, version } = (await adapter.get('events/s'))!
      const newer = JSON.stringify({ ...(JSON.parse(value) as object), format: 99, shape: { of: 'things to come' } })
      const expect = await adapter.put('events/s', newer, { expect: version })
      await assertCode(openEvents(await open(), 's'), 'FORMAT', 'openEvents')
      await assertCode(openEventsReadOnly(await open(), 's'), 'FORMAT', 'openEventsReadOnly')
      assertEqual(await adapter.get('events/s'), { value: newer, version: expect }, 'the document')
      await adapter.put('events/s', value, { expect })
      assertEqual(
        (await (await openEvents(await open(), 's')).query()).length,
        1,
        'the events, in their own format again',
      )
    },
  },
]
