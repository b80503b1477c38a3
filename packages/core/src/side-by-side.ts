import { throwIfAborted, type Signal } from './runtime.ts'

const WIDTH = 8

/**
 * Does `work` for every item of a listing, eight at a time; resolves when all of it has ended.
 *
 * Contract
 * - No page is asked for before there is room for its first item. After a failure or an abort nothing new is started, and the call
 *   rejects with it once what was under way has ended.
 */
export async function sideBySide<Item>(
  pages: AsyncIterable<readonly Item[]> | Iterable<readonly Item[]>,
  signal: Signal | undefined,
  work: (item: Item) => Promise<void>,
): Promise<void> {
  const running = new Set<Promise<void>>()
  let failure: { readonly reason: unknown } | undefined
  const start = (item: Item) => {
    const one: Promise<void> = work(item)
      .catch((reason: unknown) => {
        failure ??= { reason }
      })
      .finally(() => running.delete(one))
    running.add(one)
  }
  try {
    throwIfAborted(signal)
    for await (const page of pages) {
      for (const item of page) {
        if (running.size >= WIDTH) await Promise.race(running)
        throwIfAborted(signal)
        if (failure) throw failure.reason
        start(item)
      }
    }
  } finally {
    await Promise.all(running)
  }
  if (failure) throw failure.reason
}
