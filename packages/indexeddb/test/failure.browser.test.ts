import { SessionError } from '@sessiontree/core'
import { deleteDB } from 'idb'
import { expect, test } from 'vitest'
import { indexedDb, QuotaError } from '../src/index.ts'
import { collect, HandClock, rig } from './rig.ts'

const databases = async () => (await indexedDB.databases()).map(({ name }) => name)

test('another tab that upgrades is not held up; this handle is BLOCKED, a new one FORMAT, and no data is touched', async () => {
  const { open, raw } = rig()
  const adapter = open()
  await adapter.append('log', 0, ['"0"', '"1"'])
  const reading = adapter.read('log', { readAhead: 1 })[Symbol.asyncIterator]()
  await reading.next()
  const newer = await raw(2)
  await expect(adapter.get('document')).rejects.toMatchObject({
    code: 'BLOCKED',
    message: expect.stringContaining('reload'),
  })
  await expect(adapter.append('log', 2, ['"2"'])).rejects.toMatchObject({ code: 'BLOCKED', written: 'no' })
  await expect(reading.next()).rejects.toMatchObject({ code: 'BLOCKED' })
  await expect(open().get('document')).rejects.toMatchObject({ code: 'FORMAT' })
  expect(await newer.getAll('records')).toEqual(['"0"', '"1"'])
  newer.close()
  await expect(open().get('document')).rejects.toMatchObject({ code: 'FORMAT' })
  await adapter.close()
  await expect(adapter.get('document')).rejects.toMatchObject({ code: 'CLOSED' })
})

test('a transaction in flight keeps its own outcome when another tab upgrades', async () => {
  const { open, raw } = rig()
  const adapter = open()
  await adapter.append('log', 0, ['"0"'])
  const appended = adapter.append('log', 1, ['"1"'])
  const newer = await raw(2)
  await appended
  expect(await newer.getAll('records')).toEqual(['"0"', '"1"'])
})

test('a database deleted under a handle is UNAVAILABLE, and the handle does not bring it back', async () => {
  const { open, name } = rig()
  const adapter = open()
  await adapter.append('log', 0, ['"0"'])
  await deleteDB(name)
  await expect(collect(adapter.read('log'))).rejects.toMatchObject({ code: 'UNAVAILABLE' })
  await expect(adapter.append('log', 1, ['"1"'])).rejects.toMatchObject({ code: 'UNAVAILABLE', written: 'no' })
  expect(await databases()).not.toContain(name)
  const fresh = open()
  expect(await collect(fresh.read('log'))).toEqual([])
  await expect(collect(adapter.read('log'))).rejects.toMatchObject({ code: 'UNAVAILABLE' })
})

test('a handle whose connection the browser ended comes back to its own database only', async () => {
  const { open, name } = rig()
  let connection: IDBDatabase | undefined
  const adapter = open({}, (transaction) => (connection = transaction.db))
  await adapter.append('log', 0, ['"0"'])
  connection?.close()
  expect(await collect(adapter.read('log'))).toEqual([{ at: 0, records: ['"0"'] }])
  // Site data was cleared: no versionchange event reached a connection that was gone.
  connection?.close()
  await deleteDB(name)
  await expect(collect(adapter.read('log'))).rejects.toMatchObject({ code: 'UNAVAILABLE' })
  expect(await databases()).not.toContain(name)
  await open().append('log', 0, ['"another"'])
  await expect(collect(adapter.read('log'))).rejects.toMatchObject({ code: 'UNAVAILABLE' })
  await expect(adapter.put('document', '1', { expect: 'absent' })).rejects.toMatchObject({ code: 'UNAVAILABLE' })
})

