import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openSessions, type RoleMessage, type Session, type Sessions, type StorageAdapter } from '@sessiontree/core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { nodeFs, openNodeFs } from '../../src/node-fs.ts'
import { generateLog } from './generated-log.ts'
import { measuredSystem, type Costs } from './measured-system.ts'

const SIZES = [10, 10_000, 1_000_000]
const ID = 'large'
const LOG = `session/${ID}/0`
// Where the records lie that are looked for.
const PARTS = [0.001, 0.37, 0.5, 0.99]
const KIB = 1024
const WINDOW = 64 * KIB
const MOST_GUESSES = 12
const MESSAGES = Array.from({ length: 60 }, (_, i) => ({ role: 'user' as const, content: `${i} ${'x'.repeat(KIB)}` }))

// As small as a record can be that core reads.
const recordAt = (at: number) =>
  `{"id":"${at}","parentId":null,"createdAt":"2026-11-21T00:00:00.000Z","type":"note","hash":"","digest":""}`

/** What each operation cost, by the size of the log. */
const costs: Map<string, Map<number, Costs>> = new Map()

function note(operation: string, size: number, cost: Costs): Costs {
  const bySize = costs.get(operation) ?? new Map<number, Costs>()
  costs.set(operation, bySize.set(size, cost))
  return cost
}

