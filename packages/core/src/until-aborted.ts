import type { Signal } from './runtime.ts'

/**
 * Resolves as `running` does; rejects with the signal's reason as soon as that aborts. What `running` gives then is nobody's, and is passed to `undo`, whose failures
 * nobody hears of.
 */
export function untilAborted<Result>(
  running: Promise<Result>,
  signal: Signal | undefined,
  undo: (result: Result) => Promise<unknown>,
): Promise<Result> {
  if (!signal) return running
  return new Promise((resolve, reject) => {
    let isAborted = signal.aborted
    const abort = () => {
      isAborted = true
      reject(signal.reason)
    }
    if (isAborted) abort()
    else signal.addEventListener('abort', abort, { once: true })
    running
      .then((result) => {
        if (!isAborted) return resolve(result)
        return undo(result).catch(() => undefined)
      }, reject)
      .finally(() => signal.removeEventListener('abort', abort))
  })
}
