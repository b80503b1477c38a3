import { memory, MemoryStore } from '@sessiontree/memory'
import type { Environment } from '../src/environment.ts'
import { openSessions, type RoleMessage, type Session, type Sessions, type StorageAdapter } from '../src/index.ts'
import { reserveIncarnation } from '../src/session-document.ts'
import { seededClock, seededRandom } from './seeded.ts'

export const user = (content: string) => ({ role: 'user', content })
/** The report of a sweep that found nothing to do. */
export const nothing = {
  deletesFinished: 0,
  logsDropped: 0,
  documentsRemoved: 0,
  indexEntriesAdded: 0,
  orphans: [],
  failed: [],
}
export const A_DAY = 86_400_000
export const start = 1_700_000_000_000

export const environment = (adapter: StorageAdapter, seed = 7): Environment => ({
  adapter,
  clock: seededClock(start),
  random: seededRandom(seed),
})
export interface OpenOptions {
  readonly seed?: number
  /** What the clock says at first. */
  readonly now?: number
  readonly scope?: readonly string[]
}

export function open(
  adapter: StorageAdapter,
  { seed = 1, now = start, scope = [] }: OpenOptions = {},
): Sessions<RoleMessage> {
  return openSessions(adapter, { scope, clock: seededClock(now), random: seededRandom(seed) })
}
/** Everything that a store holds. */
export const names = (store: MemoryStore): string[] => [...store.documents.keys(), ...store.logs.keys()].toSorted()
/** The session that all of it is about. */
export const reference = { key: 'session/s', id: 's' }
/** The key of an index entry. */
export const entry = (time: number, id = 's'): string =>
  `index/${(2 ** 48 - 1 - time).toString(16).padStart(12, '0')}-${id}`

export interface WithSession {
  readonly store: MemoryStore
  readonly adapter: StorageAdapter
  readonly sessions: Sessions<RoleMessage>
  readonly session: Session<RoleMessage>
  /** What a handle that is new finds in it. */
  contents(): Promise<readonly unknown[]>
}

/** A store with one session of one message. */
export async function withSession(): Promise<WithSession> {
  const store = new MemoryStore()
  const adapter = memory({ store })
  const sessions = open(adapter)
  const session = await sessions.create('s', { createdAt: new Date(start) })
  await session.append(user('kept'))
  const contents = async () => {
    const { messages } = await (await open(adapter, { seed: 9 }).open('s')).context()
    return messages.map(({ content }) => content)
  }
  return { store, adapter, sessions, session, contents }
}

/** A copy of the log as a repair makes it; resolves with its number. */
export async function copied(adapter: StorageAdapter, store: MemoryStore, seed = 7): Promise<number> {
  const { incarnation } = await reserveIncarnation(environment(adapter, seed), reference)
  await adapter.append(`session/s/${incarnation}`, 0, store.logs.get('session/s/0')!)
  return incarnation
}
