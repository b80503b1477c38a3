import { memory, MemoryStore } from '@sessiontree/memory'
import { openSessions, type RoleMessage, type Sessions, type StorageAdapter } from '../src/index.ts'
import { seededClock, seededRandom } from './seeded.ts'

export const user = (content: string) => ({ role: 'user', content })
export const acme: readonly string[] = ['acme']

export function open(adapter: StorageAdapter, scope: readonly string[] = acme, seed = 1): Sessions<RoleMessage> {
  return openSessions(adapter, { scope, clock: seededClock(), random: seededRandom(seed) })
}
/** Everything that a store holds. */
export const names = (store: MemoryStore): string[] => [...store.documents.keys(), ...store.logs.keys()].toSorted()
/** The ids that a list shows. */
export const listed = async (sessions: Sessions<RoleMessage>): Promise<string[]> =>
  (await Array.fromAsync(sessions.list())).map(({ id }) => id).toSorted()

/** Sessions of acme, of a user of acme, of another tenant whose name begins the same, and of nobody. */
export async function withScopes(): Promise<{
  readonly store: MemoryStore
  readonly adapter: StorageAdapter
  /** The names below acme, and all others. */
  readonly own: readonly string[]
  readonly others: readonly string[]
}> {
  const store = new MemoryStore()
  const adapter = memory({ store })
  for (const scope of [acme, ['acme', 'user'], ['acme2'], []]) {
    const sessions = open(adapter, scope)
    await (await sessions.create('a')).append(user('secret'))
    await sessions.create('b')
    await sessions.create('deleted')
    await sessions.delete('deleted')
  }
  const others = names(store).filter((name) => !name.startsWith('acme.'))
  const own = names(store).filter((name) => name.startsWith('acme.'))
  return { store, adapter, others, own }
}
