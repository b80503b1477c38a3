import type { StorageAdapter } from '../adapter.ts'
import type { Environment } from '../environment.ts'
import { SessionError } from '../errors.ts'
import type { ScopeNames } from '../names.ts'
import { decodeRecord, type RecordState } from '../record.ts'
import type { Signal } from '../runtime.ts'
import type { SessionDocument } from '../session-document.ts'
import { isHeld, isOver, leaseOf, type Lease } from './lease.ts'

/**
 * Who holds a session, for whoever has no handle on it: resolves with the lease, or undefined. Asks the lock and, before it says that somebody does, the log.
 */
export async function holderOf(
  environment: Environment,
  names: ScopeNames,
  document: SessionDocument,
  signal: Signal | undefined,
): Promise<Lease | undefined> {
  const lease = leaseOf(document)
  if (!lease || !(await isHeld(environment, lease))) return undefined
  const { id, incarnation, segment } = document
  const state = await lastState(environment.adapter, names.log(id, incarnation), segment, signal)
  return state && isOver(state, lease) ? undefined : lease
}

/** What the last record of a log leaves behind; undefined if there is none, or none that can be read. */
async function lastState(
  adapter: StorageAdapter,
  log: string,
  segment: number,
  signal: Signal | undefined,
): Promise<RecordState | undefined> {
  try {
    for await (const { at, records } of adapter.read(log, { reverse: true, limit: 1, signal })) {
      const text = records.at(-1)
      if (text !== undefined) return decodeRecord(text, [segment, at + records.length - 1], log).state
    }
  } catch (error) {
    if (!SessionError.is(error, 'CORRUPT') && !SessionError.is(error, 'DELETED')) throw error
  }
  return undefined
}
