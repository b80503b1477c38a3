import { isMessageEntry, SessionError, type Session, type Sessions, type RoleMessage } from '@sessiontree/core'
import { describe, expect, test } from 'vitest'
import { ID, LOG, readLog, RecordedSession, type Copy } from './recorded-session.ts'

const MESSAGES = 8
const LAST = MESSAGES - 1
// One bit of each kind, and all: a letter into a letter, into a control character, into what is no UTF-8.
const MASKS = [0x01, 0x20, 0x80, 0xff] as const
const [MASK] = MASKS
const NEXT = { role: 'user', content: 'And it goes on' }

const below = (to: number) => Array.from({ length: to }, (_, at) => at)

function flipped(bytes: Buffer, at: number, mask: number): Buffer {
  const copy = Buffer.from(bytes)
  copy.writeUInt8(copy.readUInt8(at) ^ mask, at)
  return copy
}

/** A copy without the bytes between two offsets, and with others in their place. */
function spliced(bytes: Buffer, from: number, to: number, instead: string | Buffer = ''): Buffer {
  return Buffer.concat([bytes.subarray(0, from), Buffer.from(instead), bytes.subarray(to)])
}

/** However damaged its log is, a session is there: its id is taken. */
async function expectTaken(sessions: Sessions<RoleMessage>): Promise<void> {
  const code = await sessions.create(ID).then(
    () => 'created',
    (error: unknown) => (SessionError.is(error) ? error.code : String(error)),
  )
  expect(['EXISTS', 'CORRUPT']).toContain(code)
}

/** What its messages say, and the types of its other entries. */
async function contents(session: Session<RoleMessage>): Promise<unknown[]> {
  const entries = await Array.fromAsync(session.entries())
  return entries.map((entry) => (isMessageEntry(entry) ? entry.message['content'] : entry.type))
}

const messages = (indexes: readonly number[]) => indexes.map((i) => `Message ${i}`)

/** Appends through a session of this store; another handle reads it back, behind these messages. */
async function expectGoesOn(recorded: RecordedSession, copy: Copy, kept: readonly number[]): Promise<void> {
  const before = copy.bytes()
  const session = await copy.sessions.open(ID)
  await session.append(NEXT)
  expect(copy.bytes().subarray(0, before.length).equals(before), 'nothing is overwritten').toBe(true)
  expect((await session.path({ last: 1 }).toArray())[0]).toMatchObject({ message: NEXT })
  await using another = copy.another()
  const { records, damage } = await readLog(another)
  expect(damage).toBeUndefined()
  expect(records.slice(0, -1)).toEqual(recorded.records(...kept))
  expect(records.at(-1)?.[0]).toBe(kept.length)
}

/** Repairs a session: afterwards all that could be read is there, each message once, and it takes appends. */
async function expectRepairable(copy: Copy, kept: readonly number[], lost: readonly number[]): Promise<void> {
  const before = copy.bytes()
  const session = await copy.sessions.open(ID)
  const { repaired, lost: gaps } = await session.repair()
  expect(repaired).toBe(true)
  expect(gaps.flatMap(({ first, last }) => below(last - first + 1).map((i) => first + i))).toEqual(lost)
  await session.append(NEXT)
  expect((await contents(session)).filter((content) => content !== 'lost')).toEqual([...messages(kept), NEXT.content])
  expect(await session.verify()).toMatchObject({ ok: true, lost: lost.length })
  expect(copy.bytes().subarray(0, before.length).equals(before), 'nothing is overwritten').toBe(true)
}

