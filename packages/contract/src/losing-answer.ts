import { SessionError, type StorageAdapter } from '@sessiontree/core'
import { delegate } from './delegate.ts'
import type { WriteOperation } from './harness.ts'

/**
 * Wraps a handle so that its next `operation` takes effect and then rejects with `UNCERTAIN`, as if the answer had been lost above the
 * adapter. For harnesses that cannot cut it off further down.
 */
export function losingNextAnswer(adapter: StorageAdapter, operation: WriteOperation): StorageAdapter {
  let lost = false
  const lose = () => {
    if (lost) return
    lost = true
    throw new SessionError('UNCERTAIN', `The answer of ${adapter.name} was lost; do it again to settle it.`)
  }
  const losing: Readonly<Record<WriteOperation, Partial<StorageAdapter>>> = {
    append: {
      async append(...args) {
        await adapter.append(...args)
        lose()
      },
    },
    put: {
      async put(...args) {
        const version = await adapter.put(...args)
        lose()
        return version
      },
    },
    remove: {
      async remove(...args) {
        const removal = await adapter.remove(...args)
        lose()
        return removal
      },
    },
  }
  return delegate(adapter, losing[operation])
}
