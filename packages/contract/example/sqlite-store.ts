import { DatabaseSync, type StatementSync } from 'node:sqlite'
import { ConflictError, CorruptError, defineAdapter, SessionError } from '@sessiontree/core'
import type { ErrorCode, ResolvedListing, StorageAdapter } from '@sessiontree/core'

const SCHEMA = `
  PRAGMA busy_timeout = 2000; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
  CREATE TABLE IF NOT EXISTS logs (name TEXT PRIMARY KEY, length INTEGER NOT NULL, dropped INTEGER NOT NULL);
  CREATE TABLE IF NOT EXISTS records (log TEXT, at INTEGER, text BLOB NOT NULL, PRIMARY KEY (log, at));
  CREATE TABLE IF NOT EXISTS documents (version INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT UNIQUE, value BLOB NOT NULL)`
const CODES: Readonly<Record<number, ErrorCode>> = { 5: 'BUSY', 8: 'READ_ONLY', 13: 'QUOTA', 14: 'UNAVAILABLE' }
const [PAGE_NAMES, PAGE_BYTES] = [500, 1024 * 1024]

/** Keeps sessions in one SQLite file. */
export function sqliteStore(file: string): StorageAdapter {
  const database = attempt(() => new DatabaseSync(file))
  attempt(() => database.exec(SCHEMA))
  let poisoned = false

  const statements = new Map<string, StatementSync>()
  function rows<Row>(sql: string, ...values: (string | number | Uint8Array)[]): Row[] {
    return attempt(() => {
      const statement = statements.get(sql) ?? database.prepare(sql)
      statements.set(sql, statement)
      return statement.all(...values) as Row[]
    })
  }
  const logOf = (log: string) =>
    rows<{ length: number; dropped: number }>('SELECT length, dropped FROM logs WHERE name = ?', log)[0]
  const documentOf = (key: string) =>
    rows<{ version: number; value: Uint8Array }>('SELECT version, value FROM documents WHERE name = ?', key)[0]
  const recordAt = (log: string, at: number) =>
    decode(rows<{ text: Uint8Array }>('SELECT text FROM records WHERE log = ? AND at = ?', log, at)[0]?.text)
  const assertVersion = (key: string, expect: string) => {
    const version = String(documentOf(key)?.version ?? 'absent')
    if (version !== expect) throw new ConflictError(`${key} is at version ${version}, not ${expect}; read it again.`)
  }

  function write<Result>(change: () => Result): Result {
    if (poisoned) throw new SessionError('UNCERTAIN', 'An earlier commit failed; open another handle.')
    rows('BEGIN IMMEDIATE')
    try {
      const result = change()
      poisoned = true // until the commit is known to have worked
      rows('COMMIT')
      poisoned = false
      return result
    } catch (cause) {
      const uncertain = new SessionError('UNCERTAIN', 'A commit failed; nobody knows what is stored.', { cause })
      try {
        database.exec('ROLLBACK')
      } catch {} // SQLite has done it already
      throw poisoned ? uncertain : cause
    }
  }

  async function* names(from: string, prefix: string, { after, limit }: ResolvedListing) {
    const [start, end] = prefix === '' ? ['', '\u007f'] : [`${prefix}/`, `${prefix}0`] // "0" comes after "/"
    let last = after > start ? after : start
    for (let left = limit; left > 0; left -= PAGE_NAMES) {
      const sql = `SELECT name FROM ${from} AND name > ? AND name < ? ORDER BY name LIMIT ${Math.min(left, PAGE_NAMES)}`
      const found = rows<{ name: string }>(sql, last, end).map(({ name }) => name)
      if (found.length === 0) return
      yield found
      last = found.at(-1) ?? ''
    }
  }

  return defineAdapter({
    name: 'sqlite-store',
    capabilities: { durability: 'disk', sharing: 'process', watch: false },
    async append(log, at, records) {
      write(() => {
        const { length, dropped } = logOf(log) ?? { length: 0, dropped: 0 }
        if (dropped || length !== at) throw new ConflictError(`${log} does not hold ${at} records`, { atLeast: length })
        rows('INSERT OR REPLACE INTO logs VALUES (?, ?, 0)', log, at + records.length)
        for (const [i, text] of records.entries()) {
          rows('INSERT INTO records VALUES (?, ?, ?)', log, at + i, new TextEncoder().encode(text))
        }
      })
    },
    async *read(log, { from, to, limit, reverse, salvage }) {
      const state = logOf(log)
      if (!state || state.dropped) return
      const end = Math.min(to, state.length)
      const take = (piece: string[], next: number) =>
        reverse ? { at: next + 1, records: piece.toReversed() } : { at: next - piece.length, records: piece }
      let [piece, bytes, left]: [string[], number, number] = [[], 0, limit]
      let at = reverse ? end - 1 : from
      for (; at >= from && at < end && left > 0; at += reverse ? -1 : 1) {
        const text = recordAt(log, at)
        if (piece.length > 0 && (text === undefined || bytes > PAGE_BYTES)) {
          yield take(piece, at)
          ;[piece, bytes] = [[], 0]
        }
        if (text !== undefined) {
          piece.push(text)
          bytes += text.length
          left--
        } else if (logOf(log)?.dropped !== 0) {
          throw new SessionError('DELETED', `${log} was dropped while it was read.`)
        } else if (!salvage) {
          throw new CorruptError(`${log} has no readable record ${at}`, { log, at, where: `${file}, table records` })
        }
      }
      if (piece.length > 0) yield take(piece, at)
    },
    async drop(log, forget) {
      write(() => {
        rows('DELETE FROM records WHERE log = ?', log)
        rows(forget ? 'DELETE FROM logs WHERE name = ?' : 'UPDATE logs SET dropped = 1 WHERE name = ?', log)
      })
    },
    logs: (prefix, listing) => names('logs WHERE dropped = 0', prefix, listing),
    async get(key) {
      const document = documentOf(key)
      const value = decode(document?.value)
      if (document && value === undefined) throw new CorruptError(`${key} is damaged.`, { where: `${file}: ${key}` })
      return document && value !== undefined ? { value, version: String(document.version) } : undefined
    },
    async put(key, value, expect) {
      return write(() => {
        assertVersion(key, expect)
        rows('INSERT OR REPLACE INTO documents (name, value) VALUES (?, ?)', key, new TextEncoder().encode(value))
        return String(documentOf(key)?.version)
      })
    },
    async remove(key, expect) {
      write(() => {
        if (expect !== undefined) assertVersion(key, expect)
        rows('DELETE FROM documents WHERE name = ?', key)
      })
    },
    keys: (prefix, listing) => names('documents WHERE true', prefix, listing),
    close: async () => attempt(() => database.close()),
  })
}

/** What SQLite throws becomes a `SessionError`. */
function attempt<Result>(run: () => Result): Result {
  try {
    return run()
  } catch (cause) {
    const { errcode = 0, message } = cause as Error & { errcode?: number }
    const code = errcode & 0xff // the rest are details
    if (code === 11 || code === 26) throw new CorruptError(`SQLite: ${message}`, { cause })
    throw new SessionError(CODES[code] ?? 'IO', `SQLite: ${message}`, { cause })
  }
}

/** Texts are stored as bytes: node:sqlite on Node 22 ends a TEXT at U+0000. `undefined`: missing or damaged. */
function decode(bytes: Uint8Array | undefined): string | undefined {
  try {
    return bytes && new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    return undefined
  }
}
