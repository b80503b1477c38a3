import { ConflictError, type ResolvedListing, type Signal } from '@sessiontree/core'
import { unwrap, type IDBPObjectStore } from 'idb'
import type { Connection } from './connection.ts'
import { indexes, type Layout, LONGEST_INLINE, logsBelow, type StoreName, TRACE } from './layout.ts'

// How many logs one transaction lists.
const PAGE = 128

export type Records = IDBPObjectStore<Layout, StoreName[], 'records', 'readonly' | 'readwrite'>

/** Adds records if the log holds exactly `at`. */
export function appendRecords(
  connection: Connection,
  log: string,
  at: number,
  texts: readonly string[],
  signal: Signal | undefined,
): Promise<void> {
  const stores: StoreName[] = texts.some(isLarge) ? ['records', 'large'] : ['records']
  return connection.write(stores, signal, async (transaction) => {
    // Asked before the records are added, so it answers for the log without them; not awaited before, which would cost a round trip.
    const last = lastIndex(transaction.objectStore('records'), log)
    // Plain requests: a promise for each would reject unheard when the transaction aborts.
    const raw = unwrap(transaction)
    const records = raw.objectStore('records')
    for (const [i, text] of texts.entries()) {
      records.add(isLarge(text) ? text.length : text, [log, at + i])
      if (isLarge(text)) raw.objectStore('large').add(text, [log, at + i])
    }
    assertLength(log, at, await last)
  })
}

function assertLength(log: string, at: number, last: number | undefined): void {
  const length = (last ?? TRACE) + 1
  if (length === at && last !== TRACE) return
  const message =
    last === TRACE
      ? `Log ${log} was dropped; its name is spent.`
      : `Log ${log} holds ${length} records, not ${at}; read the new ones, then append again.`
  throw new ConflictError(message, { atLeast: length })
}

/** Removes a log's records, and leaves a trace if there were any, unless the name may be forgotten. */
export function dropRecords(
  connection: Connection,
  log: string,
  forget: boolean,
  signal: Signal | undefined,
): Promise<void> {
  return connection.write(['records', 'large'], signal, async (transaction) => {
    if ((await lastIndex(transaction.objectStore('records'), log)) === undefined) return
    const raw = unwrap(transaction)
    raw.objectStore('large').delete(indexes(log, TRACE))
    raw.objectStore('records').delete(indexes(log, TRACE))
    if (!forget) raw.objectStore('records').add(0, [log, TRACE])
  })
}

/** Lists the logs that hold records. */
export async function* listLogs(
  connection: Connection,
  prefix: string,
  { after, limit, signal }: ResolvedListing,
): AsyncGenerator<readonly string[]> {
  let visited = after
  for (let left = limit; left > 0;) {
    const range = logsBelow(prefix, visited)
    if (!range) return
    const names: string[] = []
    const more = await connection.read(['records'], signal, async (transaction) => {
      let cursor = await transaction.objectStore('records').openKeyCursor(range)
      for (let step = 0; cursor; step++) {
        if (step === PAGE || names.length === left) return true
        const [log, at] = cursor.key
        visited = log
        if (at !== TRACE) names.push(log)
        // From one log's first key to the next one's: what lies between is not visited.
        cursor = await cursor.continue([log, Infinity])
      }
      return false
    })
    if (names.length > 0) yield names
    if (!more) return
    left -= names.length
  }
}

/** The highest index of a log, {@link TRACE} if it was dropped, undefined if it never was. */
export async function lastIndex(records: Records, log: string): Promise<number | undefined> {
  return (await records.openKeyCursor(indexes(log, TRACE), 'prev'))?.key[1]
}

function isLarge(text: string): boolean {
  return text.length > LONGEST_INLINE
}
