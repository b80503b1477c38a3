import { SessionError, type StorageAdapter } from '@sessiontree/core'
import { assert, assertEqual } from '../assert.ts'
import { counting } from '../counting.ts'
import { delegate } from '../delegate.ts'
import type { EventsCase } from '../events-case.ts'
import { collect, readLog } from '../reading.ts'
import { assertCode, outcomeOf } from '../rejection.ts'
import { abortableSignal } from '../signal.ts'
import { numbered, plain } from './numbered.ts'

/** A store that is busy for so many looks. */
function busy(inner: StorageAdapter, times: number, code: 'BUSY' | 'UNAVAILABLE' = 'BUSY') {
  const state = { looks: 0 }
  const adapter = delegate(inner, {
    async get(...args) {
      if (state.looks++ < times) throw new SessionError(code, `look ${state.looks} failed`)
      return inner.get(...args)
    },
  })
  return { adapter, state }
}

/** A clock on which no time passes; remembers how long it was asked to wait. */
function recordingClock() {
  const waits: number[] = []
  const timer = (milliseconds: number, wake: () => void) => {
    waits.push(milliseconds)
    void Promise.resolve().then(wake)
    return () => {}
  }
  return { waits, clock: { now: () => 0, elapsed: () => 0, timer } }
}

/** Opening for reading only. */
export const readOnlyCases: readonly EventsCase[] = [
  {
    id: 'events:21',
    title:
      "opened for reading: NOT_FOUND and nothing created where there is nothing; writes are READ_ONLY; reads are the writer's; nothing changes",
    async run({ open, openEvents, openEventsReadOnly }) {
      const { adapter, counts, reset } = counting(await open())
      await assertCode(openEventsReadOnly(adapter, 's'), 'NOT_FOUND', 'opening what is not there')
      const contents = async () => [(await collect(adapter.keys(''))).flat(), (await collect(adapter.logs(''))).flat()]
      assertEqual(await contents(), [[], []], 'what is in the store')
      const writer = await openEvents(adapter, 's')
      await Promise.all(numbered(20, { turnId: 't2' }).map((event) => writer.record(event)))
      await writer.recordTokenUsage({ turnId: 't1', inputTokens: 3 })
      const stored = async () => [
        await contents(),
        await adapter.get('events/s'),
        await readLog(adapter, 'events/s/0/event'),
        await readLog(adapter, 'events/s/0/usage'),
      ]
      const before = await stored()
      reset()
      const reader = await openEventsReadOnly(adapter, 's')
      for (const [name, call] of Object.entries({
        'record events': () => reader.record(plain()),
        'record events ': () => reader.recordPersisted(plain()),
        'record token usage': () => reader.recordTokenUsage({ turnId: 't' }),
        'record hook runs': () => reader.recordHookRun({} as never),
        'be cleared': () => reader.clear(),
      })) {
        const error = await assertCode(call(), 'READ_ONLY', name)
        assert(error.message.includes(name.trim()), `the message says that they cannot ${name}: ${error.message}`)
      }
      for (const query of [{}, { limit: 3 }, { afterSequence: 15 }]) {
        assertEqual(await reader.query(query), await writer.query(query), `query ${JSON.stringify(query)}`)
      }
      assertEqual(await reader.history(), await writer.history(), 'the history')
      assertEqual(await reader.tokenUsage(), await writer.tokenUsage(), 'the usage')
      await reader.close()
      await reader.close()
      assertEqual(
        [counts.append.calls, counts.put.calls, counts.drop.calls, counts.remove.calls],
        [0, 0, 0, 0],
        'writes',
      )
      assertEqual(await stored(), before, 'what is stored')
    },
  },
  {
    id: 'events:22',
    title:
      'opening for reading tries again only while the store is BUSY, as often and as long as it is told, and rejects with the last error',
    async run({ open, openEvents, openEventsReadOnly }) {
      const inner = await open()
      await (await openEvents(inner, 's')).record(plain())
      const patient = busy(inner, 3)
      const { waits, clock } = recordingClock()
      const reader = await openEventsReadOnly(patient.adapter, 's', { clock })
      assertEqual([waits, (await reader.query()).length], [[20, 40, 60], 1], 'the waits before it was free')
      const long = recordingClock()
      const error = await assertCode(
        openEventsReadOnly(busy(inner, 99).adapter, 's', { clock: long.clock }),
        'BUSY',
        'a store that stays busy',
      )
      assertEqual([long.waits.length, long.waits.at(-1), error.message], [14, 150, 'look 15 failed'], 'the waits')
      const own = recordingClock()
      const retry = { maxAttempts: 4, minDelay: 7, maxDelay: 2 }
      await outcomeOf(openEventsReadOnly(busy(inner, 99).adapter, 's', { clock: own.clock, retry }))
      assertEqual(own.waits, [7, 7, 7], 'the waits of a policy of its own')
      const other = busy(inner, 1, 'UNAVAILABLE')
      await assertCode(openEventsReadOnly(other.adapter, 's'), 'UNAVAILABLE', 'any other failure')
      assertEqual(other.state.looks, 1, 'the looks at a store that fails otherwise')
      const { signal, abort } = abortableSignal()
      const stuck = { now: () => 0, elapsed: () => 0, timer: () => () => {} }
      const waiting = outcomeOf(openEventsReadOnly(busy(inner, 99).adapter, 's', { clock: stuck, signal }))
      await Promise.resolve()
      abort()
      const outcome = await waiting
      assert(!outcome.ok && outcome.error === signal.reason, 'an abort ends the waiting')
    },
  },
  {
    id: 'events:26',
    title: 'damage is CORRUPT for a reader too, and stays as it is',
    needs: ['damageDocument'],
    async run({ open, damageDocument, openEvents, openEventsReadOnly }) {
      const adapter = await open()
      const events = await openEvents(adapter, 's')
      await events.record(plain())
      await damageDocument('events/s')
      const reader = await open()
      await assertCode(openEventsReadOnly(reader, 's'), 'CORRUPT', 'openEventsReadOnly')
      const records = await readLog(reader, 'events/s/0/event')
      assertEqual(records.length, 1, 'the records beside the damaged document')
      await assertCode(openEventsReadOnly(await open(), 's'), 'CORRUPT', 'openEventsReadOnly again')
    },
  },
]
