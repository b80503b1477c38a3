import { execFileSync } from 'node:child_process'

// All of it in a process of its own: closing a file in this one would let go of the locks that SQLite holds on it, and so would a
// second copy of SQLite, as another driver has it.

/** Changes a byte of a stored record, in the file itself. */
export function damageRecord(file: string, log: string, at: number): readonly number[] {
  run(file, 'SELECT text FROM log_records WHERE log = ? AND at = CAST(? AS INTEGER)', log, String(at))
  return [at]
}

/** Changes a byte of a stored document, in the file itself. */
export function damageDocument(file: string, key: string): void {
  run(file, 'SELECT value AS text FROM documents WHERE key = ?', key)
}

function run(...args: readonly string[]): void {
  execFileSync(process.execPath, ['--disable-warning=ExperimentalWarning', '-e', SCRIPT, ...args])
}

const SCRIPT = `
const { openSync, readFileSync, writeSync } = require('node:fs')
const { DatabaseSync } = require('node:sqlite')
const [, file, sql, ...values] = process.argv
const database = new DatabaseSync(file)
const { busy } = database.prepare('PRAGMA wal_checkpoint(TRUNCATE)').get()
if (busy) throw new Error('the write-ahead log is in use')
if (sql) {
  const text = Buffer.from(database.prepare(sql).get(...values).text)
  const at = readFileSync(file).indexOf(text)
  if (at < 0) throw new Error('the text is not in the file in one piece')
  const middle = Math.floor(text.length / 2)
  writeSync(openSync(file, 'r+'), Buffer.from([text[middle] ^ 1]), 0, 1, at + middle)
}
// Not closed: the last one to close a database takes its log away.
process.exit()
`
