import type { SessionEvent } from '@sessiontree/events'
import { assert, assertEqual } from '../assert.ts'
import type { EventsCase } from '../events-case.ts'
import { abortableSignal } from '../signal.ts'
import { numbered, plain, sequences } from './numbered.ts'

/** What the case needs of a web stream. Not its own iteration, which WebKit does not have. */
interface ByteStream {
  getReader(): {
    read(): Promise<{ readonly value?: Uint8Array | undefined }>
    cancel(): Promise<void>
  }
}

/** The frames of a stream of server-sent events, up to `count`. */
async function frames(stream: unknown, count: number): Promise<Record<string, string>[]> {
  const found: Record<string, string>[] = []
  const reader = (stream as ByteStream).getReader()
  let text = ''
  try {
    for (let { value } = await reader.read(); value; { value } = await reader.read()) {
      text += String.fromCharCode(...value)
      for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
        const fields = text.slice(0, end).split('\n')
        text = text.slice(end + 2)
        if (fields[0]?.startsWith(':')) continue
        found.push(Object.fromEntries(fields.map((field) => field.split(/: (.*)/s).slice(0, 2) as [string, string])))
        if (found.length === count) return found
      }
    }
    return found
  } finally {
    await reader.cancel()
  }
}

/** Following, and server-sent events. */
export const followCases: readonly EventsCase[] = [
  {
    id: 'events:30',
    title: 'following delivers each later event once and in order, across reconnects and writers that come and go',
    async run({ open, openEvents, openEventsReadOnly }) {
      const first = await openEvents(await open(), 's')
      for (const event of numbered(3)) await first.record(event)
      const delivered: SessionEvent[] = []
      const following = (async () => {
        let after: string | undefined = (await first.query({ limit: 2 }))[0]?.cursor
        // Every seventh event the connection breaks.
        while (delivered.length < 41) {
          const reader = await openEventsReadOnly(await open(), 's')
          for await (const event of reader.follow({ after })) {
            delivered.push(event)
            after = event.cursor
            if (delivered.length % 7 === 0 || delivered.length >= 41) break
          }
        }
      })()
      let next = 3
      for (let writer = 0; writer < 8; writer++) {
        const events = await openEvents(await open(), 's')
        for (let i = 0; i < 5; i++) await events.record(plain({ content: next++ }))
        await events.close()
      }
      await following
      assertEqual(
        sequences(delivered),
        Array.from({ length: 41 }, (_, i) => i + 3),
        'what was delivered',
      )
      assertEqual(delivered, (await first.query()).slice(2), 'the events as they are stored')
    },
  },
  {
    id: 'events:30/filter',
    title: 'following with a filter yields what matches; an abort ends it with the reason',
    async run({ open, openEvents }) {
      const events = await openEvents(await open(), 's')
      const { signal, abort } = abortableSignal()
      const following = events.follow({ type: 'wanted', signal })
      const first = following.next()
      for (let i = 0; i < 4; i++) await events.record(plain({ type: i === 3 ? 'wanted' : 'other' }))
      assertEqual((await first).value.sequence, 4, 'the first that matches')
      const second = following.next().catch((error: unknown) => error)
      abort()
      assert((await second) === signal.reason, 'an abort ends it')
    },
  },
  {
    id: 'events:30/sse',
    title:
      'server-sent events: id is the cursor, event the type, data the event; a reconnect with the last id misses and repeats nothing; a clear is told',
    async run({ open, openEvents, eventStream }) {
      const events = await openEvents(await open(), 's')
      for (const event of numbered(5)) await events.record(event)
      const stored = await events.query()
      const before = await frames(eventStream(events), 3)
      assertEqual(
        before.map(({ id, event, data }) => [id, event, JSON.parse(data!)]),
        stored.slice(0, 3).map((event) => [event.cursor, event.type, event]),
        'the first frames',
      )
      const again = await openEvents(await open(), 's')
      const rest = frames(eventStream(again, { after: before.at(-1)?.['id'] }), 3)
      await events.record(plain({ type: 'two\nlines', content: 'later' }))
      const ids = (await rest).map(({ id, event }) => [id, event])
      assertEqual(
        ids,
        [
          ['0.4', 'message'],
          ['0.5', 'message'],
          ['0.6', 'two lines'],
        ],
        'after a reconnect',
      )
      const live = frames(eventStream(again, { after: '0.6' }), 2)
      await events.clear()
      await events.record(plain({ content: 'new' }))
      assertEqual(
        (await live).map(({ event }) => event),
        ['sessiontree.cleared', 'message'],
        'a clear, and what follows',
      )
      const late = await frames(eventStream(again, { after: '0.3' }), 2)
      assertEqual(
        late.map(({ id }) => id),
        ['1.0', '1.1'],
        'a reconnect with an id from before the clear',
      )
      const { signal, abort } = abortableSignal()
      const ending = frames(eventStream(again, { after: '1.1', signal }), 2)
      abort()
      assertEqual(
        (await ending).map(({ event }) => event),
        ['sessiontree.end'],
        'the end',
      )
    },
  },
]
