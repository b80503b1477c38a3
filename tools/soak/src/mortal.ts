import type { StorageAdapter } from '@sessiontree/core'

/** An adapter in a process that can be killed. */
export interface Mortal {
  readonly adapter: StorageAdapter
  readonly isAlive: () => boolean
  /** From now on no call reaches the store, and none gets an answer. */
  kill(): void
  /** Calls this once, when it is killed. */
  onDeath(tell: () => void): void
}

/** Wraps an adapter so that what runs on it falls silent when its process dies; what had reached the store takes effect. */
export function mortal(adapter: StorageAdapter): Mortal {
  let alive = true
  let tellDeath = () => {}
  const silence = () => new Promise<never>(() => {})
  const unlessDead = async <Result>(start: () => Promise<Result>): Promise<Result> => {
    if (!alive) return silence()
    try {
      const result = await start()
      return alive ? result : await silence()
    } catch (error) {
      if (!alive) return silence()
      throw error
    }
  }
  async function* steps<Item>(items: AsyncIterable<Item>): AsyncGenerator<Item> {
    const iterator = items[Symbol.asyncIterator]()
    try {
      for (;;) {
        const step = await unlessDead(() => iterator.next())
        if (step.done) return
        yield step.value
      }
    } finally {
      if (alive) await iterator.return?.()
    }
  }
  const wrapped: StorageAdapter = {
    contract: adapter.contract,
    name: adapter.name,
    // Wake-ups come from outside of the schedule.
    capabilities: { ...adapter.capabilities, watch: false },
    append: (...args) => unlessDead(() => adapter.append(...args)),
    read: (...args) => steps(adapter.read(...args)),
    drop: (...args) => unlessDead(() => adapter.drop(...args)),
    logs: (...args) => steps(adapter.logs(...args)),
    get: (...args) => unlessDead(() => adapter.get(...args)),
    put: (...args) => unlessDead(() => adapter.put(...args)),
    remove: (...args) => unlessDead(() => adapter.remove(...args)),
    keys: (...args) => steps(adapter.keys(...args)),
    close: () => unlessDead(() => adapter.close()),
    [Symbol.asyncDispose]: () => wrapped.close(),
  }
  return {
    adapter: wrapped,
    isAlive: () => alive,
    kill: () => {
      if (!alive) return
      alive = false
      tellDeath()
    },
    onDeath: (tell) => {
      tellDeath = tell
    },
  }
}
