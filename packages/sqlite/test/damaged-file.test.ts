import {
  copyFileSync,
  readdirSync,
  readFileSync,
  renameSync,
  truncateSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { SessionError, type StorageAdapter } from '@sessiontree/core'
import { describe, expect, test } from 'vitest'
import { sqlite, type Quarantined } from '../src/index.ts'
import { DRIVERS } from './drivers.ts'
import { closing, contentOf, freshFolder } from './fresh-folder.ts'
import { recordsOf } from './records-of.ts'

const RECORDS = Array.from({ length: 40 }, (_, at) => `{"at":${at},"text":"${String(at).repeat(40)}"}`)
const DOCUMENTS = Array.from({ length: 10 }, (_, i) => [`d/${i}`, `"value ${String(i).repeat(30)}"`] as const)

/** A closed store with two logs and a few documents. */
async function makeStore(file: string): Promise<void> {
  const adapter = sqlite(file)
  for (let at = 0; at < RECORDS.length; at += 4) await adapter.append('a/log', at, RECORDS.slice(at, at + 4))
  await adapter.append('b/log', 0, ['"b"'])
  for (const [key, value] of DOCUMENTS) await adapter.put(key, value, { expect: 'absent' })
  await adapter.close()
}

const TYPED = new Set(['CORRUPT', 'FORMAT', 'IO', 'UNAVAILABLE', 'TOO_LARGE'])

describe.each(Object.entries(DRIVERS))('a damaged file with %s', (_name, driver) => {
  const open = (file: string, options: object = {}) => closing(sqlite(file, { driver, ...options }))

  test('is CORRUPT at the first operation, and stays as it is, companions included', async () => {
    const folder = freshFolder()
    const file = join(folder, 'sessions.db')
    writeFileSync(file, 'not a database at all '.repeat(1_000))
    writeFileSync(`${file}-wal`, 'nor is this a log')
    const before = contentOf(folder)
    const adapter = open(file)
    const error: unknown = await adapter.append('a/log', 0, ['1']).catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({ code: 'CORRUPT', written: 'no', where: file, cause: expect.any(Error) as Error })
    await expect(adapter.get('a')).rejects.toMatchObject({ code: 'CORRUPT' })
    await adapter.close()
    expect(contentOf(folder)).toMatchObject(before)
  })

  test('is moved aside on request, companions included, an empty store begun, and the caller told', async () => {
    const folder = freshFolder()
    const file = join(folder, 'sessions.db')
    const text = 'not a database at all '.repeat(1_000)
    writeFileSync(file, text)
    const moved: Quarantined[] = []
    const quarantine = (one: Quarantined) => void moved.push(one)
    // At once: one of them moves it, the other finds the new one.
    const handles = [open(file, { quarantine }), open(file, { quarantine })]
    await handles[0]?.append('a/log', 0, ['"new"'])
    expect(await recordsOf(handles[1] as StorageAdapter, 'a/log')).toEqual(['"new"'])
    expect(moved).toMatchObject([{ file, cause: expect.any(Error) as Error }])
    const movedTo = moved[0]?.movedTo ?? ''
    expect(dirname(movedTo)).toBe(folder)
    expect(basename(movedTo)).toMatch(/^sessions\.db\.corrupt-\d{8}T\d{6}\.\d{3}Z-[0-9a-f]{8}$/)
    expect(readFileSync(movedTo, 'utf8')).toBe(text)
  })

  test('takes its log along into quarantine', async () => {
    const folder = freshFolder()
    const file = join(folder, 'sessions.db')
    await makeStore(file)
    // The schema's own page is damaged; the log beside it is one that SQLite would not use.
    const bytes = readFileSync(file)
    writeFileSync(file, bytes.fill(0xff, 100, 400))
    writeFileSync(`${file}-wal`, 'the last commits')
    const moved: Quarantined[] = []
    const adapter = open(file, { quarantine: (one: Quarantined) => moved.push(one) })
    expect(await recordsOf(adapter, 'a/log')).toEqual([])
    const movedTo = moved[0]?.movedTo ?? ''
    expect(readdirSync(folder)).toEqual(expect.arrayContaining([basename(movedTo), `${basename(movedTo)}-wal`]))
  })

  test('of a newer layout, foreign, locked or sound it is never moved', async () => {
    const folder = freshFolder()
    const file = join(folder, 'sessions.db')
    await makeStore(file)
    const moved: Quarantined[] = []
    const quarantine = (one: Quarantined) => void moved.push(one)
    expect(await recordsOf(open(file, { quarantine }), 'b/log')).toEqual(['"b"'])
    const newer = join(folder, 'newer.db')
    copyFileSync(file, newer)
    const connection = await driver.open(newer, { readOnly: false })
    connection.exec('PRAGMA user_version = 99')
    connection.close()
    await expect(open(newer, { quarantine }).get('a')).rejects.toMatchObject({ code: 'FORMAT' })
    const holder = await driver.open(file, { readOnly: false })
    holder.exec('BEGIN IMMEDIATE')
    await expect(open(file, { quarantine, busyTimeout: 50 }).append('c/log', 0, ['1'])).rejects.toMatchObject({
      code: 'BUSY',
    })
    holder.exec('ROLLBACK')
    holder.close()
    expect(moved).toEqual([])
  })

  test('that is missing beside its log is CORRUPT: SQLite would throw the log away', async () => {
    const folder = freshFolder()
    const file = join(folder, 'sessions.db')
    await makeStore(file)
    renameSync(file, join(folder, 'elsewhere.db'))
    writeFileSync(`${file}-wal`, 'the last commits')
    await expect(open(file).append('a/log', 0, ['1'])).rejects.toMatchObject({ code: 'CORRUPT', written: 'no' })
    writeFileSync(file, '')
    await expect(open(file).get('a')).rejects.toMatchObject({ code: 'CORRUPT' })
    expect(readFileSync(`${file}-wal`, 'utf8')).toBe('the last commits')
    unlinkSync(`${file}-wal`)
    expect(await open(file).get('a')).toBeUndefined()
  })

  test('cut short it is an error or a beginning of what it held, and integrityCheck finds it', async () => {
    const folder = freshFolder()
    const file = join(folder, 'sessions.db')
    await makeStore(file)
    const { length } = readFileSync(file)
    for (let pages = 1; pages * 4096 < length; pages++) {
      const cut = join(folder, `${pages}.db`)
      copyFileSync(file, cut)
      truncateSync(cut, pages * 4096)
      await check(open(cut), RECORDS)
      await expect(open(cut, { integrityCheck: true }).get('a')).rejects.toMatchObject({ code: 'CORRUPT' })
    }
    expect(await open(file, { integrityCheck: true }).get('d/0')).toMatchObject({ value: DOCUMENTS[0]?.[1] })
  })
})

/** Reads everything; whatever is delivered must be right, whatever is not must be an error of ours. Returns how many errors there were. */
async function check(adapter: StorageAdapter, records: readonly string[]): Promise<number> {
  let errors = 0
  const attempt = async (work: () => Promise<void>) => {
    try {
      await work()
    } catch (error) {
      if (!SessionError.is(error) || !TYPED.has(error.code)) throw error
      errors++
    }
  }
  for (const range of [{}, { reverse: true }, { salvage: true }, { reverse: true, limit: 3 }]) {
    await attempt(async () => {
      for await (const batch of adapter.read('a/log', range)) {
        expect(batch.records).toEqual(records.slice(batch.at, batch.at + batch.records.length))
      }
    })
  }
  for (const [key, value] of DOCUMENTS) {
    await attempt(async () => {
      const found = await adapter.get(key)
      if (found) expect(found.value).toBe(value)
    })
  }
  await attempt(async () => void (await Array.fromAsync(adapter.keys(''))))
  await attempt(async () => void (await Array.fromAsync(adapter.logs(''))))
  return errors
}

test(
  'whatever byte is changed, nothing wrong is delivered, and every other error is one of ours',
  { timeout: 240_000 },
  async () => {
    const folder = freshFolder()
    const file = join(folder, 'sessions.db')
    await makeStore(file)
    const sound = readFileSync(file)
    // Empty space is most of a small file; beyond the first page, what is not zero is what counts.
    const places = Array.from(sound.keys()).filter((at) => sound[at] !== 0)
    const step = process.env['SESSIONTREE_TORTURE'] === 'full' ? 1 : 29
    let errors = 0
    let looked = 0
    for (let i = 0; i < places.length; i += step) {
      const at = places[i] ?? 0
      const damaged = join(folder, `${at}.db`)
      const bytes = Buffer.from(sound)
      bytes[at] = (bytes[at] ?? 0) ^ (1 << (at % 8))
      writeFileSync(damaged, bytes)
      // Old enough to be read at once.
      utimesSync(damaged, 0, 0)
      const adapter = sqlite(damaged, { readOnly: true, busyTimeout: 0 })
      errors += (await check(adapter, RECORDS)) > 0 ? 1 : 0
      looked++
      await adapter.close()
      unlinkSync(damaged)
    }
    // Most of the file is text with a checksum: the check is awake.
    expect(errors).toBeGreaterThan(looked / 2)
  },
)
