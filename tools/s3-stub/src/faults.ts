import type { Operation, StubRequest } from './operations.ts'

/**
 * What goes wrong with a request. `"swallow"` does the work and cuts the connection before the answer; `"cut"` cuts it without
 * doing the work; `late` cuts it, waits, and does the work then; a `status` is answered instead of the work, or with `done`
 * after it; `delay` waits first and then answers as usual.
 */
export type Fault =
  | 'swallow'
  | 'cut'
  | { readonly late: Wait }
  | { readonly delay: Wait }
  | { readonly status: number; readonly code: string; readonly done?: boolean }

/**
 * How long a fault waits: milliseconds, or until what the function returns is fulfilled. It is called once the whole request
 * has come, so a test can act at that moment instead of guessing when it is.
 */
export type Wait = number | (() => unknown)

/** Which requests a fault hits. */
export interface FaultTarget {
  /** Default: any. */
  readonly operation?: Operation
  /** Only keys that match. */
  readonly key?: RegExp
  /** How many requests. Default 1. */
  readonly times?: number
}

/** The faults that wait for their requests. */
export class Faults {
  readonly #armed: { readonly fault: Fault; readonly target: FaultTarget; left: number }[] = []

  inject(fault: Fault, target: FaultTarget = {}): void {
    this.#armed.push({ fault, target, left: target.times ?? 1 })
  }

  /** The fault for this request: of those that fit, the one injected first. */
  take({ operation, key }: StubRequest): Fault | undefined {
    const hit = this.#armed.find(
      ({ target, left }) =>
        left > 0 && (!target.operation || target.operation === operation) && (!target.key || target.key.test(key)),
    )
    if (hit) hit.left--
    return hit?.fault
  }
}

export async function waitFor(wait: Wait): Promise<void> {
  if (typeof wait === 'function') await wait()
  else if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait))
}
