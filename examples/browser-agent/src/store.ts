import { openSessions, type RoleMessage, type Sessions } from '@sessiontree/core'
import { estimate, indexedDb, persist, persisted, type StorageSpace } from '@sessiontree/indexeddb'
import { tabLock } from '@sessiontree/indexeddb/web-lock'

/** How much the browser keeps for this page, and whether it may throw it away. */
export interface StorageUse extends StorageSpace {
  readonly persisted: boolean
}

/** Where the sessions of this page are. */
export interface Store {
  readonly sessions: Sessions<RoleMessage>
  use(): Promise<StorageUse>
  /** Asks the browser to keep everything until the user deletes it; resolves with whether it will. */
  persist(): Promise<boolean>
}

const DATABASE = 'sessiontree-chat'

/** Opens the sessions of this page's origin. A turn holds a Web Lock too: a closed tab frees it at once. */
export function openStore(): Store {
  return {
    sessions: openSessions(indexedDb(DATABASE), { turnLock: tabLock(DATABASE) }),
    use: async () => ({ ...(await estimate()), persisted: await persisted() }),
    persist,
  }
}
