import { ConflictError, SessionError, type StorageAdapter } from '@sessiontree/core'
import * as real from '@sessiontree/events'
import type { Events, NewEvent } from '@sessiontree/events'
import { delegate } from '../../src/delegate.ts'
import type { EventsApi } from '../../src/events-case.ts'

/** Session events with one fault, and the case that must notice. */
export interface BrokenEvents {
  readonly killedBy: string
  readonly name: string
  readonly api: EventsApi
}

/** Makes every handle that is opened behave differently. */
function broken(killedBy: string, name: string, change: (events: Events) => object): BrokenEvents {
  const openEvents = async (...args: Parameters<typeof real.openEvents>) => {
    const events = await real.openEvents(...args)
    return Object.assign(Object.create(events) as object, bind(events), change(events)) as Events
  }
  return { killedBy, name, api: { ...real, openEvents: openEvents as typeof real.openEvents } }
}

// Private fields live on the handle itself.
function bind(events: Events): object {
  const methods = [
    'record',
    'recordPersisted',
    'recordTokenUsage',
    'recordHookRun',
    'clear',
    'quarantine',
    'query',
    'page',
  ]
  const more = ['history', 'tokenUsage', 'tokenTotals', 'hookRuns', 'follow', 'close']
  const bound = [...methods, ...more].map((name) => [name, (events[name as 'query'] as () => unknown).bind(events)])
  return Object.fromEntries(bound) as object
}

/** Makes the adapter below every handle behave differently. */
function below(
  killedBy: string,
  name: string,
  change: (adapter: StorageAdapter) => Partial<StorageAdapter>,
): BrokenEvents {
  const wrap = (adapter: StorageAdapter) => delegate(adapter, change(adapter))
  const api: EventsApi = {
    ...real,
    openEvents: (adapter, ...rest) => real.openEvents(wrap(adapter), ...rest),
    openEventsReadOnly: (adapter, ...rest) => real.openEventsReadOnly(wrap(adapter), ...rest),
  }
  return { killedBy, name, api }
}

const fold = (value: unknown) => (typeof value === 'string' ? value.normalize('NFC') : value)

