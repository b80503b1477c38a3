import { throwIfAborted, type Signal } from '@sessiontree/core'

/**
 * A lock that ends with the tab or worker that holds it, however that ends.
 *
 * Contract
 * - One holder at a time for each name, among all tabs and workers of the origin in this browser profile.
 * - `acquire` never waits: it resolves with the hold, which disposal gives up, or with undefined if somebody has the lock, this tab included,
 *   or there are no locks here. An aborted signal rejects with its reason and leaves nothing held.
 * - `isHeld` is true where it cannot be told: "free" is said only of a lock that is.
 */
export interface TabLock {
  acquire(name: string, signal?: Signal): Promise<AsyncDisposable | undefined>
  isHeld(name: string): Promise<boolean>
}

/**
 * Makes the lock of a store: a turn that holds it is known to be over as soon as its tab is closed or has crashed, not only when its lease
 * expires. The lock is advice about when to try; what keeps a late writer out is the log.
 *
 * @param store The name of the database, as given to `indexedDb`.
 *
 * @example
 * const lock = tabLock('my-agent')
 * await using hold = await lock.acquire('support-42')
 */
export function tabLock(store: string): TabLock {
  if (typeof store !== 'string' || store === '') throw new TypeError('store: expected the name of a database')
  const full = (name: string) => `sessiontree ${JSON.stringify([store, name])}`
  return {
    async acquire(name, signal) {
      throwIfAborted(signal)
      const hold = await take(full(name))
      if (signal?.aborted) await hold?.[Symbol.asyncDispose]()
      throwIfAborted(signal)
      return hold
    },
    async isHeld(name) {
      try {
        const { held } = await navigator.locks.query()
        return held?.some((lock) => lock.name === full(name)) ?? true
      } catch {
        return true
      }
    },
  }
}

function take(name: string): Promise<AsyncDisposable | undefined> {
  return new Promise((resolve) => {
    // There may be no `navigator.locks`, as in an insecure context, or it may refuse, as in a page without an origin.
    const ended = (async () =>
      navigator.locks.request(name, { ifAvailable: true }, (lock) => {
        if (!lock) return resolve(undefined)
        return new Promise<void>((release) => {
          resolve({
            async [Symbol.asyncDispose]() {
              release()
              await ended
            },
          })
        })
      }))().catch(() => resolve(undefined))
  })
}
