import type { StorageAdapter } from '@sessiontree/core'
import { intercept, settle, unsettle } from '../intercept.ts'

/** An adapter of a process that can be told when to die. */
export interface Mortal {
  readonly adapter: StorageAdapter
  /** It dies when so many more requests and answers have passed; resolves when it is dead and the store has settled what had reached it. */
  readonly dieAfter: (steps: number) => Promise<void>
  /** It lives on. */
  readonly spare: () => void
}

/** Like `crashing`, but told later. */
export function mortal(adapter: StorageAdapter): Mortal {
  const atStore = new Set<Promise<unknown>>()
  let left = Infinity
  let isDead = false
  let crash: () => void = () => {}
  const dies = (): boolean => {
    if (!isDead && left-- > 0) return false
    if (!isDead) {
      isDead = true
      void Promise.all(atStore).then(() => crash())
    }
    return true
  }
  const silence = () => new Promise<never>(() => {})
  return {
    adapter: intercept(adapter, async (_call, send) => {
      if (dies()) await silence()
      const running = settle(send())
      atStore.add(running)
      const settled = await running
      atStore.delete(running)
      if (dies()) await silence()
      return unsettle(settled)
    }),
    dieAfter(steps) {
      left = steps
      const { promise, resolve } = Promise.withResolvers<void>()
      crash = resolve
      return promise
    },
    spare() {
      left = Infinity
    },
  }
}