const folder = mkdtempSync(join(tmpdir(), 'sessiontree-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

interface Measured {
  readonly adapter: StorageAdapter
  readonly sessions: Sessions<RoleMessage>
  /** What was done since it was asked the last time. */
  readonly take: () => Costs
}

function measured(root: string): Measured {
  const { system, take } = measuredSystem()
  const adapter = openNodeFs(root, {}, system)
  return { adapter, sessions: openSessions(adapter), take }
}

/** A handle that has opened its store, and nothing else: what follows is cold to the log alone. */
async function cold(root: string): Promise<Measured> {
  const opened = measured(root)
  await opened.adapter.get('nothing')
  opened.take()
  return opened
}

async function first(adapter: StorageAdapter, range: object): Promise<[at: number, text: string | undefined]> {
  for await (const { at, records } of adapter.read(LOG, range)) return [at, records[0]]
  return [NaN, undefined]
}

describe.each(SIZES)('on a log of %i records', (size) => {
  const root = join(folder, String(size))

  beforeAll(async () => {
    const sessions = openSessions(nodeFs(root, { durability: 'process' }))
    await sessions.create(ID)
    await sessions.close()
    generateLog(root, LOG, size, recordAt)
  }, 120_000)

  test('a cold append reads the tail, a warm one writes, looks and flushes once', async () => {
    const { adapter, take } = await cold(root)
    await adapter.append(LOG, size, [recordAt(size)])
    const { bytesRead = 0 } = note('cold append', size, take())
    expect(bytesRead).toBeLessThanOrEqual(WINDOW)
    await adapter.append(LOG, size + 1, [recordAt(size + 1)])
    expect(note('warm append', size, take())).toMatchObject({ write: 1, fstat: 1, flush: 1 })
    await Promise.all(Array.from({ length: 64 }, (_, i) => adapter.append(LOG, size + 2 + i, [recordAt(size + 2 + i)])))
    expect(note('64 at once', size, take()).flush).toBeLessThanOrEqual(2)
    await adapter.close()
  })

  test('the tail, and one record by its index', async () => {
    const { adapter, take } = await cold(root)
    expect(await first(adapter, { reverse: true, limit: 1 })).toEqual([size + 65, recordAt(size + 65)])
    expect(note('tail', size, take()).bytesRead).toBeLessThanOrEqual(WINDOW)
    for (const part of PARTS) {
      const at = Math.floor(size * part)
      expect(await first(adapter, { from: at, limit: 1 })).toEqual([at, recordAt(at)])
      const { read = 0, bytesRead = 0 } = note(`record at ${part}`, size, take())
      expect(read).toBeLessThanOrEqual(MOST_GUESSES)
      expect(bytesRead).toBeLessThanOrEqual(MOST_GUESSES * 8 * KIB)
    }
    await adapter.close()
  })

  test('open and context: at most twice the context and 256 KiB', { timeout: 60_000 }, async () => {
    // A path of its own behind all that history.
    await writeContext(root, async (session) => {
      for (const [i, message] of MESSAGES.entries()) await session.append(message, i === 0 ? { parent: null } : {})
    })
    const { bytes, cost } = await readContext(root)
    expect(note('open and context', size, cost).bytesRead).toBeLessThanOrEqual(2 * bytes + 256 * KIB)
  })

  test('a session: one write, look and flush for an entry, at most two for 64 at once', async () => {
    const { sessions, take } = measured(root)
    const session = await sessions.open(ID)
    await session.append({ role: 'user', content: 'the first' }, { onConflict: 'rebase' })
    take()
    await session.append({ role: 'user', content: 'the next' })
    expect(note('warm append of a session', size, take())).toEqual({
      write: 1,
      fstat: 1,
      flush: 1,
      bytesWritten: expect.any(Number),
    })
    await Promise.all(Array.from({ length: 64 }, (_, i) => session.append({ role: 'user', content: String(i) })))
    const { write, flush } = note('64 at once in a session', size, take())
    expect(write).toBeLessThanOrEqual(2)
    expect(flush).toBeLessThanOrEqual(2)
    await sessions.close()
  })
})

test.each([10, 100_000])(
  'open and context of one batch behind %i records: at most twice the context and 256 KiB',
  { timeout: 60_000 },
  async (size) => {
    const root = join(folder, `batch-${size}`)
    const sessions = openSessions(nodeFs(root, { durability: 'process' }))
    await sessions.create(ID)
    await sessions.close()
    generateLog(root, LOG, size, recordAt)
    await writeContext(root, (session) => session.append(MESSAGES, { parent: null }))
    const { bytes, cost } = await readContext(root)
    expect(note('open and context of a batch', size, cost).bytesRead).toBeLessThanOrEqual(2 * bytes + 256 * KIB)
  },
)

async function writeContext(root: string, write: (session: Session<RoleMessage>) => Promise<unknown>): Promise<void> {
  await using sessions = openSessions(nodeFs(root, { durability: 'process' }))
  await write(await sessions.open(ID))
}

/** What a cold handle reads to have the context, and how many bytes that is. */
async function readContext(root: string): Promise<{ readonly bytes: number; readonly cost: Costs }> {
  const { sessions, take } = measured(root)
  const context = await (await sessions.open(ID)).context()
  const cost = take()
  await sessions.close()
  expect(context.messages).toEqual(MESSAGES)
  expect(context.bytes).toBeGreaterThan(60 * KIB)
  return { bytes: context.bytes, cost }
}

/** The calls of an operation, without the bytes. */
function calls(operation: string, size: number): Costs {
  const { bytesRead: _read, bytesWritten: _written, ...rest } = costs.get(operation)?.get(size) ?? {}
  return rest
}

describe('on a large log nothing costs more than on a small one', () => {
  const [small = 0, ...larger] = SIZES

  test.each(['cold append', 'warm append', 'tail', 'warm append of a session'])('%s: the same calls', (operation) => {
    expect(calls(operation, small)).not.toEqual({})
    for (const size of larger) expect(calls(operation, size), `${size} records`).toEqual(calls(operation, small))
  })

  test('open and context: the same calls but for a few reads', () => {
    const { read: reads = 0, ...rest } = calls('open and context', small)
    expect(reads).toBeGreaterThan(0)
    for (const size of larger) {
      const { read = 0, ...others } = calls('open and context', size)
      expect(others, `${size} records`).toEqual(rest)
      expect(read, `${size} records`).toBeLessThanOrEqual(reads + 4)
    }
  })

  test('a record by its index: a few guesses, whatever the size', () => {
    for (const part of PARTS) {
      const [few = 0, many = 0] = [10_000, 1_000_000].map((size) => calls(`record at ${part}`, size).read)
      expect(few).toBeGreaterThan(0)
      expect(many).toBeLessThanOrEqual(few + 4)
    }
  })
})
