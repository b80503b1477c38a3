import { isUtf8 } from 'node:buffer'
import { DatabaseSync } from 'node:sqlite'
import { ConflictError, CorruptError, defineAdapter, SessionError } from '@sessiontree/core'
import type { ErrorCode, ResolvedListing, StorageAdapter } from '@sessiontree/core'

// `length` is that of the log with this record, whose index is one less. A drop makes every length of the log negative.
const SCHEMA = `
  PRAGMA busy_timeout = 2000; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
  CREATE TABLE IF NOT EXISTS records (name TEXT, length INTEGER, text BLOB, PRIMARY KEY (name, length));
  CREATE TABLE IF NOT EXISTS documents (name TEXT PRIMARY KEY, text BLOB, version TEXT DEFAULT (hex(randomblob(16))))`
// What SQLite says before it commits. Whatever else a write meets leaves its outcome open.
const CODES: Record<number, ErrorCode> = { 5: 'BUSY', 8: 'READ_ONLY', 11: 'CORRUPT', 14: 'UNAVAILABLE', 26: 'CORRUPT' }
// Texts are bytes: node:sqlite on Node 22 ends a TEXT at U+0000. What is missing or damaged becomes `undefined`.
const decode = (bytes?: Uint8Array) => (bytes && isUtf8(bytes) ? Buffer.from(bytes).toString() : undefined)
type Row = { name: string; length: number | null; text: Uint8Array; version: string }

/** Keeps sessions in one SQLite file. */
export function sqliteStore(file: string): StorageAdapter {
  let poisoned = false
  function attempt<Result>(otherwise: ErrorCode, work: () => Result): Result {
    try {
      return work()
    } catch (cause) {
      const { errcode = 0, message } = cause as Error & { errcode?: number }
      const code = CODES[errcode & 0xff] ?? otherwise // the higher bits are details
      poisoned ||= code === 'UNCERTAIN'
      if (code === 'CORRUPT') throw new CorruptError(`SQLite: ${message}`, { where: file, cause })
      throw new SessionError(code, `SQLite: ${message}`, { cause })
    }
  }
  const database = attempt('IO', () => new DatabaseSync(file))
  attempt('IO', () => database.exec(SCHEMA))
  /** Runs one statement, hence one transaction, and returns its first row. */
  function run(sql: string, values: Record<string, string | number | Uint8Array | null>): Row | undefined {
    const writes = !sql.startsWith('SELECT')
    if (writes && poisoned) throw new SessionError('UNCERTAIN', 'An earlier write failed; open another handle.')
    return attempt(writes ? 'UNCERTAIN' : 'IO', () => database.prepare(sql).all(values)[0] as Row | undefined)
  }
  const endOf = (log: string) => run('SELECT max(length) length FROM records WHERE name = :log', { log })?.length ?? 0
  async function* names(table: 'records' | 'documents', prefix: string, { after, limit }: ResolvedListing) {
    const [start, end] = prefix === '' ? ['', '\u007f'] : [`${prefix}/`, `${prefix}0`] // "0" follows "/"
    const sql = `SELECT name FROM ${table} WHERE name > :last AND name < :end ORDER BY name LIMIT 1`
    let last = after > start ? after : start
    for (let left = limit; left > 0; left--) {
      const found = run(sql, { last, end })
      if (!found) return
      yield [found.name]
      last = found.name
    }
  }

  return defineAdapter({
    name: 'sqlite-store',
    capabilities: { durability: 'disk', sharing: 'process', watch: false },
    async append(log, at, records) {
      const sql = `INSERT INTO records SELECT :log, :at + key + 1, CAST(value AS BLOB) FROM json_each(:records)
        WHERE :at = (SELECT coalesce(max(length), 0) FROM records WHERE name = :log) RETURNING length`
      if (run(sql, { log, at, records: JSON.stringify(records) })) return
      throw new ConflictError(`${log} does not hold ${at} records.`, { atLeast: Math.max(0, endOf(log)) })
    },
    async *read(log, { from, to, limit, reverse, salvage }) {
      const sql = 'SELECT text FROM records WHERE name = :log AND length = :at + 1'
      const end = Math.min(to, endOf(log))
      let [at, left] = [reverse ? end - 1 : from, limit]
      for (; at >= from && at < end && left > 0; at += reverse ? -1 : 1) {
        const text = decode(run(sql, { log, at })?.text)
        if (!text && endOf(log) <= 0) throw new SessionError('DELETED', `${log} was dropped while it was read.`)
        if (!text && !salvage) throw new CorruptError(`${log} is damaged at ${at}.`, { log, at, where: file })
        if (!text) continue
        yield { at, records: [text] }
        left--
      }
    },
    async drop(log, forget) {
      if (forget) run('DELETE FROM records WHERE name = :log', { log })
      else run("UPDATE records SET length = -length, text = x'' WHERE name = :log AND length > 0", { log })
    },
    logs: (prefix, listing) => names('records', prefix, listing),
    async get(key) {
      const document = run('SELECT text, version FROM documents WHERE name = :key', { key })
      const value = decode(document?.text)
      if (document && !value) throw new CorruptError(`${key} is damaged.`, { where: `${file}: documents` })
      return document && value ? { value, version: document.version } : undefined
    },
    async put(key, value, expect) {
      const sql = `INSERT OR REPLACE INTO documents (name, text) SELECT :key, :text
        WHERE :expect = coalesce((SELECT version FROM documents WHERE name = :key), 'absent') RETURNING version`
      const document = run(sql, { key, text: Buffer.from(value), expect })
      if (!document) throw new ConflictError(`${key} is not at version ${expect}; read it again.`)
      return document.version
    },
    async remove(key, expect) {
      const sql = 'DELETE FROM documents WHERE name = :key AND version = coalesce(:expect, version) RETURNING version'
      const document = run(sql, { key, expect: expect ?? null })
      if (!document && expect !== undefined) throw new ConflictError(`${key} is not at version ${expect}.`)
    },
    keys: (prefix, listing) => names('documents', prefix, listing),
    close: async () => database.close(),
  })
}
