import {
  RecordHome,
  recordHomes,
  SessionError,
  type Clock,
  type Random,
  type RecordHomeOptions,
  type Signal,
  type StorageAdapter,
} from '@sessiontree/core'
import { byUtf8 } from './by-utf8.ts'
import { SCHEMA_VERSION, type Ledger } from './ledger.ts'
import { TaskLedger, type LedgerSettings } from './task-ledger.ts'

/** Options of {@link openLedger} and {@link listLedgers}. */
export interface LedgerOptions extends LedgerSettings {
  /** Whose they are, as in `openSessions`. Default: none. */
  readonly scope?: readonly string[] | undefined
  readonly clock?: Clock | undefined
  readonly random?: Random | undefined
}

/**
 * Opens the ledger of a task. Reads and writes nothing yet: `load` is `NOT_FOUND` where there is none, `append` creates it. The adapter stays the
 * caller's.
 *
 * @throws {TypeError} for a blank task id. Any other one is encoded, and never leaves its place.
 *
 * @example
 * const ledger = openLedger(nodeFs('./store'), 'fix-login')
 * await ledger.append({ type: 'criterion', criterion_id: 'tests', status: 'pass', command: 'npm test', exit_code: 0 })
 */
export function openLedger(adapter: StorageAdapter, taskId: string, options: LedgerOptions = {}): TaskLedger {
  if (typeof taskId !== 'string' || taskId.trim() === '') {
    throw new TypeError('taskId: expected a text that is not blank')
  }
  const home = new RecordHome(settings(adapter, options), taskId).createWith({ schema_version: SCHEMA_VERSION })
  return new TaskLedger(home, options)
}

/** What {@link listLedgers} yields. */
export type ListedLedger =
  | { readonly taskId: string; readonly ledger: Ledger }
  /** One that cannot be read: the others are listed all the same. Without a task id where not even that can be read. */
  | { readonly taskId: string | undefined; readonly key: string | undefined; readonly error: SessionError }

/** Streams all ledgers, in the order of the UTF-8 bytes of their task ids; those without entries are left out. */
export async function* listLedgers(
  adapter: StorageAdapter,
  options: LedgerOptions & { readonly signal?: Signal | undefined } = {},
): AsyncGenerator<ListedLedger, void, void> {
  const ids: string[] = []
  for await (const found of recordHomes(settings(adapter, options), options.signal)) {
    if ('id' in found) ids.push(found.id)
    else yield { taskId: undefined, ...found }
  }
  for (const taskId of ids.toSorted(byUtf8)) {
    try {
      yield { taskId, ledger: await openLedger(adapter, taskId, options).load(options) }
    } catch (error) {
      // Deleted meanwhile, or created and not yet written to.
      if (SessionError.is(error, 'NOT_FOUND') || SessionError.is(error, 'DELETED')) continue
      if (!SessionError.is(error, 'CORRUPT') && !SessionError.is(error, 'FORMAT')) throw error
      yield { taskId, key: undefined, error }
    }
  }
}

const settings = (adapter: StorageAdapter, { scope, clock, random }: LedgerOptions): RecordHomeOptions => ({
  adapter,
  kind: 'ledger',
  logs: ['entry'],
  scope,
  clock,
  random,
})
