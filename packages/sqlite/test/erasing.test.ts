import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { openSessions } from '@sessiontree/core'
import { describe, expect, test } from 'vitest'
import { sqlite } from '../src/index.ts'
import { DRIVERS } from './drivers.ts'
import { closing, freshFolder } from './fresh-folder.ts'
import { recordsOf } from './records-of.ts'

/** Which of the texts stand in any file of a folder. Read when all handles are closed, or at the end of a test. */
const remaining = (folder: string, ...texts: readonly string[]) => {
  const content = readdirSync(folder).map((name) => readFileSync(join(folder, name)).toString('latin1'))
  return texts.filter((text) => content.some((one) => one.includes(text)))
}

describe.each(Object.entries(DRIVERS))('what is taken away with %s', (_name, driver) => {
  test('after a session was deleted no file holds its title, metadata or messages, while the store is open', async () => {
    const folder = freshFolder()
    const sessions = openSessions(closing(sqlite(join(folder, 'sessions.db'), { driver })))
    const session = await sessions.create('s', { title: 'Divorce papers', metadata: { lawyer: 'Mr. Lovelace' } })
    const long = `The whole story ${'and so on '.repeat(2_000)}`
    for (const content of ['My husband left', long]) await session.append({ role: 'user', content })
    await session.update({ title: 'Divorce settled' })
    await sessions.create('other', { title: 'Lost parcel' })
    expect(remaining(folder, 'My husband left')).toHaveLength(1)
    await sessions.delete('s')
    const gone = ['Divorce papers', 'Divorce settled', 'Lovelace', 'My husband left', 'The whole story', 'and so on']
    expect(remaining(folder, ...gone, 'Lost parcel')).toEqual(['Lost parcel'])
  })

  test('a drop says how many bytes went, in parts if there are many, and leaves a trace that forget removes', async () => {
    const adapter = closing(sqlite(join(freshFolder(), 'sessions.db'), { driver, durability: 'process' }))
    const record = `"${'x'.repeat(20_000)}"`
    for (let at = 0; at < 2_000; at += 500) {
      await adapter.append(
        'a/log',
        at,
        Array.from({ length: 500 }, () => record),
      )
    }
    expect(await adapter.drop('a/log')).toEqual({ bytes: 2_000 * record.length })
    expect(await adapter.drop('a/log')).toEqual({ bytes: 0 })
    await expect(adapter.append('a/log', 0, ['1'])).rejects.toMatchObject({ code: 'CONFLICT' })
    expect(await Array.fromAsync(adapter.logs(''))).toEqual([])
    await adapter.drop('a/log', { forget: true })
    await adapter.append('a/log', 0, ['"new"'])
    expect(await recordsOf(adapter, 'a/log')).toEqual(['"new"'])
  })

  test('a reader of somebody else that keeps old pages in use is waited for, then told of; nobody is blocked', async () => {
    const file = join(freshFolder(), 'sessions.db')
    const adapter = closing(sqlite(file, { driver, busyTimeout: 100 }))
    await adapter.append('a/log', 0, ['"secret"'])
    await adapter.put('a/d', '"secret"', { expect: 'absent' })
    const reader = await driver.open(file, { readOnly: true })
    reader.exec('BEGIN')
    reader.prepare('SELECT count(*) FROM records').get()
    expect(await adapter.drop('a/log', { forget: true })).toEqual({ bytes: 8, keepsVersions: true })
    expect(await adapter.remove('a/d', { forget: true })).toEqual({ bytes: 8, keepsVersions: true })
    reader.exec('COMMIT')
    await adapter.put('a/d', '1', { expect: 'absent' })
    expect(await adapter.remove('a/d', { forget: true })).toEqual({ bytes: 1 })
    reader.close()
  })

  test('a read of this adapter keeps nothing in use between two pulls', async () => {
    const file = join(freshFolder(), 'sessions.db')
    const [reader, writer] = [1, 2].map(() => closing(sqlite(file, { driver, busyTimeout: 0 }))) as [
      ReturnType<typeof sqlite>,
      ReturnType<typeof sqlite>,
    ]
    await writer.append('a/log', 0, ['"0"', '"1"', '"2"'])
    await writer.append('b/log', 0, ['"0"'])
    const iterator = reader.read('a/log', { readAhead: 1 })[Symbol.asyncIterator]()
    await iterator.next()
    expect(await writer.drop('b/log', { forget: true })).toEqual({ bytes: 3 })
    expect((await iterator.next()).value).toMatchObject({ at: 1 })
  })
})
