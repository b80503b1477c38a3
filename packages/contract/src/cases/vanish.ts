import { SessionError } from '@sessiontree/core'
import type { ContractCase } from '../case.ts'
import { assert, AssertionError, assertEqual } from '../assert.ts'
import { collect, fill, readLog } from '../reading.ts'
import { nameOf, outcomeOf } from '../rejection.ts'

const LOG = 'vanish/log'
const KEY = 'vanish/document'

/** A store that disappears under its open handles. */
export const vanishCases: readonly ContractCase[] = [
  {
    id: 'vanish/reads',
    group: 'vanish',
    title: 'a store that is gone is UNAVAILABLE or DENIED to every read, never empty',
    rules: ['absent', 'errors'],
    needs: ['vanish'],
    async run({ open, vanish }) {
      const handle = await open()
      const records = await fill(handle, LOG, [2, 1], (index) => `{"index":${index}}`)
      await handle.put(KEY, '"kept"', { expect: 'absent' })
      assertEqual(await readLog(handle, LOG), records, 'the log before the store is gone')
      await vanish()
      const reads: Readonly<Record<string, () => Promise<unknown>>> = {
        'read of a log that was there': () => collect(handle.read(LOG)),
        'read of its tail': () => collect(handle.read(LOG, { reverse: true, limit: 1 })),
        'read with salvage': () => collect(handle.read(LOG, { salvage: true })),
        'read of a log that never was': () => collect(handle.read('vanish/never')),
        logs: () => collect(handle.logs('')),
        'logs below a prefix': () => collect(handle.logs('vanish')),
        'get of a document that was there': () => handle.get(KEY),
        'get of one that never was': () => handle.get('vanish/never'),
        keys: () => collect(handle.keys('')),
        'keys below a prefix': () => collect(handle.keys('vanish')),
      }
      for (const [what, read] of Object.entries(reads)) await assertGone(read, what)
    },
  },
  {
    id: 'vanish/writes',
    group: 'vanish',
    title: 'a store that is gone takes no write, and one that took its place is not mixed up with it',
    rules: ['absent', 'errors', 'drop.again', 'remove.again'],
    needs: ['vanish', 'sharing'],
    async run({ open, vanish }) {
      const handle = await open()
      await fill(handle, LOG, [2, 1], (index) => `{"index":${index}}`)
      const version = await handle.put(KEY, '"kept"', { expect: 'absent' })
      await vanish()
      const writes: Readonly<Record<string, () => Promise<unknown>>> = {
        'append by a writer that knows the log': () => handle.append(LOG, 3, ['"late"']),
        'append of a first record': () => handle.append('vanish/new', 0, ['"late"']),
        'put of a new version': () => handle.put(KEY, '"late"', { expect: version }),
        'put of a new document': () => handle.put('vanish/new', '"late"', { expect: 'absent' }),
        'remove at a version': () => handle.remove(KEY, { expect: version }),
        remove: () => handle.remove(KEY),
        drop: () => handle.drop(LOG),
      }
      for (const [what, write] of Object.entries(writes)) await assertGone(write, what)
      // In some places this makes an empty store where the old one was; in others it is refused.
      const successor = await open()
      const begun = await outcomeOf(successor.append(LOG, 0, ['"another"']))
      for (const [what, write] of Object.entries(writes)) await assertGone(write, `${what} with another store there`)
      if (begun.ok)
        assertEqual(await readLog(successor, LOG), ['"another"'], 'the log of the store that took its place')
    },
  },
]

async function assertGone(operation: () => Promise<unknown>, what: string): Promise<void> {
  const outcome = await outcomeOf(operation())
  const expected = 'UNAVAILABLE or DENIED'
  if (outcome.ok) throw new AssertionError(`${what}: the store is gone`, outcome.value ?? 'resolved', expected)
  const { error } = outcome
  if (!SessionError.is(error, 'UNAVAILABLE') && !SessionError.is(error, 'DENIED')) {
    throw new AssertionError(
      `${what}: the store is gone: expected ${expected}, got ${nameOf(error)}`,
      nameOf(error),
      expected,
    )
  }
  assert(error.written === 'no', `${what}: nothing can have been written, yet the error says "${error.written}"`)
}
