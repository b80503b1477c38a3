import { openSessions } from '@sessiontree/core'
import { estimate, indexedDb } from '../../../src/index.ts'
import { tabLock } from '../../../src/web-lock.ts'

/** What a place of the browser can do with the store that it shares with its neighbours. */
export interface StoreUse {
  /** All messages of the session, with the one of this place behind them. */
  readonly contents: readonly unknown[]
  readonly watch: boolean
  readonly quota: boolean
  readonly locked: boolean
}

/** What {@link useStore} gives, or why it could not, as a worker can post it: nobody else hears of its errors. */
export async function answerOf(content: string): Promise<StoreUse | { readonly error: string }> {
  try {
    return await useStore(content)
  } catch (error) {
    return { error: String(error) }
  }
}

/** Appends one message to the session that all places share, and looks at what is there. */
async function useStore(content: string): Promise<StoreUse> {
  const adapter = indexedDb('places')
  await using sessions = openSessions(adapter)
  const session = await sessions.getOrCreate('shared')
  await session.append({ role: 'user', content }, { onConflict: 'rebase' })
  const { messages } = await session.context()
  await using hold = await tabLock('places').acquire(content)
  return {
    contents: messages.map((message) => message['content']),
    watch: adapter.capabilities.watch,
    quota: ((await estimate()).quota ?? 0) > 0,
    locked: hold !== undefined,
  }
}
