import { readFile, writeFile } from 'node:fs/promises'
import { openSessions, type StorageAdapter } from '@sessiontree/core'
import { RequestCounter } from '@sessiontree/s3'
import { expect, test } from 'vitest'
import { generateLog, STUB_BUCKET } from './servers.ts'
import { store, stub, useStub } from './stub-store.ts'

// The table of costs in docs/s3.md is what the counters say. SESSIONTREE_WRITE_COSTS=1 writes it anew.

useStub()

const PAGE = new URL('../../../docs/s3.md', import.meta.url)
const record = (index: number) => JSON.stringify({ index, text: 'x'.repeat(980) })
const idle = () => new Promise((resolve) => setImmediate(resolve))
const message = (content: string) => ({ role: 'user', content })

type Operation = readonly [
  name: string,
  prepare: (adapter: StorageAdapter) => Promise<unknown>,
  run: (adapter: StorageAdapter) => Promise<unknown>,
]

const read = (adapter: StorageAdapter, log: string, range: object) => Array.fromAsync(adapter.read(log, range))
const nothing = async () => undefined

const operations: readonly Operation[] = [
  [
    'append, cold (the first write of a process: 1 GET for the proof)',
    nothing,
    (one) => one.append('short', 1000, [record(0)]),
  ],
  ['newest record', nothing, (one) => read(one, 'short', { reverse: true, limit: 1 })],
  ['one record of 10,000', nothing, (one) => read(one, 'long', { from: 3333, limit: 1 })],
  ['all of 1,000 records', nothing, (one) => read(one, 'all', { readAhead: Infinity })],
  ['all of 10,000 records', nothing, (one) => read(one, 'long', { readAhead: Infinity })],
  [
    'append to a log whose end the handle knows',
    async (one) => [await one.get('none'), await read(one, 'long', { reverse: true, limit: 1 })],
    (one) => one.append('long', 10_000, [record(0)]),
  ],
  [
    'is there anything new?',
    (one) => read(one, 'all', { reverse: true, limit: 1 }),
    (one) => read(one, 'all', { from: 1000 }),
  ],
  ['create a document', (one) => one.get('none'), (one) => one.put('new', '1', { expect: 'absent' })],
  [
    'replace a document',
    (one) => one.get('doc'),
    async (one) => one.put('doc', '2', { expect: (await store.open().get('doc'))?.version ?? '' }),
  ],
  ['create a session, cold', nothing, (one) => openSessions(one).create('created')],
  [
    'open a session and read its newest 64 KiB, cold',
    nothing,
    async (one) => (await openSessions(one).open('resumed')).context({ maxBytes: 36 * 1024, compacted: false }),
  ],
  ['list the newest 20 sessions, cold', nothing, (one) => Array.fromAsync(openSessions(one).list({ limit: 20 }))],
  ['drop a log of 1,000 objects', (one) => one.get('none'), (one) => one.drop('all')],
]

test('the table of costs is what the counters say', async () => {
  for (const [log, length] of [
    ['short', 1000],
    ['all', 1000],
    ['long', 10_000],
  ] as const) {
    generateLog(stub, store, log, length, 1, record)
  }
  const writer = store.open()
  await writer.put('doc', '1', { expect: 'absent' })
  const sessions = openSessions(writer)
  for (let i = 0; i < 25; i++) await sessions.create(`other-${i}`)
  const resumed = await sessions.create('resumed')
  for (let i = 0; i < 100; i++) await resumed.append(message(`${i} ${'x'.repeat(560)}`))
  const rows: string[] = []
  for (const [name, prepare, run] of operations) {
    const counter = new RequestCounter()
    const adapter = store.open({ onRequest: counter.onRequest })
    await prepare(adapter)
    await idle()
    counter.reset()
    await run(adapter)
    await adapter.close()
    await idle()
    const { requests, roundTrips } = counter.usage
    const names = {
      ListObjectsV2: 'LIST',
      GetObject: 'GET',
      PutObject: 'PUT',
      DeleteObject: 'DELETE',
      DeleteObjects: 'batch DELETE',
    }
    const asked = Object.entries(names).flatMap(([operation, short]) => {
      const count = requests[operation as keyof typeof requests]
      return count > 0 ? [`${count} ${short}`] : []
    })
    rows.push(`| ${name} | ${asked.join(', ')} | ${roundTrips} | $${(counter.dollars() * 1e6).toFixed(2)} |`)
  }
  const table = ['| operation | requests | round trips | a million times |', '|---|---|---|---|', ...rows].join('\n')
  const page = await readFile(PAGE, 'utf8')
  const [, before = '', , after = ''] = /^([^]*<!-- costs -->\n\n)([^]*?)(\n\n<!-- \/costs -->[^]*)$/.exec(page) ?? []
  expect(before).not.toBe('')
  if (process.env['SESSIONTREE_WRITE_COSTS']) await writeFile(PAGE, before + table + after)
  expect(await readFile(PAGE, 'utf8')).toBe(before + table + after)
  // Quicker than by requests.
  const bucket = stub.bucket(STUB_BUCKET)
  for (const [key] of bucket.list({ prefix: store.prefix, delimiter: '', after: '', limit: Infinity }).objects)
    bucket.delete(key)
}, 120_000)
