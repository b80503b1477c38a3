import type { SessionEvent } from '@sessiontree/events'
import { assert, assertEqual } from '../assert.ts'
import type { EventsCase } from '../events-case.ts'
import { assertTypeError } from '../rejection.ts'
import { seededRandom } from '../seeded-random.ts'
import { numbered, plain, sequences } from './numbered.ts'

const TYPES = ['message', 'tool_call', 'Message']
const at = (second: number) => `2026-01-01T00:00:${String(second).padStart(2, '0')}.5Z`

/** 60 events that differ in everything; timestamps go up and down. */
const varied = Array.from({ length: 60 }, (_, i) =>
  plain({
    type: TYPES[i % 3]!,
    agentName: i % 2 ? 'coder' : 'Coder',
    turnId: `t${Math.floor(i / 7) % 3}`,
    timestamp: at((i * 17) % 60),
    content: i,
  }),
)

/** Looking events up. */
export const queryingCases: readonly EventsCase[] = [
  {
    id: 'events:11',
    title:
      'queries are ascending by sequence; type, agent and turn exact, since inclusive, afterSequence exclusive, all at once; [] for none',
    async run({ open, openEvents }) {
      const events = await openEvents(await open(), 's')
      assertEqual(await events.query(), [], 'a query of no events')
      for (const event of varied) await events.record(event)
      const all = await events.query()
      assertEqual(
        sequences(all),
        Array.from({ length: 60 }, (_, i) => i + 1),
        'all events',
      )
      const conditions: readonly (readonly [object, (event: SessionEvent) => boolean])[] = [
        [{ type: 'message' }, ({ type }) => type === 'message'],
        [{ agentName: 'coder' }, ({ agentName }) => agentName === 'coder'],
        [{ turnId: 't1' }, ({ turnId }) => turnId === 't1'],
        [{ since: '2026-01-01T00:00:20.500Z' }, ({ timestamp }) => timestamp >= at(20)],
        [{ since: '2026-01-01T00:00:20.500000001Z' }, ({ timestamp }) => timestamp > at(20)],
        [{ afterSequence: 17 }, ({ sequence }) => sequence > 17],
        [{ type: ' ', agentName: '', turnId: '', afterSequence: 0, limit: 0 }, () => true],
        [
          { type: 'message', agentName: 'Coder', since: at(10), afterSequence: 5 },
          (event) =>
            event.type === 'message' && event.agentName === 'Coder' && event.timestamp >= at(10) && event.sequence > 5,
        ],
        [{ type: 'nothing' }, () => false],
      ]
      for (const [query, matches] of conditions) {
        assertEqual(await events.query(query), all.filter(matches), `query ${JSON.stringify(query)}`)
      }
      await assertTypeError(() => events.query({ since: 'yesterday' }), 'since: yesterday')
    },
  },
  {
    id: 'events:12',
    title:
      'a limit gives the latest so many, ascending, of those that match; 0 is all; a negative number is a TypeError',
    async run({ open, openEvents }) {
      const events = await openEvents(await open(), 's')
      for (const event of varied) await events.record(event)
      const all = await events.query()
      for (const limit of [1, 3, 60, 100]) {
        assertEqual(await events.query({ limit }), all.slice(-limit), `the latest ${limit}`)
      }
      assertEqual(await events.query({ limit: 0 }), all, 'limit 0')
      const messages = all.filter(({ type }) => type === 'message')
      assertEqual(await events.query({ type: 'message', limit: 4 }), messages.slice(-4), 'the latest 4 messages')
      for (const query of [{ limit: -1 }, { afterSequence: -1 }, { limit: 1.5 }, { limit: NaN }]) {
        await assertTypeError(() => events.query(query), JSON.stringify(query))
      }
    },
  },
  {
    id: 'events:13',
    title: 'afterSequence with limit is a tail; page goes forward and meets every event once, also through a filter',
    async run({ open, openEvents }) {
      const events = await openEvents(await open(), 's')
      for (const event of varied) await events.record(event)
      const all = [...(await events.query())]
      assertEqual(sequences(await events.query({ afterSequence: 10, limit: 3 })), [58, 59, 60], 'a tail')
      for (const [filter, limit] of [
        [{}, 7],
        [{}, 60],
        [{ type: 'tool_call' }, 3],
        [{ turnId: 't9' }, 5],
      ] as const) {
        const met: SessionEvent[] = []
        let after: string | undefined
        for (let pages = 0; ; pages++) {
          assert(pages <= 60, 'paging ends')
          const page = await events.page({ ...filter, limit, after })
          assert(page.events.length <= limit, `a page has at most ${limit} events`)
          met.push(...page.events)
          after = page.cursor
          if (!page.hasMore) break
        }
        const wanted = all.filter((event) =>
          Object.entries(filter).every(([name, value]) => event[name as 'type'] === value),
        )
        assertEqual(met, wanted, `pages of ${limit} with ${JSON.stringify(filter)}`)
        await events.record(plain({ type: 'later', turnId: 'later' }))
        const { events: later } = await events.page({ after })
        assertEqual(later.at(-1)?.type, 'later', 'what came after the last page')
        all.push(...(await events.query({ limit: 1 })))
      }
      assertEqual(sequences((await events.page({ after: 58, limit: 2 })).events), [59, 60], 'a page after a sequence')
      for (const after of [-1, 'x', '1.', '0.1.2']) {
        await assertTypeError(() => events.page({ after }), `after ${after}`)
      }
    },
  },
  {
    id: 'events:14',
    title: 'history: turns by first appearance, interrupted ones put together; filters and limit before grouping',
    async run({ open, openEvents }) {
      const events = await openEvents(await open(), 's')
      const turns = ['b', 'b', 'a', 'b', 'c', 'a']
      for (const [i, turnId] of turns.entries()) {
        await events.record(plain({ turnId, content: i, type: i % 2 ? 'odd' : 'even' }))
      }
      const grouped = async (query: object) =>
        (await events.history(query)).map((turn) => [turn.turnId, ...turn.events.map(({ content }) => content)])
      assertEqual(
        await grouped({}),
        [
          ['b', 0, 1, 3],
          ['a', 2, 5],
          ['c', 4],
        ],
        'the history',
      )
      assertEqual(
        await grouped({ limit: 3 }),
        [
          ['b', 3],
          ['c', 4],
          ['a', 5],
        ],
        'of the latest 3',
      )
      assertEqual(
        await grouped({ type: 'odd' }),
        [
          ['b', 1, 3],
          ['a', 5],
        ],
        'of one type',
      )
      assertEqual(await grouped({ type: 'none' }), [], 'of none')
    },
  },
  {
    id: 'events:32',
    title: 'a long random run of writes and queries gives what a plain list gives',
    async run({ open, openEvents }) {
      const random = seededRandom(32)
      const pick = (count: number) => (random.bytes(1)[0] as number) % count
      const handles = [await openEvents(await open(), 's'), await openEvents(await open(), 's')]
      let model: SessionEvent[] = []
      for (let step = 0; step < 60; step++) {
        const events = handles[pick(2)]!
        const what = pick(20)
        if (what === 0) {
          await events.clear()
          model = []
        } else if (what < 12) {
          const several = numbered(1 + pick(8), { type: TYPES[pick(3)]!, turnId: `t${pick(4)}` })
          model.push(...(await Promise.all(several.map((event) => events.recordPersisted(event)))))
        } else {
          const [type, turnId, limit, afterSequence] = [TYPES[pick(3)]!, `t${pick(4)}`, pick(10), pick(30)]
          const query = [{}, { type, limit }, { turnId, afterSequence }, { limit, afterSequence }][pick(4)]!
          const wanted = model
            .filter((event) => !('type' in query) || event.type === type)
            .filter((event) => !('turnId' in query) || event.turnId === turnId)
            .filter((event) => !('afterSequence' in query) || event.sequence > afterSequence)
          const cut = 'limit' in query && limit > 0 ? wanted.slice(-limit) : wanted
          assertEqual(await events.query(query), cut, `step ${step}: query ${JSON.stringify(query)}`)
        }
      }
      assertEqual(
        sequences(model),
        [...model.keys()].map((i) => i + 1),
        'the sequences',
      )
    },
  },
]