describe('a log cut at every byte of its last three records', () => {
  test('keeps what is before the cut, shows that something is missing, and goes on', { timeout: 300_000 }, async () => {
    const recorded = await RecordedSession.make(MESSAGES)
    for (let cut = recorded.lines[LAST - 2] ?? 0; cut < recorded.bytes.length; cut++) {
      const kept = below(recorded.lines.filter((start) => start <= cut).length - 1)
      await using copy = recorded.withLog(recorded.bytes.subarray(0, cut))
      const label = `cut at ${cut}`
      // What is torn was never acknowledged, for all that the file tells.
      expect(await readLog(copy.adapter), label).toEqual({ records: recorded.records(...kept), damage: undefined })
      await expectTaken(copy.sessions)
      const session = await copy.sessions.open(ID)
      expect(await session.verify({ expect: recorded.digest }), label).toMatchObject({
        ok: false,
        problems: [{ kind: 'expected' }],
      })
      await expectGoesOn(recorded, copy, kept)
    }
  })
})

describe('a log with one byte flipped', () => {
  test.each(MASKS)(
    'in its last record, by %i: located, and the next append goes on',
    { timeout: 300_000 },
    async (mask) => {
      const recorded = await RecordedSession.make(MESSAGES)
      for (let at = recorded.lines[LAST] ?? 0; at < recorded.bytes.length; at++) {
        await using copy = recorded.withLog(flipped(recorded.bytes, at, mask))
        const label = `byte ${at}`
        const { records, damage } = await readLog(copy.adapter)
        expect(records, label).toEqual(recorded.records(...below(LAST)))
        expect(damage, label).toMatchObject({ at: LAST, where: expect.stringContaining(recorded.path) })
        expect(await readLog(copy.adapter, LOG, true), label).toEqual({ records, damage: undefined })
        await expectTaken(copy.sessions)
        const session = await copy.sessions.open(ID)
        expect(await session.verify(), label).toMatchObject({ ok: false, problems: [{ kind: 'missing', at: LAST }] })
        await expectGoesOn(recorded, copy, below(LAST))
      }
    },
  )

  test.each(MASKS)(
    'in a record in the middle, by %i: located, the rest salvaged, repaired',
    { timeout: 300_000 },
    async (mask) => {
      const recorded = await RecordedSession.make(MESSAGES)
      const middle = 3
      const [from = 0, to = 0] = recorded.lines.slice(middle)
      // What a repair reads is the same whatever the mask was.
      for (let at = from; at < to; at++) {
        await using copy = recorded.withLog(flipped(recorded.bytes, at, mask))
        const label = `byte ${at}`
        const { records, damage } = await readLog(copy.adapter)
        expect(records, label).toEqual(recorded.records(...below(middle)))
        expect(damage, label).toMatchObject({ at: middle, where: expect.stringContaining(recorded.path) })
        const rest = below(MESSAGES).filter((index) => index !== middle)
        expect(await readLog(copy.adapter, LOG, true), label).toEqual({
          records: recorded.records(...rest),
          damage: undefined,
        })
        await expectTaken(copy.sessions)
        if (mask === MASK || at % 7 === 0) await expectRepairable(copy, rest, [middle])
      }
    },
  )
})

describe('a log whose last append was a batch', () => {
  test('every byte of it flipped: located, and takes no append', { timeout: 300_000 }, async () => {
    const recorded = await RecordedSession.make(4, 3)
    for (let at = recorded.lines[4] ?? 0; at < recorded.bytes.length; at++) {
      const label = `byte ${at}`
      const bytes = flipped(recorded.bytes, at, MASK)
      await using copy = recorded.withLog(bytes)
      const { records, damage } = await readLog(copy.adapter)
      expect(records, label).toEqual(recorded.records(...below(4)))
      expect(damage, label).toMatchObject({ at: 4, where: expect.stringContaining(recorded.path) })
      await expectTaken(copy.sessions)
      // Two sound lines of three show that there was more than now counts, so nobody can tell where the log ends.
      const appended = copy.adapter.append(LOG, 4, ['"in their place"'])
      await expect(appended, label).rejects.toMatchObject({ code: 'CORRUPT', at: 4 })
      expect(copy.bytes().equals(bytes), `${label}: nothing is written`).toBe(true)
    }
  })

  test('every byte of it flipped: repaired, and the session goes on', { timeout: 300_000 }, async () => {
    const recorded = await RecordedSession.make(4, 3)
    for (let at = recorded.lines[4] ?? 0; at < recorded.bytes.length; at++) {
      const label = `byte ${at}`
      await using copy = recorded.withLog(flipped(recorded.bytes, at, MASK))
      const session = await copy.sessions.open(ID)
      expect(await session.repair(), label).toMatchObject({ repaired: true, records: 4, lostEnd: true })
      await session.append(NEXT)
      expect(await contents(session), label).toEqual([...messages(below(4)), NEXT.content])
    }
  })
})

