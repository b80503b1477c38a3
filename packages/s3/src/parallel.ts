import { throwIfAborted, type Signal } from '@sessiontree/core'

// No types of a platform here; every runtime has it.
declare const AbortController: new () => { readonly signal: Signal; abort(reason?: unknown): void }

/** An abort of our own that also follows the caller's signal, until `release`. */
export interface Abort {
  readonly signal: Signal
  abort(reason?: unknown): void
  release(): void
}

export function createAbort(follow: Signal | undefined): Abort {
  const controller = new AbortController()
  const abort = () => controller.abort(follow?.reason)
  if (follow?.aborted) abort()
  follow?.addEventListener('abort', abort, { once: true })
  return {
    signal: controller.signal,
    abort: (reason) => controller.abort(reason),
    release: () => follow?.removeEventListener('abort', abort),
  }
}

/** Waits for what others may wait for too: an abort ends the waiting, not the work. */
export function waitFor<Result>(work: Promise<Result>, signal: Signal | undefined): Promise<Result> {
  if (!signal) return work
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason)
    if (signal.aborted) abort()
    signal.addEventListener('abort', abort, { once: true })
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort))
  })
}

// All of 10,000 small records in one round trip. The client has its own bound on connections (50, by default) and lets the rest wait.
const AT_ONCE = 192
const BYTES_AT_ONCE = 32 * 1024 * 1024

/**
 * Runs `start` for the items in parallel and yields the results in the items' order. What was started and not yet taken stays
 * within bounds; leaving the loop aborts it. `start` is told how many bytes share the connection with its own.
 */
export async function* inOrder<Item, Result>(
  items: readonly Item[],
  bytesOf: (item: Item) => number,
  start: (item: Item, signal: Signal, together: number) => Promise<Result>,
  signal: Signal | undefined,
): AsyncGenerator<Result> {
  throwIfAborted(signal)
  const together = Math.min(
    BYTES_AT_ONCE,
    items.reduce((sum, item) => sum + bytesOf(item), 0),
  )
  const abort = createAbort(signal)
  const running: Promise<Result>[] = []
  let [next, bytes] = [0, 0]
  try {
    for (const item of items) {
      while (next < items.length && running.length < AT_ONCE) {
        const candidate = items[next] as Item
        if (running.length > 0 && bytes + bytesOf(candidate) > BYTES_AT_ONCE) break
        const result = start(candidate, abort.signal, Math.max(together, bytesOf(candidate)))
        // It may fail long before its turn comes.
        result.catch(() => undefined)
        running.push(result)
        bytes += bytesOf(candidate)
        next++
      }
      const result = await (running.shift() as Promise<Result>)
      bytes -= bytesOf(item)
      yield result
    }
  } finally {
    abort.abort(new Error('No longer wanted'))
    abort.release()
  }
}
