import type { Signal } from '@sessiontree/core'

/** A signal that is aborted already. */
export function abortedSignal(reason: unknown): Signal {
  return { aborted: true, reason, addEventListener() {}, removeEventListener() {} }
}

/** A signal, and the function that aborts it. */
export function abortableSignal(): { readonly signal: Signal; readonly abort: () => void } {
  const listeners = new Set<() => void>()
  const reason = new Error('aborted by the contract suite')
  let aborted = false
  const signal: Signal = {
    get aborted() {
      return aborted
    },
    get reason() {
      return aborted ? reason : undefined
    },
    addEventListener: (_type, listener) => void listeners.add(listener),
    removeEventListener: (_type, listener) => void listeners.delete(listener),
  }
  const abort = () => {
    aborted = true
    for (const listener of listeners) listener()
    listeners.clear()
  }
  return { signal, abort }
}
