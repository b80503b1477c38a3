import { ConflictError, CorruptError, SessionError, type Signal } from '@sessiontree/core'
import { recordChecksum } from './checksum.ts'
import type { Database } from './database.ts'
import { DROPPED, findLog, MOST_RECORDS } from './find-log.ts'

const CREATE = 'INSERT INTO logs (name, length) VALUES (?, ?) RETURNING id'
const EXTEND = 'UPDATE logs SET length = ? WHERE id = ?'
const INSERT = 'INSERT INTO records (key, crc, text) VALUES ((? << 32) | ?, ?, ?)'

/** Adds records if the log holds exactly `at`. */
export function appendRecords(
  database: Database,
  log: string,
  at: number,
  texts: readonly string[],
  signal: Signal | undefined,
): Promise<void> {
  // Before the transaction, to keep that short.
  const checksums = texts.map((text, i) => recordChecksum(log, at + i, text))
  const bytes = texts.reduce((sum, text) => sum + text.length, 0)
  return database.write(
    signal,
    ({ sql }) => {
      const found = findLog(sql, log)
      assertLength(database, log, at, found)
      const length = at + texts.length
      if (length > MOST_RECORDS) throw new SessionError('TOO_LARGE', `Log ${log}: at most ${MOST_RECORDS} records.`)
      const { id } = found ?? (sql(CREATE).get(log, length) as { readonly id: number })
      if (found) sql(EXTEND).run(length, id)
      const insert = sql(INSERT)
      for (const [i, text] of texts.entries()) insert.run(id, at + i, checksums[i] ?? 0, text)
    },
    bytes,
  )
}

function assertLength(database: Database, log: string, at: number, found: ReturnType<typeof findLog>): void {
  if (found?.length === DROPPED) {
    throw new ConflictError(`Log ${log} was dropped; its name is spent.`, { atLeast: 0 })
  }
  const length = found?.length ?? 0
  if (found && (found.last ?? -1) >= length) {
    const where = `${database.file}: table logs, id ${found.id}`
    throw new CorruptError(`Log ${log} holds records behind its length of ${length}; repair the session.`, {
      log,
      at: length,
      where,
    })
  }
  if (length === at) return
  throw new ConflictError(`Log ${log} holds ${length} records, not ${at}; read the new ones, then append again.`, {
    atLeast: length,
  })
}
