import { spawnSync } from 'node:child_process'
import { chmodSync, chownSync, copyFileSync, readdirSync, unlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { sqlite } from '../src/index.ts'
import { DRIVERS } from './drivers.ts'
import { closing, contentOf, freshFolder } from './fresh-folder.ts'
import { recordsOf } from './records-of.ts'

const LOG = 'a/log'
const CRASHING = fileURLToPath(new URL('crashing-process.ts', import.meta.url))
const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
const canBeImmutable = (driver: string) => driver === 'node:sqlite' && (major > 22 || minor >= 15)

async function makeStore(file: string): Promise<void> {
  const adapter = sqlite(file)
  await adapter.append(LOG, 0, ['"0"', '"1"'])
  await adapter.put('a/document', '"value"', { expect: 'absent' })
  await adapter.close()
}

/** Leaves a store as a crash does: what was committed last is in its `-wal` alone. */
function crash(file: string, records: number): void {
  const { signal, stderr } = spawnSync(
    process.execPath,
    ['--conditions=@sessiontree/source', '--disable-warning=ExperimentalWarning', CRASHING, file, LOG, String(records)],
    { encoding: 'utf8' },
  )
  expect({ signal, stderr }).toEqual({ signal: 'SIGKILL', stderr: '' })
}

describe.each(Object.entries(DRIVERS))('read-only with %s', (name, driver) => {
  const open = (file: string) => closing(sqlite(file, { driver, readOnly: true, busyTimeout: 300 }))

  test('a missing file is UNAVAILABLE and nothing is made', async () => {
    const folder = freshFolder()
    const error: unknown = await open(join(folder, 'x', 'missing.db'))
      .get('a')
      .catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({ code: 'UNAVAILABLE', written: 'no' })
    expect(String(error)).toMatch(/missing\.db.*there is no store/)
    expect(readdirSync(folder)).toEqual([])
  })

  test('every write is READ_ONLY', async () => {
    const file = join(freshFolder(), 'sessions.db')
    await makeStore(file)
    const reader = open(file)
    const refused = { code: 'READ_ONLY', written: 'no' }
    await expect(reader.append(LOG, 2, ['2'])).rejects.toMatchObject(refused)
    await expect(reader.put('a/new', '1', { expect: 'absent' })).rejects.toMatchObject(refused)
    await expect(reader.remove('a/document')).rejects.toMatchObject(refused)
    await expect(reader.drop(LOG, { forget: true })).rejects.toMatchObject(refused)
    expect(await recordsOf(reader, LOG)).toEqual(['"0"', '"1"'])
  })

  test.runIf(canBeImmutable(name))('a store that was closed is read without a trace', async () => {
    const folder = freshFolder()
    const file = join(folder, 'sessions.db')
    await makeStore(file)
    const before = contentOf(folder)
    const reader = open(file)
    expect(await recordsOf(reader, LOG)).toEqual(['"0"', '"1"'])
    expect(await reader.get('a/document')).toMatchObject({ value: '"value"' })
    expect(readdirSync(folder)).toEqual(['sessions.db'])
    await reader.close()
    expect(contentOf(folder)).toEqual(before)
  })

  test('what a writer commits meanwhile is seen, by a read that is under way too, and after the writer has closed', async () => {
    const file = join(freshFolder(), 'sessions.db')
    await makeStore(file)
    const reader = open(file)
    expect(await recordsOf(reader, LOG)).toHaveLength(2)
    const iterator = reader.read(LOG, { readAhead: 1 })[Symbol.asyncIterator]()
    expect((await iterator.next()).value).toMatchObject({ at: 0, records: ['"0"'] })
    const writer = sqlite(file, { driver })
    await writer.append(LOG, 2, ['"2"'])
    expect(await recordsOf(reader, LOG)).toEqual(['"0"', '"1"', '"2"'])
    // Its end was fixed before.
    expect((await iterator.next()).value).toMatchObject({ at: 1, records: ['"1"'] })
    expect((await iterator.next()).done).toBe(true)
    await writer.append(LOG, 3, ['"3"'])
    await writer.close()
    expect(await recordsOf(reader, LOG)).toHaveLength(4)
    const again = sqlite(file, { driver })
    await again.append(LOG, 4, ['"4"'])
    await again.close()
    expect(await recordsOf(reader, LOG)).toHaveLength(5)
  })

  test('an open write transaction of somebody else is not seen, and blocks nobody', async () => {
    const file = join(freshFolder(), 'sessions.db')
    await makeStore(file)
    // The same library as the reader: two of them in one process take away one another's locks.
    const writer = await driver.open(file, { readOnly: false })
    writer.exec('BEGIN IMMEDIATE; DELETE FROM records; DELETE FROM logs')
    const reader = open(file)
    const started = performance.now()
    expect(await recordsOf(reader, LOG)).toEqual(['"0"', '"1"'])
    expect(performance.now() - started).toBeLessThan(10_000)
    writer.exec('ROLLBACK')
    writer.close()
  })

  test('a -wal without its -shm, left by a crash, is read; what was committed last is in it', async () => {
    const folder = freshFolder()
    const file = join(folder, 'sessions.db')
    await makeStore(file)
    crash(file, 2)
    unlinkSync(`${file}-shm`)
    const reader = open(file)
    expect(await recordsOf(reader, LOG)).toEqual(['"0"', '"1"', '"2"', '"3"'])
    await reader.close()
    expect(readdirSync(folder)).toEqual(['sessions.db', 'sessions.db-shm', 'sessions.db-wal'])
  })

  test('a copy without its -wal opens, and is what was moved into the file before', async () => {
    const folder = freshFolder()
    const file = join(folder, 'sessions.db')
    await makeStore(file)
    crash(file, 2)
    copyFileSync(file, join(folder, 'copy.db'))
    expect(await recordsOf(open(join(folder, 'copy.db')), LOG)).toEqual(['"0"', '"1"'])
  })

  test('no database, an empty file and a damaged one are errors, and stay as they are', async () => {
    const folder = freshFolder()
    writeFileSync(join(folder, 'text.db'), 'this is no database, but long enough to be one'.repeat(50))
    writeFileSync(join(folder, 'empty.db'), '')
    const before = contentOf(folder)
    await expect(open(join(folder, 'text.db')).get('a')).rejects.toMatchObject({ code: 'CORRUPT', written: 'no' })
    await expect(open(join(folder, 'empty.db')).get('a')).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    const moved: unknown[] = []
    const asking = closing(
      sqlite(join(folder, 'text.db'), { driver, readOnly: true, quarantine: (one) => moved.push(one) }),
    )
    await expect(asking.get('a')).rejects.toMatchObject({ code: 'CORRUPT' })
    expect(moved).toEqual([])
    expect(contentOf(folder)).toEqual(before)
  })

  test('only a lock is waited for, as long as busyTimeout says; the signal ends it, and the last error is the cause', async () => {
    const file = join(freshFolder(), 'sessions.db')
    await makeStore(file)
    const holder = await driver.open(file, { readOnly: false })
    const lock = () =>
      holder.exec('PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE; UPDATE logs SET name = name; COMMIT')
    lock()
    const reader = open(file)
    const error: unknown = await reader.get('a/document').catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({ code: 'BUSY', retry: true, written: 'no' })
    expect(driver.resultCode((error as Error).cause)).toBe(5)

    const controller = new AbortController()
    const waiting = reader.get('a/document', { signal: controller.signal })
    controller.abort(new Error('enough'))
    await expect(waiting).rejects.toThrow('enough')

    const patient = closing(sqlite(file, { driver, readOnly: true, busyTimeout: 20_000 }))
    const found = patient.get('a/document')
    await pause(50)
    holder.close()
    expect(await found).toMatchObject({ value: '"value"' })
  })
})

// root may write everywhere: whoever runs as root reads as nobody.
const NOBODY = process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : undefined
const READER = fileURLToPath(new URL('read-only-process.ts', import.meta.url))
// Where Node or the sources lie below root's own folder, nobody else can run them.
const canRead =
  spawnSync(process.execPath, ['--eval', `fs.accessSync(${JSON.stringify(READER)})`], { ...NOBODY }).status === 0

describe.skipIf(process.platform === 'win32' || !canRead)('in a folder that cannot be written', () => {
  /** What a process without any right to write reads: records, or a code and a message. */
  function readIn(folder: string): string {
    if (NOBODY) for (const name of ['', ...readdirSync(folder)]) chownSync(join(folder, name), NOBODY.uid, NOBODY.gid)
    chmodSync(folder, 0o555)
    const args = ['--conditions=@sessiontree/source', '--disable-warning=ExperimentalWarning', READER]
    const { stdout, stderr } = spawnSync(process.execPath, [...args, join(folder, 'sessions.db'), LOG], {
      ...NOBODY,
      encoding: 'utf8',
    })
    chmodSync(folder, 0o755)
    expect(stderr).toBe('')
    return stdout.trim()
  }

  test.runIf(canBeImmutable('node:sqlite'))('a store that was closed is read', async () => {
    const folder = freshFolder()
    await makeStore(join(folder, 'sessions.db'))
    expect(readIn(folder)).toBe('["\\"0\\"","\\"1\\""]')
    expect(readdirSync(folder)).toEqual(['sessions.db'])
  })

  test('a -wal without its -shm is an error that says what to do, not a shorter history', async () => {
    const folder = freshFolder()
    const file = join(folder, 'sessions.db')
    await makeStore(file)
    crash(file, 2)
    unlinkSync(`${file}-shm`)
    expect(readIn(folder)).toMatch(/^UNAVAILABLE .*-wal.*copy both/)
    expect(readdirSync(folder)).toEqual(['sessions.db', 'sessions.db-wal'])
  })
})
