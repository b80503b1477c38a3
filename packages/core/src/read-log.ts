import type { RecordBatch, StorageAdapter } from './adapter.ts'
import { SessionError, type CorruptError } from './errors.ts'
import type { Signal } from './runtime.ts'

/** What a damaged log still holds, oldest first: its records, and where one is missing. */
export type LogPart =
  | { readonly batch: RecordBatch }
  /** Indexes without a record; `to` is undefined if nothing readable follows. */
  | {
      readonly gap: { readonly from: number; readonly to: number | undefined; readonly error: CorruptError | undefined }
    }

/**
 * Reads a log from its start and goes on behind damage: yields what there is, with a gap wherever indexes are missing.
 *
 * Contract
 * - The first damage comes with the adapter's error, which says where it is; so does damage up to the end.
 * - Throws what is no damage.
 */
export async function* readAround(
  adapter: StorageAdapter,
  log: string,
  signal: Signal | undefined,
): AsyncGenerator<LogPart, void, void> {
  let next = 0
  let error: CorruptError | undefined
  try {
    for await (const batch of adapter.read(log, { signal })) {
      yield { batch }
      next = batch.at + batch.records.length
    }
    return
  } catch (reason) {
    if (!SessionError.is(reason, 'CORRUPT')) throw reason
    error = reason
  }
  for await (const batch of adapter.read(log, { from: next, salvage: true, signal })) {
    if (batch.at > next) yield { gap: { from: next, to: batch.at, error } }
    if (batch.at > next) error = undefined
    yield { batch }
    next = batch.at + batch.records.length
  }
  error ??= await damageAtEnd(adapter, log, signal)
  if (error) yield { gap: { from: next, to: undefined, error } }
}

async function damageAtEnd(
  adapter: StorageAdapter,
  log: string,
  signal: Signal | undefined,
): Promise<CorruptError | undefined> {
  try {
    for await (const _ of adapter.read(log, { reverse: true, limit: 1, signal })) return undefined
  } catch (error) {
    if (SessionError.is(error, 'CORRUPT')) return error
    throw error
  }
  return undefined
}
