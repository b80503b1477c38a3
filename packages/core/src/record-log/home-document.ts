import { parseDocument, type StoredDocument } from '../document.ts'
import type { JsonObject } from '../entry.ts'
import { CorruptError } from '../errors.ts'

/** The document of a record home: says which incarnation of its logs counts. */
export interface HomeDocument extends StoredDocument {
  /** The id as the caller gave it; a tombstone has none. */
  readonly id?: string
  readonly createdAt?: string
  readonly incarnation: number
  /** When earlier incarnations ended, by their number: a writer may be asleep with an older view of their logs. */
  readonly ended?: Readonly<Record<string, string>>
  /** Earlier incarnations whose logs are kept, because they are damaged. */
  readonly quarantined?: readonly number[]
  /** When it was deleted. */
  readonly deleted?: string
  /** What the package that owns the home keeps in it. */
  readonly about?: JsonObject
}

export function parseHomeDocument(value: string, key: string): HomeDocument {
  const document = parseDocument(value, key) as HomeDocument
  const { incarnation, id, deleted, quarantined = [] } = document
  const isHome =
    Number.isSafeInteger(incarnation) &&
    incarnation >= 0 &&
    (typeof id === 'string' || typeof deleted === 'string') &&
    Array.isArray(quarantined)
  if (!isHome) throw new CorruptError(`Document ${key} is not the document of a record home.`)
  return document
}
