import { memory, MemoryStore } from '@sessiontree/memory'
import { openSessions, type Entry, type Session, type StorageAdapter } from '../src/index.ts'
import { handClock, type HandClock } from './hand-clock.ts'
import { seededRandom } from './seeded.ts'

export const user = (content: string) => ({ role: 'user', content })
export const assistant = (content: string) => ({ role: 'assistant', content })

export function openOn(store: MemoryStore, clock: HandClock, seed: number, wrap = (inner: StorageAdapter) => inner) {
  return openSessions(wrap(memory({ store })), { clock, random: seededRandom(seed) })
}

/** One session, and two handles of it that share a clock. */
export async function two(wrap?: (inner: StorageAdapter) => StorageAdapter) {
  const store = new MemoryStore()
  const clock = handClock()
  const session = await openOn(store, clock, 1, wrap).create('s')
  const other = await openOn(store, clock, 2).open('s')
  return { store, clock, session, other }
}

export const all = async (entries: AsyncIterable<Entry>) => {
  const found: Entry[] = []
  for await (const entry of entries) found.push(entry)
  return found
}
/** What an entry is, in a word. */
export const word = (entry: Entry) => {
  const { type, status, message } = entry as { type: string; status?: string; message?: { content: string } }
  return status ?? message?.content ?? type
}
export const words = async (session: Session<never> | Session<{ role: string }>) =>
  (await all(session.path())).map(word)
/** The field of the session's document. */
export const field = (store: MemoryStore, name: string) =>
  (JSON.parse(store.documents.get('session/s')!.value) as Record<string, unknown>)[name]
