import { MemoryStore } from '@sessiontree/memory'
import { describe, expect, test } from 'vitest'
import { openSessions, type Problem } from '../src/index.ts'
import { DAMAGED, damagedMemory } from './damaged-memory.ts'
import { seededClock, seededRandom } from './seeded.ts'

const user = (content: string) => ({ role: 'user', content })

async function stored(count: number) {
  const store = new MemoryStore()
  const sessions = openSessions(damagedMemory(store), { random: seededRandom(7), clock: seededClock() })
  const session = await sessions.create('s')
  for (let i = 0; i < count; i++) await session.append(user(String(i)), { id: `e${i}` })
  const log = store.logs.get('session/s/0')!
  const edit = (at: number, change: (record: Record<string, unknown>) => void) => {
    const record = JSON.parse(log[at]!) as Record<string, unknown>
    change(record)
    log[at] = JSON.stringify(record)
  }
  const found = async () =>
    (await session.verify()).problems.map(({ kind, at }: Problem): [string, number | undefined] => [kind, at])
  return { session, log, edit, found }
}

describe('verify', () => {
  test('a sound session: how much there is, and the digest of its leaf', async () => {
    const { session } = await stored(20)
    await session.moveTo('e5')
    const branch = await session.append(user('branch'))
    const progress: number[] = []
    expect(await session.verify({ onProgress: ({ records }) => progress.push(records) })).toEqual({
      ok: true,
      records: 22,
      entries: 21,
      lost: 0,
      digest: branch.digest,
      problems: [],
      problemCount: 0,
    })
    expect(progress.at(-1)).toBe(22)
  })

  test('an empty session', async () => {
    const { session } = await stored(0)
    expect(await session.verify()).toMatchObject({ ok: true, records: 0, digest: undefined })
  })

  test('a digest kept elsewhere proves that the end was not cut off', async () => {
    const { session, log } = await stored(5)
    const { digest } = await session.verify()
    await session.append(user('more'))
    expect((await session.verify({ expect: String(digest) })).ok).toBe(true)
    log.length = 4
    const after = await (await stored(4)).session.verify({ expect: String(digest) })
    expect(after.problems.map(({ kind }) => kind)).toEqual(['expected'])
    expect((await session.verify()).ok, 'nothing but the digest can tell').toBe(true)
  })

  test('an expectation that is no digest is a TypeError, not a finding', async () => {
    const { session } = await stored(2)
    const { digest } = await session.verify()
    for (const expected of ['', 'abc', String(digest).toUpperCase(), ` ${digest}`, 7, null]) {
      await expect(session.verify({ expect: expected as string })).rejects.toThrow(TypeError)
    }
  })

  const changes: [string, (record: Record<string, unknown>) => void, [string, number][]][] = [
    ['content', (record) => (record['message'] = user('changed')), [['hash', 3]]],
    [
      'content and its hash',
      (record) => (record['hash'] = '0'.repeat(64)),
      [
        ['hash', 3],
        ['digest', 3],
      ],
    ],
    ['a time', (record) => (record['createdAt'] = '2020-01-01T00:00:00.000Z'), [['digest', 3]]],
    ['a parent', (record) => (record['parentId'] = 'e0'), [['digest', 3]]],
    ['a parent that is nowhere', (record) => (record['parentId'] = 'nobody'), [['parent', 3]]],
    [
      'a digest',
      (record) => (record['digest'] = '0'.repeat(64)),
      [
        ['digest', 3],
        ['digest', 4],
      ],
    ],
    ['a leaf that is nowhere', (record) => (record['leaf'] = { id: 'nobody', position: [0, 1] }), [['leaf', 3]]],
    [
      'an id',
      (record) => (record['id'] = 'e1'),
      [
        ['digest', 3],
        ['duplicate', 3],
        ['parent', 4],
      ],
    ],
  ]
  for (const [name, change, problems] of changes) {
    test(`a record with another one of its own: ${name}`, async () => {
      const { edit, found } = await stored(6)
      edit(3, change)
      expect(await found()).toEqual(problems)
    })
  }

  test('what cannot be read or is no record, and everything behind it', async () => {
    const { session, log, edit, found } = await stored(12)
    log[3] = DAMAGED
    log[4] = DAMAGED
    log[6] = '[]'
    edit(9, (record) => (record['message'] = user('changed')))
    expect(await found()).toEqual([
      ['missing', 3],
      ['unreadable', 6],
      ['hash', 9],
    ])
    const { problems, records } = await session.verify()
    expect(records).toBe(9)
    expect(problems[0]).toMatchObject({ where: 'memory, record 3', message: 'Records 3 to 4 cannot be read.' })
  })

  test('damage up to the end', async () => {
    const { log, found } = await stored(4)
    log[3] = DAMAGED
    expect(await found()).toEqual([['missing', 3]])
  })

  test('a record behind the one that ended the log', async () => {
    const { edit, found } = await stored(4)
    edit(2, (record) => (record['type'] = 'closed'))
    expect((await found()).map(([kind, at]) => `${kind} ${at}`)).toContain('closed 3')
  })

  test('no more than 1,000 problems are held, all are counted', async () => {
    const { session, log } = await stored(1)
    await session.append(Array.from({ length: 1024 }, () => user('x')))
    await session.append(Array.from({ length: 200 }, () => user('x')))
    for (let at = 1; at <= 1200; at++) log[at] = log[at]!.replace('"x"', '"y"')
    const { ok, problems, problemCount } = await session.verify()
    expect([ok, problems.length, problemCount]).toEqual([false, 1000, 1200])
  })

  test('an abort ends it', async () => {
    const { session } = await stored(3)
    const controller = new AbortController()
    const reason = new Error('enough')
    const running = session.verify({ signal: controller.signal, onProgress: () => controller.abort(reason) })
    await expect(running).rejects.toBe(reason)
  })
})
