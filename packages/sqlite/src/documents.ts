import {
  ConflictError,
  CorruptError,
  type Document,
  type Removal,
  type Signal,
  type StorageBackend,
} from '@sessiontree/core'
import { documentChecksum, textOf } from './checksum.ts'
import type { Database } from './database.ts'
import { listNames } from './list-names.ts'

interface StoredDocument {
  readonly version: string
  readonly crc: number
  readonly value: Uint8Array
}

const GET = 'SELECT version, crc, CAST(value AS BLOB) AS value FROM documents WHERE key = ?'
const INSERT = 'INSERT INTO documents (key, version, crc, value) VALUES (?, ?, ?, ?) ON CONFLICT (key) DO NOTHING'
const UPDATE = 'UPDATE documents SET version = ?, crc = ?, value = ? WHERE key = ? AND version = ?'
const REMOVE = 'DELETE FROM documents WHERE key = ? RETURNING octet_length(value) AS bytes'
const REMOVE_VERSION = 'DELETE FROM documents WHERE key = ? AND version = ? RETURNING octet_length(value) AS bytes'
const KEYS = 'SELECT key AS name FROM documents WHERE key > ? AND key < ? ORDER BY key LIMIT ?'

/** The part of a backend that is about documents. */
export function documentsIn(database: Database): Pick<StorageBackend, 'get' | 'put' | 'remove' | 'keys'> {
  return {
    get: (key, signal) => getDocument(database, key, signal),
    put: (key, value, expect, signal, forget) => putDocument(database, key, value, expect, signal, forget),
    // No trace of a document is kept: versions are random, so what there is to forget is in the write-ahead log.
    remove: (key, expect, forget, signal) => removeDocument(database, key, expect, forget, signal),
    // From the index over them alone.
    keys: (prefix, listing) => listNames(database, KEYS, prefix, listing),
  }
}

/** Reads a document. */
function getDocument(database: Database, key: string, signal: Signal | undefined): Promise<Document | undefined> {
  return database.read(signal, ({ sql, isDamage }) => {
    let stored: StoredDocument | undefined
    try {
      stored = sql(GET).get(key) as StoredDocument | undefined
    } catch (error) {
      throw isDamage(error) ? damaged(database, key, error) : error
    }
    if (!stored) return undefined
    const value = textOf(stored.value)
    if (value === undefined || documentChecksum(key, stored.version, stored.value) !== stored.crc) {
      throw damaged(database, key)
    }
    return { value, version: stored.version }
  })
}

/** Replaces a document that is at version `expect`, and resolves with its new version. */
async function putDocument(
  database: Database,
  key: string,
  value: string,
  expect: string,
  signal: Signal | undefined,
  forget: boolean,
): Promise<string> {
  const version = Buffer.from(database.options.random.bytes(16)).toString('hex')
  const crc = documentChecksum(key, version, value)
  await database.write(
    signal,
    ({ sql }) => {
      const { changes } =
        expect === 'absent'
          ? sql(INSERT).run(key, version, crc, value)
          : sql(UPDATE).run(version, crc, value, key, expect)
      if (Number(changes) === 0) throw elsewhere(key, expect)
    },
    value.length,
  )
  // The version is there whether or not a reader keeps what was before it in the log.
  if (forget) await database.emptyLog(true)
  return version
}

/** Removes a document that is at version `expect`; whatever is there if that is undefined. */
async function removeDocument(
  database: Database,
  key: string,
  expect: string | undefined,
  forget: boolean,
  signal: Signal | undefined,
): Promise<Removal> {
  const bytes = await database.write(signal, ({ sql }) => {
    const removed = expect === undefined ? sql(REMOVE).get(key) : sql(REMOVE_VERSION).get(key, expect)
    if (!removed && expect !== undefined) throw elsewhere(key, expect)
    return (removed as { readonly bytes: number } | undefined)?.bytes ?? 0
  })
  if (!forget) return { bytes }
  return (await database.emptyLog(true)) ? { bytes } : { bytes, keepsVersions: true }
}

function elsewhere(key: string, expect: string): ConflictError {
  const message =
    expect === 'absent'
      ? `Document ${key} exists already; read it, then decide.`
      : `Document ${key} is not at version ${expect}; read it again, then decide.`
  return new ConflictError(message)
}

function damaged({ file }: Database, key: string, cause?: unknown): CorruptError {
  const where = `${file}: table documents, key ${JSON.stringify(key)}`
  return new CorruptError(`Document ${key} is damaged; remove it, or restore it from a backup.`, { where, cause })
}
