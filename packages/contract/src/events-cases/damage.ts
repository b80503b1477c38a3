import { assert, assertEqual } from '../assert.ts'
import type { EventsCase } from '../events-case.ts'
import { assertCode, outcomeOf } from '../rejection.ts'
import { numbered, plain, sequences } from './numbered.ts'

/** What a crash or damage leaves. */
export const damageCases: readonly EventsCase[] = [
  {
    id: 'events:24',
    title: 'what a crash left is read by whoever opens next, writer or reader, with all that was acknowledged',
    needs: ['crash'],
    async run({ open, crash, openEvents, openEventsReadOnly }) {
      const events = await openEvents(await open(), 's')
      const stored = await Promise.all(numbered(20).map((event) => events.recordPersisted(event)))
      await crash()
      assertEqual(await (await openEventsReadOnly(await open(), 's')).query(), stored, 'what a reader sees')
      const again = await openEvents(await open(), 's')
      assertEqual(await again.query(), stored, 'what a writer sees')
      assertEqual((await again.recordPersisted(plain())).sequence, 21, 'the next sequence')
    },
  },
  {
    id: 'events:25',
    title:
      'damage is CORRUPT and never replaced by itself; quarantine, when asked, starts afresh and says where the old ones are; healthy ones are not touched',
    needs: ['damage'],
    async run({ open, damage, openEvents }) {
      const healthy = await openEvents(await open(), 'healthy')
      await healthy.record(plain())
      const events = await openEvents(await open(), 's')
      for (const event of numbered(30)) await events.record(event)
      await damage('events/s/0/event', 10)
      const found = await openEvents(await open(), 's')
      await assertCode(found.query(), 'CORRUPT', 'a query through the damage')
      assertEqual(sequences(await found.query({ limit: 3 })), [28, 29, 30], 'the latest, which are whole')
      await assertCode(found.query(), 'CORRUPT', 'a query through the damage, again')
      assertEqual(await found.quarantine(), { incarnation: 0 }, 'what was put aside')
      assertEqual([await found.query(), await events.query()], [[], []], 'the events afterwards')
      assertEqual((await events.recordPersisted(plain())).sequence, 1, 'the next sequence')
      const adapter = await open()
      const left: string[] = []
      for await (const names of adapter.logs('events/s/0')) left.push(...names)
      assert(left.includes('events/s/0/event'), 'the damaged log stays')
      assertEqual((await healthy.query()).length, 1, 'the events of another session')
    },
  },
  {
    id: 'events:25/document',
    title: 'a damaged document is CORRUPT: nothing looks empty, nothing is created over it',
    needs: ['damageDocument'],
    async run({ open, damageDocument, openEvents, listEvents }) {
      await (await openEvents(await open(), 's')).record(plain())
      await (await openEvents(await open(), 'u')).record(plain())
      await damageDocument('events/s')
      const adapter = await open()
      for (let i = 0; i < 2; i++) await assertCode(openEvents(adapter, 's'), 'CORRUPT', 'openEvents')
      const listed: string[] = []
      for await (const one of listEvents(adapter)) listed.push('error' in one ? one.error.code : one.sessionId)
      assertEqual(listed, ['CORRUPT', 'u'], 'what is listed')
    },
  },
  {
    id: 'events:31',
    title: 'a crash at any moment loses nothing that was acknowledged, and leaves a gap-free sequence that goes on',
    needs: ['crash'],
    async run({ open, crash, openEvents }) {
      const acknowledged = new Map<string, number>()
      for (let round = 0; round < 6; round++) {
        const events = await openEvents(await open(), 's')
        const calls = numbered(30, { turnId: `r${round}` }).map(async (event) => {
          const { id, sequence } = await events.recordPersisted(event)
          acknowledged.set(id, sequence)
        })
        await Promise.race([Promise.all(calls.slice(0, 1 + round * 5)), Promise.allSettled(calls)])
        for (const call of calls) void outcomeOf(call)
        await crash()
        const stored = await (await openEvents(await open(), 's')).query()
        assertEqual(
          sequences(stored),
          [...stored.keys()].map((i) => i + 1),
          `the sequences after crash ${round}`,
        )
        for (const [id, sequence] of acknowledged) {
          assertEqual(stored[sequence - 1]?.id, id, `acknowledged event ${sequence} after crash ${round}`)
        }
      }
    },
  },
]
