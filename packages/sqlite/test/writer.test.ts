import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { SessionError } from '@sessiontree/core'
import { describe, expect, test } from 'vitest'
import { sqlite, type SqliteDriver } from '../src/index.ts'
import { DRIVERS } from './drivers.ts'
import { closing, freshFolder } from './fresh-folder.ts'
import { recordsOf } from './records-of.ts'

const settled = (results: readonly PromiseSettledResult<unknown>[]) =>
  results.map((result) =>
    result.status === 'fulfilled' ? 'ok' : SessionError.is(result.reason) ? result.reason.code : 'other',
  )

/** The same driver, whose files take so many pages and no more: a full disk, as SQLite meets it. */
const small = (driver: SqliteDriver, pages: number): SqliteDriver => ({
  ...driver,
  async open(file, options) {
    const connection = await driver.open(file, options)
    connection.exec(`PRAGMA max_page_count = ${pages}`)
    return connection
  },
})

describe.each(Object.entries(DRIVERS))('the queue of writes with %s', (_name, driver) => {
  test('of writes that share a transaction each has its own outcome', async () => {
    const adapter = closing(sqlite(join(freshFolder(), 'sessions.db'), { driver }))
    const version = await adapter.put('a/d', '1', { expect: 'absent' })
    const results = await Promise.allSettled([
      adapter.append('a/log', 0, ['"0"']),
      adapter.append('a/log', 0, ['"too late"']),
      adapter.append('a/log', 1, ['"1"']),
      adapter.put('a/d', '2', { expect: 'absent' }),
      adapter.put('a/d', '2', { expect: version }),
      adapter.put('a/d', '3', { expect: version }),
      adapter.append('a/other', 5, ['"beyond the end"']),
      adapter.drop('a/gone'),
    ])
    expect(settled(results)).toEqual(['ok', 'CONFLICT', 'ok', 'CONFLICT', 'ok', 'CONFLICT', 'CONFLICT', 'ok'])
    expect(await recordsOf(adapter, 'a/log')).toEqual(['"0"', '"1"'])
    expect((await adapter.get('a/d'))?.value).toBe('2')
  })

  test('a full disk is QUOTA for whoever does not fit, and the others of the transaction are written', async () => {
    const adapter = closing(sqlite(join(freshFolder(), 'sessions.db'), { driver: small(driver, 30) }))
    await adapter.append('a/log', 0, ['"0"'])
    const large = `"${'x'.repeat(200_000)}"`
    const results = await Promise.allSettled([
      adapter.append('a/log', 1, ['"1"']),
      adapter.append('a/large', 0, [large]),
      adapter.append('a/log', 2, ['"2"']),
    ])
    expect(settled(results)).toEqual(['ok', 'QUOTA', 'ok'])
    expect(results[1]).toMatchObject({ reason: { written: 'no', cause: expect.any(Error) as Error } })
    expect(await recordsOf(adapter, 'a/log')).toEqual(['"0"', '"1"', '"2"'])
    expect(await recordsOf(adapter, 'a/large')).toEqual([])
    await adapter.append('a/large', 0, ['"small"'])
  })

  test('while somebody holds the lock the event loop runs, reads go on, a signal takes a write back, and the rest waits', async () => {
    const file = join(freshFolder(), 'sessions.db')
    const adapter = closing(sqlite(file, { driver, busyTimeout: 20_000 }))
    await adapter.append('a/log', 0, ['"0"'])
    const holder = await driver.open(file, { readOnly: false })
    holder.exec('BEGIN IMMEDIATE')
    const controller = new AbortController()
    const waiting = adapter.append('a/log', 1, ['"1"'])
    const given = adapter.append('b/log', 0, ['"never"'], { signal: controller.signal })
    // In the queue behind a transaction that has not begun.
    const started = performance.now()
    let turns = 0
    while (performance.now() - started < 200) {
      await pause(1)
      turns++
    }
    expect(turns).toBeGreaterThan(3)
    expect(await recordsOf(adapter, 'a/log')).toEqual(['"0"'])
    controller.abort(new Error('not any more'))
    await expect(given).rejects.toThrow('not any more')
    // Closing waits for what is queued.
    const closed = adapter.close()
    holder.exec('COMMIT')
    holder.close()
    await waiting
    await closed
    const reader = closing(sqlite(file, { driver }))
    expect(await recordsOf(reader, 'a/log')).toEqual(['"0"', '"1"'])
    expect(await recordsOf(reader, 'b/log')).toEqual([])
  })

  test('a lock that is never let go is BUSY after busyTimeout, and nothing was written', async () => {
    const file = join(freshFolder(), 'sessions.db')
    const adapter = closing(sqlite(file, { driver, busyTimeout: 100 }))
    await adapter.append('a/log', 0, ['"0"'])
    const holder = await driver.open(file, { readOnly: false })
    holder.exec('BEGIN IMMEDIATE')
    const results = await Promise.allSettled([
      adapter.append('a/log', 1, ['"1"']),
      adapter.put('a/d', '1', { expect: 'absent' }),
    ])
    expect(settled(results)).toEqual(['BUSY', 'BUSY'])
    expect(results[0]).toMatchObject({ reason: { retry: true, written: 'no' } })
    holder.exec('COMMIT')
    holder.close()
    await adapter.append('a/log', 1, ['"1"'])
  })
})