describe('what crashes and full disks left in the files of others (STORAGE-FACTS 2.2)', () => {
  test('two records fused into one line', async () => {
    const recorded = await RecordedSession.make(MESSAGES)
    for (const at of [1, 4, LAST]) {
      const feed = (recorded.lines[at] ?? 0) - 1
      await using copy = recorded.withLog(spliced(recorded.bytes, feed, feed + 1))
      const { records, damage } = await readLog(copy.adapter)
      expect(records.length, `without the line feed before ${at}`).toBeLessThan(at)
      expect(damage).toMatchObject({ at: records.length, where: expect.stringContaining(recorded.path) })
      await expectTaken(copy.sessions)
    }
  })

  test('a run of NULs over the middle', async () => {
    const recorded = await RecordedSession.make(MESSAGES)
    const [from = 0] = recorded.lines.slice(2)
    for (let length = 200; length <= 700; length += 20) {
      for (const start of [from, from + 100, (recorded.lines[3] ?? 0) - 1]) {
        const bytes = spliced(recorded.bytes, start, start + length, Buffer.alloc(length))
        await using copy = recorded.withLog(bytes)
        const touched = below(MESSAGES).filter(
          (index) => (recorded.lines[index] ?? 0) < start + length && (recorded.lines[index + 1] ?? 0) > start,
        )
        const label = `${length} NULs at ${start}`
        const { records, damage } = await readLog(copy.adapter)
        expect(records, label).toEqual(recorded.records(...below(touched[0] ?? 0)))
        expect(damage, label).toMatchObject({ at: touched[0], where: expect.stringContaining(recorded.path) })
        const salvaged = await readLog(copy.adapter, LOG, true)
        const rest = below(MESSAGES).filter((index) => !touched.includes(index))
        expect(salvaged.records, label).toEqual(recorded.records(...rest))
        await expectTaken(copy.sessions)
        await expectRepairable(copy, rest, touched)
      }
    }
  })

  test('a run of NULs at the end: the file had grown before its bytes were there', async () => {
    const recorded = await RecordedSession.make(MESSAGES)
    for (let length = 1; length <= 700; length += 23) {
      // In place of the last record, or behind it.
      for (const kept of [below(LAST), below(MESSAGES)]) {
        const sound = recorded.bytes.subarray(0, recorded.lines[kept.length])
        await using copy = recorded.withLog(Buffer.concat([sound, Buffer.alloc(length)]))
        const label = `${length} NULs behind ${kept.length} records`
        const { records, damage } = await readLog(copy.adapter)
        expect(records, label).toEqual(recorded.records(...kept))
        expect(damage, label).toMatchObject({ at: kept.length, where: expect.stringContaining(recorded.path) })
        await expectTaken(copy.sessions)
        await expectGoesOn(recorded, copy, kept)
      }
    }
  })

  test('beginnings of records in front of good ones, as a disk leaves them that is full again and again', async () => {
    const recorded = await RecordedSession.make(MESSAGES)
    const record = recorded.bytes.subarray(recorded.lines[LAST])
    for (let length = 1; length < record.length; length++) {
      await using copy = recorded.withLog(Buffer.concat([recorded.bytes, record.subarray(0, length)]))
      await expectGoesOn(recorded, copy, below(MESSAGES))
      expect((await readLog(copy.adapter)).damage, `${length} bytes`).toBeUndefined()
      expect(await (await copy.sessions.open(ID)).verify(), `${length} bytes`).toMatchObject({ ok: true })
    }
  })
})
