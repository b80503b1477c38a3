import { memory, MemoryStore } from '@sessiontree/memory'
import { expect, test } from 'vitest'
import { openSessions, type RoleMessage, type Session, type StorageAdapter } from '../src/index.ts'
import { user } from './turn-rig.ts'

/** An adapter that counts the reads that were begun, and those that have not ended. */
function watched(adapter: StorageAdapter) {
  const reads = { begun: 0, open: 0 }
  const watching: StorageAdapter = {
    ...adapter,
    async *read(log, range) {
      reads.begun++
      reads.open++
      try {
        yield* adapter.read(log, range)
      } finally {
        reads.open--
      }
    },
  }
  return { adapter: watching, reads }
}

/** What ends early in one way or another. */
const READS: Record<string, (session: Session<RoleMessage>) => Promise<unknown>> = {
  leaf: (session) => session.leaf(),
  context: (session) => session.context(),
  'a context that a budget ends': (session) => session.context({ maxBytes: 50_000, compacted: false }),
  'a context with a budget': (session) => session.context({ maxBytes: 50_000 }),
  'an entry of an ancestor': (session) => session.entry('s3'),
  'no entry': (session) => session.entry('nobody').catch(() => undefined),
  'the end of a path': (session) => session.path({ last: 3 }).toArray({ limit: 10 }),
  'a path that is left': async (session) => {
    for await (const _ of session.path()) break
  },
  'a path that is left by an error': (session) =>
    (async () => {
      for await (const _ of session.path()) throw new Error('enough')
    })().catch(() => undefined),
  'entries that are left': async (session) => {
    for await (const _ of session.entries()) break
  },
  'too many entries': (session) =>
    session
      .entries()
      .toArray({ limit: 3 })
      .catch(() => undefined),
  'a follower that leaves': async (session) => {
    for await (const _ of session.follow({ after: null })) break
  },
  status: (session) => session.status(),
  retryTarget: (session) => session.retryTarget(),
  tree: (session) => session.tree(),
  verify: (session) => session.verify(),
  'a fork before an entry of an ancestor': (session) => session.fork({ before: 's4' }),
  'an id in the whole log': (session) => session.append(message(1), { id: 's1', ifAbsent: 'whole-log' }),
  'a context of a turn': async (session) => {
    const turn = await session.beginTurn()
    await turn.context({ maxBytes: 50_000, compacted: false })
    await turn.complete()
  },
  moveTo: (session) => session.moveTo('s2'),
}

// Larger than what a look reads at first, so that reads of the path follow.
const message = (n: number) => user(`${n} `.padEnd(20_000, 'x'))

test('no read stays open on a fork of a fork, however early it ends', async () => {
  const { adapter, reads } = watched(memory({ store: new MemoryStore() }))
  const sessions = openSessions(adapter)
  const source = await sessions.create('s')
  for (let i = 0; i < 20; i++) await source.append(message(i), { id: `s${i}` })
  const fork = await source.fork({ id: 'f' })
  for (let i = 0; i < 20; i++) await fork.append(message(i), { id: `f${i}` })
  await (await fork.fork({ id: 'ff', at: 'f15' })).append(message(0))
  for (const [name, read] of Object.entries(READS)) {
    const session = await sessions.open('ff')
    const before = reads.begun
    await read(session)
    expect(reads.begun, `${name} reads`).toBeGreaterThan(before)
    expect(reads.open, `${name} leaves a read open`).toBe(0)
  }
})
