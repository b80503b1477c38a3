import { SessionError, type StorageAdapter } from '@sessiontree/core'
import { delegate } from './delegate.ts'

/**
 * Wraps a handle so that its next append commits and then rejects with `UNCERTAIN`, as if the answer had been lost above the
 * adapter. For harnesses that cannot cut it off further down.
 */
export function losingNextAnswer(adapter: StorageAdapter): StorageAdapter {
  let lost = false
  return delegate(adapter, {
    async append(log, at, records, options) {
      await adapter.append(log, at, records, options)
      if (lost) return
      lost = true
      throw new SessionError('UNCERTAIN', `The answer of ${adapter.name} was lost; append to ${at} again to settle it.`)
    },
  })
}
