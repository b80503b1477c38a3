import {
  ConflictError,
  CorruptError,
  type Document,
  type Random,
  type ResolvedListing,
  type Signal,
} from '@sessiontree/core'
import { unwrap } from 'idb'
import type { Connection } from './connection.ts'
import { freshToken, keysBelow } from './layout.ts'

const PAGE = 1000

/** Reads documents. Those asked for in one go share a transaction: a page of a list costs one, not twenty. */
export class DocumentReader {
  readonly #connection: Connection
  #asked: { readonly keys: string[]; readonly found: Promise<readonly (Document | undefined)[]> } | undefined

  constructor(connection: Connection) {
    this.#connection = connection
  }

  async get(key: string, signal: Signal | undefined): Promise<Document | undefined> {
    await this.#connection.open(signal)
    this.#asked ??= this.#begin()
    const { keys, found } = this.#asked
    const place = keys.push(key) - 1
    const stored = (await found)[place]
    return stored && sound(this.#connection, key, stored)
  }

  #begin() {
    const keys: string[] = []
    // Whoever asks in this very moment has asked before the transaction starts.
    const found = Promise.resolve().then(() => {
      this.#asked = undefined
      return this.#connection.read(['documents'], undefined, (transaction) => {
        const documents = transaction.objectStore('documents')
        return Promise.all(keys.map((key) => documents.get(key)))
      })
    })
    return { keys, found }
  }
}

/** Replaces a document that is at version `expect`, and resolves with its new version. */
export async function putDocument(
  connection: Connection,
  key: string,
  value: string,
  expect: string,
  random: Random,
  signal: Signal | undefined,
): Promise<string> {
  const version = freshToken(random)
  await replace(connection, key, expect, signal, (documents) => documents.put({ value, version }, key))
  return version
}

/** Removes a document that is at version `expect`; whatever is there if that is undefined. */
export function removeDocument(
  connection: Connection,
  key: string,
  expect: string | undefined,
  signal: Signal | undefined,
): Promise<void> {
  return replace(connection, key, expect, signal, (documents) => documents.delete(key))
}

function replace(
  connection: Connection,
  key: string,
  expect: string | undefined,
  signal: Signal | undefined,
  write: (documents: IDBObjectStore) => void,
): Promise<void> {
  return connection.write(['documents'], signal, async (transaction) => {
    const documents = transaction.objectStore('documents')
    if (expect !== undefined) {
      const stored = await documents.get(key)
      const current = stored ? sound(connection, key, stored).version : 'absent'
      if (expect !== current) {
        throw new ConflictError(`Document ${key} is at version ${current}, not ${expect}; read it again, then decide.`)
      }
    }
    write(unwrap(documents))
  })
}

/** The document that is stored, if it is one: whatever else stands in its place is damage. */
function sound({ name }: Connection, key: string, stored: Document): Document {
  const { value, version } = stored as Partial<Document>
  if (typeof value === 'string' && typeof version === 'string') return stored
  const where = `IndexedDB ${JSON.stringify(name)}, store "documents", key ${JSON.stringify(key)}`
  throw new CorruptError(`Document ${key} is damaged; remove it, or restore it from a backup.`, { where })
}

/** Lists the keys of documents. */
export async function* listDocuments(
  connection: Connection,
  prefix: string,
  { after, limit, signal }: ResolvedListing,
): AsyncGenerator<readonly string[]> {
  let visited = after
  for (let left = limit; left > 0;) {
    const range = keysBelow(prefix, visited)
    if (!range) return
    const count = Math.min(left, PAGE)
    const keys = await connection.read(['documents'], signal, (transaction) =>
      transaction.objectStore('documents').getAllKeys(range, count),
    )
    if (keys.length > 0) yield keys
    if (keys.length < count) return
    left -= keys.length
    visited = keys.at(-1) ?? visited
  }
}
