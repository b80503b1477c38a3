import { constants } from 'node:os'

/** The reason of a signal that {@link interruption} aborted. */
export class Interrupted extends Error {
  override readonly name = 'Interrupted'
  readonly signal: 'SIGINT' | 'SIGTERM'

  constructor(signal: 'SIGINT' | 'SIGTERM') {
    super(`interrupted by ${signal}`)
    this.signal = signal
  }

  /** As a shell reports a process that the signal ended. */
  get exitCode(): number {
    return 128 + constants.signals[this.signal]
  }
}

// Ctrl-C may arrive twice at once: from the terminal and from the parent that passes it on.
const SAME_KEYSTROKE_MILLISECONDS = 500

/** A signal that aborts at the first SIGINT or SIGTERM; a later one calls `insist`. */
export function interruption(insist: (reason: Interrupted) => void = () => {}): AbortSignal {
  const controller = new AbortController()
  let first: number | undefined
  for (const name of ['SIGINT', 'SIGTERM'] as const) {
    process.on(name, () => {
      first ??= performance.now()
      const reason = new Interrupted(name)
      if (performance.now() - first > SAME_KEYSTROKE_MILLISECONDS) insist(reason)
      controller.abort(reason)
    })
  }
  return controller.signal
}
