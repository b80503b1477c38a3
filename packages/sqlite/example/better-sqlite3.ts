import Database from 'better-sqlite3'
import { openSessions } from '@sessiontree/core'
import { betterSqlite3, sqlite } from '@sessiontree/sqlite'

const sessions = openSessions(sqlite('./sessions.db', { driver: betterSqlite3(Database) }))
await sessions.close()
