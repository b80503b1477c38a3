import { existsSync, mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { SessionError } from '@sessiontree/core'
import { describe, expect, test } from 'vitest'
import { sqlite } from '../src/index.ts'
import { APPLICATION_ID, MIGRATIONS, type Migration } from '../src/layout.ts'
import type { InternalOptions } from '../src/options.ts'
import { openSqlite } from '../src/sqlite.ts'
import { DRIVERS } from './drivers.ts'
import { closing, contentOf, freshFolder } from './fresh-folder.ts'
import { recordsOf } from './records-of.ts'

const ADDED: Migration = { version: 2, name: 'notes', statements: ['CREATE TABLE notes (text TEXT NOT NULL) STRICT'] }

/** Makes a store with one record. */
async function makeStore(file: string, options: InternalOptions = {}): Promise<void> {
  const adapter = openSqlite(file, options)
  await adapter.append('a/log', 0, ['"kept"'])
  await adapter.close()
}

function query(file: string, sql: string): Readonly<Record<string, unknown>>[] {
  const database = new DatabaseSync(file)
  const rows = database.prepare(sql).all()
  database.close()
  return rows
}

describe.each(Object.entries(DRIVERS))('opening with %s', (_name, driver) => {
  test('the first operation makes the file and its folders, for their owner alone, in WAL mode', async () => {
    const folder = freshFolder()
    const file = join(folder, 'a', 'b', 'sessions.db')
    const adapter = closing(sqlite(file, { driver }))
    expect(existsSync(join(folder, 'a'))).toBe(false)
    expect(await adapter.get('a/document')).toBeUndefined()
    expect(statSync(file).mode & 0o777).toBe(0o600)
    expect(statSync(join(folder, 'a')).mode & 0o777).toBe(0o700)
    await adapter.close()
    expect(query(file, 'PRAGMA journal_mode')).toEqual([{ journal_mode: 'wal' }])
    expect(query(file, 'PRAGMA application_id')).toEqual([{ application_id: APPLICATION_ID }])
  })

  test('a closed store is one file, and opening it again changes nothing of its history', async () => {
    const folder = freshFolder()
    const file = join(folder, 'sessions.db')
    await makeStore(file, { driver })
    const before = query(file, 'SELECT * FROM migrations')
    expect(Object.keys(contentOf(folder))).toEqual(['sessions.db'])
    await makeStore(file, { driver }).catch((error: unknown) => expect(SessionError.is(error, 'CONFLICT')).toBe(true))
    expect(query(file, 'SELECT * FROM migrations')).toEqual(before)
    expect(before).toHaveLength(MIGRATIONS.length)
  })

  test('without create a missing or empty file is UNAVAILABLE, and nothing is made', async () => {
    const folder = freshFolder()
    const missing = closing(sqlite(join(folder, 'x', 'missing.db'), { driver, create: false }))
    await expect(missing.get('a')).rejects.toMatchObject({ code: 'UNAVAILABLE', written: 'no' })
    writeFileSync(join(folder, 'empty.db'), '')
    const empty = closing(sqlite(join(folder, 'empty.db'), { driver, create: false }))
    await expect(empty.append('a', 0, ['1'])).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    expect(readdirSync(folder)).toEqual(['empty.db'])
    expect(statSync(join(folder, 'empty.db')).size).toBe(0)
  })

  test('a database of somebody else is FORMAT and is not touched', async () => {
    const folder = freshFolder()
    query(join(folder, 'other.db'), 'CREATE TABLE mine (x)')
    const before = contentOf(folder)
    const adapter = sqlite(join(folder, 'other.db'), { driver })
    await expect(adapter.append('a', 0, ['1'])).rejects.toMatchObject({ code: 'FORMAT', written: 'no' })
    await adapter.close()
    expect(contentOf(folder)).toEqual(before)
  })

  test('a newer layout is FORMAT and is not touched, for readers too', async () => {
    const folder = freshFolder()
    const file = join(folder, 'sessions.db')
    await makeStore(file, { driver, migrations: [...MIGRATIONS, ADDED] })
    const before = contentOf(folder)
    for (const readOnly of [false, true]) {
      const adapter = sqlite(file, { driver, readOnly })
      await expect(adapter.get('a')).rejects.toThrow(/layout 2 is newer than 1.*update/)
      await expect(adapter.get('a')).rejects.toMatchObject({ code: 'FORMAT' })
      await adapter.close()
    }
    expect(contentOf(folder)).toMatchObject(before)
  })

  test('a migration that differs from the one that was run, or that nobody knows, is FORMAT', async () => {
    const file = join(freshFolder(), 'sessions.db')
    await makeStore(file, { driver, migrations: [...MIGRATIONS, ADDED] })
    const changed = { ...ADDED, statements: ['CREATE TABLE notes (text BLOB)'] }
    const renumbered = { ...ADDED, version: 3 }
    for (const last of [changed, renumbered]) {
      const adapter = closing(openSqlite(file, { driver, migrations: [...MIGRATIONS, last] }))
      await expect(adapter.get('a')).rejects.toMatchObject({ code: 'FORMAT', written: 'no' })
    }
    const same = closing(openSqlite(file, { driver, migrations: [...MIGRATIONS, ADDED] }))
    expect(await recordsOf(same, 'a/log')).toEqual(['"kept"'])
  })

  test('an older layout is brought up to date, a reader leaves it alone, and a failed step leaves the one before', async () => {
    const folder = freshFolder()
    const file = join(folder, 'sessions.db')
    await makeStore(file, { driver })
    const before = contentOf(folder)
    const reader = openSqlite(file, { driver, readOnly: true, migrations: [...MIGRATIONS, ADDED] })
    await expect(reader.get('a')).rejects.toMatchObject({ code: 'FORMAT' })
    await reader.close()
    expect(contentOf(folder)).toMatchObject(before)

    const broken = { ...ADDED, statements: [...ADDED.statements, 'CREATE TABLE notes (twice TEXT)'] }
    const failing = openSqlite(file, { driver, migrations: [...MIGRATIONS, broken] })
    await expect(failing.get('a')).rejects.toMatchObject({ code: 'IO', written: 'no' })
    await failing.close()
    const old = sqlite(file, { driver })
    expect(await recordsOf(old, 'a/log')).toEqual(['"kept"'])
    await old.close()

    // Two at once: each step is run once.
    const both = [1, 2].map(() => openSqlite(file, { driver, migrations: [...MIGRATIONS, ADDED] }))
    expect(await Promise.all(both.map((one) => recordsOf(one, 'a/log')))).toEqual([['"kept"'], ['"kept"']])
    await Promise.all(both.map((one) => one.close()))
    expect(query(file, 'SELECT version FROM migrations')).toEqual([{ version: 1 }, { version: 2 }])
  })

  test('a folder in place of the file, or a file in place of its folder, is an error with its cause', async () => {
    const folder = freshFolder()
    mkdirSync(join(folder, 'folder.db', 'x'), { recursive: true })
    writeFileSync(join(folder, 'file'), 'x')
    for (const path of ['folder.db', 'file/sessions.db']) {
      const adapter = closing(sqlite(join(folder, path), { driver }))
      const error: unknown = await adapter.get('a').then(
        () => undefined,
        (thrown: unknown) => thrown,
      )
      expect(error).toMatchObject({ code: 'UNAVAILABLE', cause: expect.any(Error) as Error })
    }
  })
})

test('options out of bounds are a TypeError', () => {
  const wrong: readonly [string, object][] = [
    ['', {}],
    [':memory:', {}],
    ['x.db', { durability: 'full' }],
    ['x.db', { busyTimeout: -1 }],
    ['x.db', { busyTimeout: Number.NaN }],
    ['x.db', { quarantine: true }],
  ]
  for (const [file, options] of wrong) expect(() => sqlite(file, options)).toThrow(TypeError)
})
