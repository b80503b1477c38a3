import type { Signal } from '@sessiontree/core'
import type { LogObject } from './log-object.ts'
import type { Held } from './overlap.ts'
import { createAbort, waitFor } from './parallel.ts'

export type Fetched = LogObject | 'gone' | 'damaged'

const LOGS = 16

interface Underway {
  readonly size: number
  readonly etag: string
  readonly object: Promise<Fetched>
}

/**
 * Objects that are fetched before the read that wants them has begun.
 *
 * Invariant: the read makes its own listing all the same and takes an object only if that listing shows the very one. A batch is written once, so
 * neither order nor age of the answers matters.
 */
export class Prepared {
  // In the order of their preparation.
  readonly #logs = new Map<string, Map<number, Underway>>()
  readonly #working = new Set<Promise<void>>()
  readonly #ended = createAbort(undefined)

  /** Runs `plan`, which tells what to fetch, and begins to fetch it. What fails is left to the read. */
  begin(
    log: string,
    signal: Signal | undefined,
    plan: (stop: Signal) => Promise<readonly Held[]>,
    fetch: (held: Held, stop: Signal) => Promise<Fetched>,
  ): void {
    const abort = createAbort(signal)
    const end = () => abort.abort(this.#ended.signal.reason)
    this.#ended.signal.addEventListener('abort', end, { once: true })
    const work = async () => {
      const found = new Map<number, Underway>()
      for (const held of await plan(abort.signal)) {
        if (held.etag === undefined) continue
        const object = fetch(held, abort.signal)
        object.catch(() => undefined)
        found.set(held.at, { size: held.size, etag: held.etag, object })
      }
      this.#hold(log, found)
      await Promise.allSettled(Array.from(found.values(), ({ object }) => object))
    }
    const working = work()
      .catch(() => undefined)
      .finally(() => {
        abort.release()
        this.#ended.signal.removeEventListener('abort', end)
        this.#working.delete(working)
      })
    this.#working.add(working)
  }

  /** The object that a listing shows, if it is on its way or here; once. */
  async take(log: string, { at, size, etag }: Held, signal: Signal | undefined): Promise<Fetched | undefined> {
    const objects = this.#logs.get(log)
    const underway = objects?.get(at)
    if (!underway || underway.etag !== etag || underway.size !== size) return undefined
    objects?.delete(at)
    // A failure is left to whoever asks for it now.
    return waitFor(
      underway.object.catch(() => undefined),
      signal,
    )
  }

  /** Lets go of what no read of the log took. */
  forget(log: string): void {
    this.#logs.delete(log)
  }

  /** Ends what is under way. */
  async close(): Promise<void> {
    this.#logs.clear()
    this.#ended.abort(new Error('The handle was closed'))
    await Promise.allSettled(this.#working)
  }

  #hold(log: string, objects: Map<number, Underway>): void {
    this.#logs.delete(log)
    if (objects.size === 0) return
    this.#logs.set(log, objects)
    for (const oldest of this.#logs.keys()) {
      if (this.#logs.size <= LOGS) break
      this.#logs.delete(oldest)
    }
  }
}
