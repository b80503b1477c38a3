import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { Setting } from './by-hand.ts'
import type { Contestant } from './measure.ts'

const SCHEMA = 'CREATE TABLE records (log TEXT, at INTEGER, text TEXT, PRIMARY KEY (log, at))'
export const INSERT = 'INSERT INTO records VALUES (?, ?, ?)'
export const LOG = 'log'

/** The `synchronous` of a durability. */
export const synchronousOf = { disk: 'FULL', process: 'NORMAL' } as const

/** A table of records as one would make it by hand. */
export function openByHand(file: string, durability: 'disk' | 'process'): DatabaseSync {
  const database = new DatabaseSync(file)
  database.exec(`PRAGMA journal_mode = WAL; PRAGMA synchronous = ${synchronousOf[durability]}; ${SCHEMA}`)
  return database
}

/** The name of a floor: bare inserts, so many in one transaction. */
export const bareInsert = (durability: 'disk' | 'process', together: number): string =>
  `bare insert, ${synchronousOf[durability]}${together === 1 ? '' : `, ${together} in one transaction`}`

/** A prepared insert and nothing else: no look at the length, no checksum, no waiting for locks. */
export function bareInserts({ records, together, recordAt, freshFolder }: Setting): readonly Contestant[] {
  const inserts = (durability: 'disk' | 'process', atOnce: number): Contestant => ({
    name: bareInsert(durability, atOnce),
    prepare() {
      const database = openByHand(join(freshFolder(), 'bare.db'), durability)
      const insert = database.prepare(INSERT)
      insert.run(LOG, -1, '"the table exists and has been written"')
      const texts = Array.from({ length: records }, (_, at) => JSON.stringify(recordAt(at)))
      return {
        run() {
          for (let at = 0; at < records; at += atOnce) {
            if (atOnce > 1) database.exec('BEGIN IMMEDIATE')
            for (const [i, text] of texts.slice(at, at + atOnce).entries()) insert.run(LOG, at + i, text)
            if (atOnce > 1) database.exec('COMMIT')
          }
          return records
        },
        end: () => database.close(),
      }
    },
  })
  return [inserts('process', 1), inserts('process', together), inserts('disk', 1), inserts('disk', together)]
}
