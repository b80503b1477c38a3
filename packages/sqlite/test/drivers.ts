import Database from 'better-sqlite3'
import { betterSqlite3, nodeSqlite, type SqliteDriver } from '../src/index.ts'

/** The drivers that every test runs with, by name. */
export const DRIVERS: Readonly<Record<string, SqliteDriver>> = {
  'node:sqlite': nodeSqlite,
  'better-sqlite3': betterSqlite3(Database),
}