test('a database that cannot be opened for now is BLOCKED after ten seconds, and opened when it can be', async () => {
  const { open, raw, name } = rig()
  const selfish = await raw(1, (database) => database.createObjectStore('records'))
  const deleted = deleteDB(name)
  const clock = new HandClock()
  const adapter = open({ clock })
  const refused = adapter.append('log', 0, ['"0"'])
  const controller = new AbortController()
  const aborted = adapter.get('document', { signal: controller.signal })
  await expect.poll(() => clock.waiting).toBe(2)
  controller.abort(new RangeError('enough'))
  await expect(aborted).rejects.toThrow('enough')
  clock.pass(9_999)
  expect(clock.waiting).toBeGreaterThan(0)
  clock.pass(1)
  await expect(refused).rejects.toMatchObject({ code: 'BLOCKED', written: 'no' })
  selfish.close()
  await deleted
  await adapter.append('log', 0, ['"0"'])
  expect(clock.waiting).toBe(0)
})

test('a handle closed while the database is still opening does not keep it open', async () => {
  const { open, raw, name } = rig()
  const selfish = await raw(1, (database) => database.createObjectStore('records'))
  const deleted = deleteDB(name)
  const clock = new HandClock()
  const requests: IDBOpenDBRequest[] = []
  const opening: Pick<IDBFactory, 'open'> = {
    open(...target) {
      const request = indexedDB.open(...target)
      requests.push(request)
      return request
    },
  }
  const adapter = open({ clock, indexedDB: opening })
  const refused = expect(adapter.get('document')).rejects.toMatchObject({ code: 'BLOCKED' })
  await expect.poll(() => clock.waiting).toBe(1)
  clock.pass(10_000)
  await refused
  await adapter.close()
  selfish.close()
  await deleted
  await expect.poll(() => requests.map(({ readyState }) => readyState)).toEqual(['done'])
  expect(() => requests[0]?.result.transaction('records')).toThrow(/clos/)
})

test('an aborted signal stops a write before the transaction starts, and nothing is written', async () => {
  const { open } = rig()
  const adapter = open()
  for (const when of ['while the database is opened', 'on an open database']) {
    const controller = new AbortController()
    const appended = adapter.append('log', 0, ['"0"'], { signal: controller.signal })
    controller.abort(new RangeError(when))
    await expect(appended).rejects.toThrow(when)
    expect(await collect(adapter.read('log'))).toEqual([])
  }
})

test('somebody else’s database of that name is FORMAT, and stays as it is', async () => {
  const { open, raw } = rig()
  const theirs = await raw(1, (database) => database.createObjectStore('theirs'))
  await expect(open().get('document')).rejects.toMatchObject({ code: 'FORMAT' })
  await expect(open().append('log', 0, ['"0"'])).rejects.toMatchObject({ code: 'FORMAT' })
  expect([...theirs.objectStoreNames]).toEqual(['theirs'])
})

test('a commit that the browser breaks off is UNCERTAIN; a transaction before that is tried once more, then IO', async () => {
  const { open } = rig()
  const broken: ('commit' | 'before')[] = []
  const connections = new Set<IDBDatabase>()
  const adapter = open({}, (transaction) => {
    connections.add(transaction.db)
    const fault = broken.shift()
    if (fault === 'commit') transaction.commit = () => transaction.abort()
    if (fault === 'before') queueMicrotask(() => transaction.abort())
  })
  await adapter.append('log', 0, ['"0"'])
  const writes: readonly (readonly [string, () => Promise<unknown>])[] = [
    ['append', () => adapter.append('log', 1, ['"1"'])],
    ['put', () => adapter.put('document', '1', { expect: 'absent' })],
    ['remove', () => adapter.remove('document')],
    ['drop', () => adapter.drop('log')],
  ]
  for (const [what, write] of writes) {
    broken.push('commit')
    await expect(write(), what).rejects.toMatchObject({ code: 'UNCERTAIN', written: 'unknown', retry: true })
    broken.push('before', 'commit')
    await expect(write(), what).rejects.toMatchObject({ code: 'UNCERTAIN', written: 'unknown' })
    broken.push('before', 'before')
    await expect(write(), what).rejects.toMatchObject({ code: 'IO', written: 'no', cause: expect.anything() })
  }
  broken.push('before', 'before')
  await expect(collect(adapter.read('log'))).rejects.toMatchObject({ code: 'IO' })
  // A connection that failed is not used again: Safari's go on failing.
  expect(connections.size).toBe(1 + 4 * 5 + 1)
  broken.push('before')
  expect(await collect(adapter.read('log'))).toEqual([{ at: 0, records: ['"0"'] }])
  for (const [, write] of writes) {
    broken.push('before')
    await write()
  }
})

