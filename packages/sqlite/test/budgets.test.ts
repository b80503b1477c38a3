import { join } from 'node:path'
import { openSessions, type StorageAdapter } from '@sessiontree/core'
import { describe, expect, test } from 'vitest'
import { sqlite } from '../src/index.ts'
import { DRIVERS } from './drivers.ts'
import { closing, freshFolder } from './fresh-folder.ts'
import { observed, type Observation } from './observed-driver.ts'
import { recordsOf } from './records-of.ts'

describe.each(Object.entries(DRIVERS))('what it costs with %s', (_name, driver) => {
  function opened(): { adapter: StorageAdapter; spent: (work: () => Promise<unknown>) => Promise<Observation> } {
    const seen: Observation = { operations: 0, bytesRead: 0, bytesWritten: 0, transactions: 0 }
    const adapter = closing(sqlite(join(freshFolder(), 'sessions.db'), { driver: observed(driver, seen) }))
    return {
      adapter,
      async spent(work) {
        const before = { ...seen }
        await work()
        return {
          operations: seen.operations - before.operations,
          bytesRead: seen.bytesRead - before.bytesRead,
          bytesWritten: seen.bytesWritten - before.bytesWritten,
          transactions: (seen.transactions ?? 0) - (before.transactions ?? 0),
        }
      },
    }
  }

  test('an append is one transaction of five statements, a put one of three', async () => {
    const { adapter, spent } = opened()
    await adapter.append('a/log', 0, ['"0"'])
    const append = await spent(() => adapter.append('a/log', 1, ['"1"']))
    expect(append).toMatchObject({ transactions: 1, operations: 5 })
    expect(await spent(() => adapter.append('a/log', 2, ['"2"', '"3"', '"4"']))).toMatchObject({
      transactions: 1,
      operations: 7,
    })
    expect(await spent(() => adapter.put('a/d', '1', { expect: 'absent' }))).toMatchObject({
      transactions: 1,
      operations: 3,
    })
  })

  test('64 appends at once are at most two transactions: to one log, to 64 logs, and through sessions', async () => {
    const { adapter, spent } = opened()
    const all = Array.from({ length: 64 }, (_, i) => i)
    const toOne = await spent(() => Promise.all(all.map((i) => adapter.append('one/log', i, [`"${i}"`]))))
    expect(toOne.transactions).toBeLessThanOrEqual(2)
    expect(await recordsOf(adapter, 'one/log')).toEqual(all.map((i) => `"${i}"`))
    const toMany = await spent(() => Promise.all(all.map((i) => adapter.append(`many/log-${i}`, 0, [`"${i}"`]))))
    expect(toMany.transactions).toBeLessThanOrEqual(2)
    for (const i of all) expect(await recordsOf(adapter, `many/log-${i}`)).toEqual([`"${i}"`])
    const session = await openSessions(adapter).create('s')
    await session.append({ role: 'user', content: 'the log exists' })
    const together = await spent(() =>
      Promise.all(all.map((i) => session.append({ role: 'user', content: String(i) }))),
    )
    expect(together.transactions).toBeLessThanOrEqual(2)
  })

  test('the tail of 10,000 records is one transaction of four statements that reads what it delivers', async () => {
    const { adapter, spent } = opened()
    const record = (at: number) => `{"at":${at},"text":"${'x'.repeat(80)}"}`
    for (let at = 0; at < 10_000; at += 1_000) {
      await adapter.append(
        'a/log',
        at,
        Array.from({ length: 1_000 }, (_, i) => record(at + i)),
      )
    }
    const tail = await spent(async () => {
      const batches = await Array.fromAsync(adapter.read('a/log', { reverse: true, limit: 256, readAhead: 65_536 }))
      expect(batches.flatMap(({ records }) => records)).toHaveLength(256)
    })
    expect(tail).toMatchObject({ transactions: 1, operations: 4 })
    expect(tail.bytesRead).toBeLessThan(256 * (record(9_999).length + 24))
    // BEGIN, SELECT, ROLLBACK.
    await adapter.put('a/d', '1', { expect: 'absent' })
    expect(await spent(() => adapter.get('a/d'))).toMatchObject({ transactions: 1, operations: 4 - 1 })
  })
})
