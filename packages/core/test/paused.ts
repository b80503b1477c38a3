import type { StorageAdapter } from '../src/index.ts'

/** An adapter whose caller stands still before one of its calls. */
export interface Paused {
  readonly adapter: StorageAdapter
  /** Resolves when it stands still, or when `work` has ended without getting there. */
  standsOrEnds(work: Promise<unknown>): Promise<void>
  /** Lets it go on to its end. */
  goOn(): void
  /** How many calls there were; of an iterator, pulls. */
  readonly calls: number
}

/** Lets the first `limit` calls pass and holds all others, until `goOn`. */
export function paused(inner: StorageAdapter, limit: number): Paused {
  const { promise: released, resolve: goOn } = Promise.withResolvers<void>()
  const { promise: stands, resolve: stand } = Promise.withResolvers<void>()
  let calls = 0
  const pass = async () => {
    if (calls++ < limit) return
    stand()
    await released
  }
  const call = <Arguments extends unknown[], Result>(method: (...args: Arguments) => Promise<Result>) => {
    return async (...args: Arguments) => {
      await pass()
      return method(...args)
    }
  }
  const stream = <Arguments extends unknown[], Item>(method: (...args: Arguments) => AsyncIterable<Item>) => {
    return async function* (...args: Arguments): AsyncGenerator<Item, void, void> {
      await pass()
      for await (const item of method(...args)) {
        yield item
        await pass()
      }
    }
  }
  const { append, get, put, remove, drop, read, keys, logs } = inner
  return {
    adapter: {
      ...inner,
      append: call(append),
      get: call(get),
      put: call(put),
      remove: call(remove),
      drop: call(drop),
      read: stream(read),
      keys: stream(keys),
      logs: stream(logs),
    },
    standsOrEnds: (work) =>
      Promise.race([
        stands,
        work.then(
          () => {},
          () => {},
        ),
      ]),
    goOn,
    get calls() {
      return calls
    },
  }
}
