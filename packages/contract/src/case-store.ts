import type { StorageAdapter } from '@sessiontree/core'
import type { CaseContext } from './case.ts'
import { delegate } from './delegate.ts'
import type { Costs, Need, TestStore, WriteOperation } from './harness.ts'
import { losingNextAnswer } from './losing-answer.ts'

/** The store of one running case. Remembers the handles that were opened on it, to close them when the case ends. */
export class CaseStore implements CaseContext {
  readonly #store: TestStore
  #handles: StorageAdapter[] = []
  #opening: Promise<unknown> = Promise.resolve()
  /** Where `sharing` is `"none"`: the one handle that is open. */
  #only: { readonly handle: StorageAdapter; readonly isPlain: boolean } | undefined

  constructor(store: TestStore) {
    this.#store = store
  }

  readonly open = (): Promise<StorageAdapter> =>
    this.#inTurn(async () => (this.#only?.isPlain ? this.#only.handle : this.#keep(() => this.#store.open(), true)))

  readonly openLosingNextAnswer = (operation: WriteOperation = 'append'): Promise<StorageAdapter> => {
    const store = this.#store
    const open = async () =>
      store.openLosingNextAnswer
        ? store.openLosingNextAnswer(operation)
        : losingNextAnswer(await store.open(), operation)
    return this.#inTurn(() => this.#keep(open, false))
  }

  readonly openFailingNextFlush = (): Promise<StorageAdapter> =>
    this.#inTurn(() => this.#keep(async () => this.#hook('openFailingNextFlush').call(this.#store), false))

  readonly damage = async (log: string, at: number): Promise<readonly number[]> =>
    this.#hook('damage').call(this.#store, log, at)

  readonly damageDocument = async (key: string): Promise<void> => this.#hook('damageDocument').call(this.#store, key)

  readonly vanish = async (): Promise<void> => this.#hook('vanish').call(this.#store)

  readonly crash = async (): Promise<void> => {
    this.#handles = []
    this.#only = undefined
    await this.#hook('crash').call(this.#store)
  }

  readonly costs = async (): Promise<Costs> => this.#hook('costs').call(this.#store)

  /** Why a case cannot run here, or undefined if it can. */
  async lacks(needs: readonly Need[]): Promise<Need | undefined> {
    for (const need of needs) {
      if (need !== 'sharing') {
        if (!this.#store[need]) return need
      } else if ((await this.open()).capabilities.sharing === 'none') return need
    }
    return undefined
  }

  /** Closes every handle, then destroys the store; resolves with what went wrong. */
  async end(): Promise<unknown[]> {
    const closed = await Promise.allSettled(this.#handles.map(async (handle) => handle.close()))
    const destroyed = await Promise.allSettled([(async () => this.#store.destroy())()])
    return [...closed, ...destroyed].flatMap((result) => (result.status === 'rejected' ? [result.reason] : []))
  }

  #hook<Name extends Exclude<Need, 'sharing'>>(name: Name): NonNullable<TestStore[Name]> {
    const hook = this.#store[name]
    if (!hook) throw new TypeError(`The case uses ${name}(), which it does not name in "needs".`)
    return hook
  }

  // Whether a second handle may be opened is known once the first one is.
  #inTurn(open: () => Promise<StorageAdapter>): Promise<StorageAdapter> {
    const opened = this.#opening.then(open)
    this.#opening = opened.catch(() => {})
    return opened
  }

  async #keep(open: () => Promise<StorageAdapter>, isPlain: boolean): Promise<StorageAdapter> {
    await this.#only?.handle.close()
    const handle = await open()
    this.#handles.push(handle)
    if (handle.capabilities.sharing !== 'none') return handle
    const close = () => {
      if (this.#only?.handle === watched) this.#only = undefined
      return handle.close()
    }
    const watched = delegate(handle, { close, [Symbol.asyncDispose]: close })
    this.#only = { handle: watched, isPlain }
    return watched
  }
}