/** Session events with one fault each. */
export const brokenEvents: readonly BrokenEvents[] = [
  broken('events:3', 'a refused event takes a number', (events) => ({
    record: (event: NewEvent) =>
      events.record(event).catch(async (error: unknown) => {
        await events.record({ ...event, turnId: 'none', content: null })
        throw error
      }),
  })),
  broken('events:4', 'each handle counts for itself', (events) => {
    let own = 0
    return {
      recordPersisted: async (event: NewEvent) => ({ ...(await events.recordPersisted(event)), sequence: ++own }),
    }
  }),
  broken('events:5', 'record resolves before the event is stored', (events) => ({
    record: async (event: NewEvent) => void setTimeout(() => void events.record(event).catch(() => {}), 5),
  })),
  broken('events:6', 'content is normalised', (events) => ({
    record: (event: NewEvent) => events.record({ ...event, content: fold(event.content) }),
  })),
  broken('events:7', 'events are ordered by their timestamps', (events) => ({
    query: async (query: object) =>
      (await events.query(query)).toSorted((a, b) => (a.timestamp < b.timestamp ? -1 : 1)),
  })),
  broken('events:8', 'an id that is taken is stored again', (events) => ({
    recordPersisted: ({ id: _id, ...event }: NewEvent) => events.recordPersisted(event),
  })),
  broken('events:9', 'calls wait for one another', (events) => {
    let before: Promise<unknown> = Promise.resolve()
    return {
      recordPersisted(event: NewEvent) {
        const stored = before.then(() => events.recordPersisted(event))
        before = stored.catch(() => {})
        return stored
      },
    }
  }),
  broken('events:10', 'an abort under way looks like one before', (events) => ({
    record: (event: NewEvent, options: real.WriteOptions) =>
      events.record(event, options).catch((error: unknown) => {
        throw SessionError.is(error, 'UNCERTAIN') ? error.cause : error
      }),
  })),
  broken('events:11', 'since is exclusive', (events) => ({
    query: async (query: real.EventQuery = {}) =>
      (await events.query(query)).filter(
        ({ timestamp }) => !query.since || timestamp.slice(0, 19) > query.since.slice(0, 19),
      ),
  })),
  broken('events:12', 'a limit gives the first so many', (events) => ({
    query: async ({ limit, ...query }: real.EventQuery = {}) =>
      (await events.query(query)).slice(0, limit || undefined),
  })),
  broken('events:13', 'a page is the tail', (events) => ({
    page: async (options: real.PageOptions) => {
      const page = await events.page(options)
      const tail = await events.query({
        afterSequence: page.events[0] ? page.events[0].sequence - 1 : 0,
        limit: options.limit,
      })
      return { ...page, events: page.events.length ? tail : [] }
    },
  })),
  broken('events:14', 'a turn that is interrupted is two turns', (events) => ({
    async history(query: object) {
      const turns: { turnId: string; events: real.SessionEvent[] }[] = []
      for (const event of await events.query(query)) {
        const last = turns.at(-1)
        if (last?.turnId === event.turnId) last.events.push(event)
        else turns.push({ turnId: event.turnId, events: [event] })
      }
      return turns
    },
  })),
  broken('events:15', 'zero is taken for not reported', (events) => ({
    recordTokenUsage: (usage: real.NewTokenUsage) =>
      events.recordTokenUsage({ ...usage, inputTokens: usage.inputTokens || null }),
  })),
  broken('events:16', 'words are not checked', (events) => ({
    recordHookRun: (run: real.NewHookRun) =>
      events.recordHookRun({ ...run, mode: run.mode === 'async' ? 'async' : 'sync' }),
  })),
  broken('events:17', 'runs come in the order of recording', (events) => ({
    hookRuns: async (query: object) =>
      (await events.hookRuns(query)).toSorted((a, b) => Number(a.hookName) - Number(b.hookName)),
  })),
  broken('events:18', 'a cursor of old is taken for one of now', (events) => ({
    page: (options: real.PageOptions) =>
      events.page({ ...options, after: String(options.after).replace(/^\d+\./, '') }),
  })),
  broken('events:19', 'close does not wait', (events) => ({
    close: async (options: object) => void events.close(options).catch(() => {}),
  })),
  broken('events:20', 'half of what is acknowledged is only remembered', (events) => ({
    recordPersisted: async (event: NewEvent) =>
      Number(event.content) % 2 ? { ...event, sequence: 1 } : events.recordPersisted(event),
  })),
  broken('events:25', 'quarantine only says that it did', () => ({ quarantine: async () => ({ incarnation: 0 }) })),
  below('events:25/document', 'a damaged document looks absent', (adapter) => ({
    get: (key, options) =>
      adapter.get(key, options).catch((error: unknown) => {
        if (SessionError.is(error, 'CORRUPT')) return undefined
        throw error
      }),
  })),
  below('events:27', 'a newer format is read like this one', (adapter) => ({
    async get(key, options) {
      const found = await adapter.get(key, options)
      return found && { ...found, value: found.value.replace('"format":99', '"format":1') }
    },
  })),
  broken('events:28', 'what is stripped is only hidden', (events) => ({
    async recordPersisted(event: NewEvent<{ text: string }>) {
      await events.recordTokenUsage({ turnId: JSON.stringify(event) })
      return events.recordPersisted(event)
    },
  })),
  below('events:29', 'a full store is taken for one that lost its answer', (adapter) => ({
    append: (...args) =>
      adapter.append(...args).catch((error: unknown) => {
        throw SessionError.is(error, 'QUOTA') ? new SessionError('UNCERTAIN', 'who knows', { cause: error }) : error
      }),
  })),
  broken('events:30/filter', 'a follower forgets its filter', (events) => ({
    follow: ({ type: _type, ...options }: real.FollowOptions) => events.follow(options),
  })),
  {
    killedBy: 'events:30',
    name: 'a follower that connects again gets the last event once more',
    api: {
      ...real,
      openEventsReadOnly: (async (...args: Parameters<typeof real.openEventsReadOnly>) => {
        const reader = await real.openEventsReadOnly(...args)
        const follow = (options: real.FollowOptions) => {
          const sequence = Number(String(options.after).split('.').at(-1))
          return reader.follow({ ...options, after: `0.${sequence > 10 ? sequence - 1 : sequence}` })
        }
        return Object.assign(Object.create(reader) as object, { follow })
      }) as unknown as typeof real.openEventsReadOnly,
    },
  },
  {
    killedBy: 'events:30/sse',
    name: 'the last id of a client is ignored',
    api: { ...real, eventStream: (events, options) => real.eventStream(events, { ...options, after: undefined }) },
  },
  below('events:31', 'appends are acknowledged before they are stored', (adapter) => ({
    async append(log, at, records, options) {
      if (at < 5) return adapter.append(log, at, records, options)
      setTimeout(() => void adapter.append(log, at, records, options).catch(() => {}), 20)
    },
  })),
  below('events:23', 'a reader sees half of a batch', (adapter) => ({
    async *read(log, range) {
      for await (const batch of adapter.read(log, range)) {
        if (range?.reverse && batch.records.length > 20) yield { at: batch.at + 3, records: batch.records.slice(3) }
        else yield batch
      }
    },
  })),
  below('events:32', 'the last record of a full window is not delivered', (adapter) => ({
    async *read(log, range) {
      for await (const batch of adapter.read(log, range)) {
        const isFull = range?.reverse && batch.records.length > 8
        yield isFull ? { ...batch, records: batch.records.slice(0, -1) } : batch
      }
    },
  })),
  {
    killedBy: 'events:21',
    name: 'opening for reading creates',
    api: {
      ...real,
      openEventsReadOnly: async (adapter, id, options) => {
        await real.openEvents(adapter, id)
        return real.openEventsReadOnly(adapter, id, options)
      },
    },
  },
  {
    killedBy: 'events:22',
    name: 'opening for reading tries again whatever the failure',
    api: {
      ...real,
      openEventsReadOnly: async (adapter, id, options) => {
        for (;;) {
          try {
            return await real.openEventsReadOnly(adapter, id, options)
          } catch (error) {
            if (!SessionError.is(error, 'UNAVAILABLE')) throw error
          }
        }
      },
    },
  },
  below('events:18/race', 'a writer that meets the end of a log is told that it was written', (adapter) => ({
    append: (log, at, records, options) =>
      adapter.append(log, at, records, options).catch((error: unknown) => {
        if (!(error instanceof ConflictError) || !log.endsWith('/event') || records[0]?.includes('closed')) throw error
      }),
  })),
]
