import type { Document, Random } from '@sessiontree/core'
import type { DBSchema } from 'idb'

/** The version of the layout below. A database of a higher one was written by a newer release and is left alone. */
export const LAYOUT_VERSION = 1

/**
 * What is stored.
 *
 * - `records`: a record's text under its log and index; a longer one than {@link LONGEST_INLINE} leaves the length of its text
 *   here. A dropped log leaves index −1.
 * - `large`: the texts of the long ones, under the same key.
 * - `documents`: a document's value and version under its key.
 *
 * One more store is empty; its name is the identity of the database, see {@link identityOf}.
 */
export interface Layout extends DBSchema {
  records: { key: [log: string, at: number]; value: string | number }
  large: { key: [log: string, at: number]; value: string }
  documents: { key: string; value: Document }
}

export type StoreName = 'records' | 'large' | 'documents'
const STORE_NAMES: readonly StoreName[] = ['records', 'large', 'documents']

/**
 * The longest text, in UTF-16 code units, that is stored beside its neighbours: reading these never loads a larger one, and
 * bounds what a page can hold before its sizes are known.
 */
export const LONGEST_INLINE = 16_384

/** The index under which a dropped log leaves its trace: no record has it, and whoever looks for the last record of the log finds it. */
export const TRACE = -1

const IDENTITY = 'identity:'

/** Creates the stores of an empty database. */
export function createLayout(database: IDBDatabase, identity: string): void {
  for (const name of STORE_NAMES) database.createObjectStore(name)
  database.createObjectStore(`${IDENTITY}${identity}`)
}

/**
 * What tells this database from one that was created later under the same name, or undefined if it is not one of ours. It is
 * kept in the name of a store, because names are at hand as soon as a database is open, without a transaction.
 */
export function identityOf(database: IDBDatabase): string | undefined {
  const names = [...database.objectStoreNames]
  if (!STORE_NAMES.every((name) => names.includes(name))) return undefined
  return names.find((name) => name.startsWith(IDENTITY))?.slice(IDENTITY.length)
}

/** The keys of a log from one index to before another. */
export function indexes(log: string, from: number, to: number = Infinity): IDBKeyRange {
  return IDBKeyRange.bound([log, from], [log, to], false, true)
}

/**
 * The record keys of all logs strictly below `prefix` and after `after`, or undefined if there can be none. An array sorts behind every
 * text and number, so `[name, []]` is behind all keys of a log.
 */
export function logsBelow(prefix: string, after: string): IDBKeyRange | undefined {
  const names = namesBelow(prefix, after)
  return names && IDBKeyRange.bound(names.isAfter ? [names.from, []] : [names.from], [names.to])
}

/** The keys of all documents strictly below `prefix` and after `after`, or undefined if there can be none. */
export function keysBelow(prefix: string, after: string): IDBKeyRange | undefined {
  const names = namesBelow(prefix, after)
  return names && IDBKeyRange.bound(names.from, names.to, names.isAfter, true)
}

/** From which name (or behind it) to before which; an array is behind all names, and `0` is the character that follows `/`. */
function namesBelow(prefix: string, after: string) {
  const [start, to] = prefix === '' ? ['', []] : [`${prefix}/`, `${prefix}0`]
  if (typeof to === 'string' && after >= to) return undefined
  const isAfter = after >= start
  return { from: isAfter ? after : start, to, isAfter }
}

/** A text that nobody else has or will have: 96 random bits. */
export function freshToken(random: Random): string {
  return Array.from(random.bytes(12), (byte) => byte.toString(16).padStart(2, '0')).join('')
}