test('a read goes on where it was when the browser ends the connection between and inside its pages', async () => {
  const { open } = rig()
  let connection: IDBDatabase | undefined
  let breaking = 0
  const adapter = open({}, (transaction) => {
    connection = transaction.db
    // Inside the page: its first answer is there, the next ones never come.
    if (breaking-- === 1) queueMicrotask(() => transaction.abort())
  })
  const records = Array.from({ length: 2000 }, (_, i) => JSON.stringify({ i, text: 'x'.repeat(1000) }))
  for (let at = 0; at < 2000; at += 500) await adapter.append('log', at, records.slice(at, at + 500))
  for (const reverse of [false, true]) {
    for (const where of ['between', 'inside']) {
      const found: string[] = []
      for await (const batch of adapter.read('log', { reverse })) {
        if (reverse) found.unshift(...batch.records)
        else found.push(...batch.records)
        if (where === 'between') connection?.close()
        else breaking = 1
      }
      expect(found).toEqual(records)
    }
  }
})

// The real thing is in tabs/quota.test.ts, with a browser of its own; here, every kind of write.
test('a commit refused for want of space is QUOTA with nothing written, and the connection stays', async () => {
  const { open } = rig()
  const connections = new Set<IDBDatabase>()
  let full = true
  const adapter = open({}, (transaction) => {
    connections.add(transaction.db)
    if (!full) return
    const error = new DOMException('', 'QuotaExceededError')
    Object.defineProperty(transaction, 'error', { value: error })
    transaction.commit = () => transaction.abort()
  })
  const put = () => adapter.put('document', '1', { expect: 'absent' })
  for (const write of [() => adapter.append('log', 0, ['"0"']), put, () => adapter.drop('log')]) {
    const error: unknown = await write().catch((reason: unknown) => reason)
    expect(error).toBeInstanceOf(QuotaError)
    expect(error).toMatchObject({ code: 'QUOTA', written: 'no', retry: false, cause: { name: 'QuotaExceededError' } })
    // `is` narrows to the fields, also for an error of another copy of the package.
    const figures = SessionError.is(error, 'QUOTA') && [error.usage, error.quota]
    expect(figures).toEqual([expect.any(Number), expect.any(Number)])
  }
  full = false
  await adapter.append('log', 0, ['"0"'])
  await put()
  expect(connections.size).toBe(1)
})

test('why a database does not open tells what to do, and the next operation tries again', async () => {
  const { open } = rig()
  const reasons = ['SecurityError', 'QuotaExceededError', 'UnknownError']
  const adapter = open({
    indexedDB: {
      open(...target) {
        const reason = reasons.shift()
        if (reason) throw new DOMException('', reason)
        return indexedDB.open(...target)
      },
    },
  })
  for (const code of ['DENIED', 'QUOTA', 'UNAVAILABLE']) {
    await expect(adapter.append('log', 0, ['"0"'])).rejects.toMatchObject({ code, cause: expect.any(DOMException) })
  }
  await adapter.append('log', 0, ['"0"'])
})

test('strict and relaxed reach the transaction and the capabilities; anything else is a TypeError', async () => {
  const { open } = rig()
  for (const [durability, declared] of [
    [undefined, 'disk'],
    ['strict', 'disk'],
    ['relaxed', 'process'],
  ] as const) {
    const seen: string[] = []
    const adapter = open({ durability }, (transaction) => seen.push(transaction.durability))
    await adapter.put(`document/${durability}`, '1', { expect: 'absent' })
    expect(seen).toEqual([durability ?? 'strict'])
    expect(adapter.capabilities).toEqual({ durability: declared, sharing: 'tab', watch: true })
  }
  expect(() => indexedDb('')).toThrow(TypeError)
  expect(() => indexedDb('name', { durability: 'default' as 'strict' })).toThrow(TypeError)
})
