import { SessionError, type ReadRange, type RecordBatch, type StorageAdapter } from '@sessiontree/core'
import type { CaseContext, ContractCase } from '../case.ts'
import { assert, AssertionError, assertEqual } from '../assert.ts'
import { collect, fill, readLog } from '../reading.ts'
import { assertCode, assertErrorCode, outcomeOf } from '../rejection.ts'

const LOG = 'damage/log'
const AT = 3
// The last batches are small, so that no place keeps the damaged record together with the tail.
const SIZES = [2, 1, 1, 2, 1, 1, 1]
const SECRET = 'nobody may read this in a message'

const record = (index: number) => `{"index":${index},"text":"${SECRET}"}`

/** Records and documents that were damaged below the adapter. */
export const damageCases: readonly ContractCase[] = [
  {
    id: 'damage/read',
    group: 'damage',
    title: 'a read delivers what is before damage, then rejects with CORRUPT and its index; salvage reads on behind it',
    rules: ['read.corrupt', 'read.prefix', 'errors', 'logs.all'],
    needs: ['damage'],
    async run(context) {
      const { open } = context
      const records = await fill(await open(), LOG, SIZES, record)
      const lost = await damaged(context, LOG, AT, records.length - 1)
      const [first, last] = [lost[0] ?? AT, lost.at(-1) ?? AT]
      const sound = records.map((_, index) => index).filter((index) => !lost.includes(index))
      const reader = await open()

      const forward = await readUntil(reader, {})
      assertEqual(forward.found, indexed(records, 0, first), 'what is delivered before the damage')
      assertCorrupt(forward.error, first, 'a read up to the damage')
      const reverse = await readUntil(reader, { reverse: true })
      assertEqual(reverse.found, indexed(records, last + 1), 'what is delivered behind the damage in reverse')
      assertCorrupt(reverse.error, last, 'a reverse read down to the damage')
      const only = await readUntil(reader, { from: AT, limit: 1 })
      assertEqual(only.found, [], 'what a read of the damaged record alone delivers')
      assertCorrupt(only.error, AT, 'a read of the damaged record alone')

      const all = sound.map((index) => [index, records[index]])
      for (const range of [{ salvage: true }, { salvage: true, reverse: true }]) {
        const salvaged = await readUntil(reader, range)
        assertEqual(salvaged.error, undefined, 'a read with salvage does not reject')
        assertEqual(salvaged.found, all, `what salvage delivers${range.reverse ? ' in reverse' : ''}`)
        const limited = await readUntil(reader, { ...range, limit: first + 1 })
        const expected = range.reverse ? all.slice(-first - 1) : all.slice(0, first + 1)
        assertEqual(limited.found, expected, `limit ${first + 1} counts what salvage delivers`)
      }
      for (const index of sound) {
        assertEqual(
          await readLog(reader, LOG, { from: index, limit: 1 }),
          [records[index]],
          `the record ${index} alone`,
        )
      }
      assertEqual(await readLog(reader, LOG, { to: first }), records.slice(0, first), 'a range before the damage')
      assertEqual(await readLog(reader, LOG, { from: last + 1 }), records.slice(last + 1), 'a range behind the damage')
      assertEqual((await collect(reader.logs(''))).flat(), [LOG], 'the logs although one is damaged')
    },
  },
  {
    id: 'damage/append',
    group: 'damage',
    title: 'damage before a sound tail keeps nobody from appending; nothing before a damaged tail is lost by it',
    rules: ['append.corrupt', 'append.cas', 'read.corrupt', 'drop.gone', 'logs.all'],
    needs: ['damage'],
    async run(context) {
      const { open } = context
      const writer = await open()
      const records = await fill(writer, LOG, SIZES, record)
      const lost = await damaged(context, LOG, AT, records.length - 1)
      await writer.append(LOG, records.length, ['"warm"'])
      await (await open()).append(LOG, records.length + 1, ['"cold"'])
      const behind = { from: (lost.at(-1) ?? AT) + 1 }
      const expected = [...records.slice(behind.from), '"warm"', '"cold"']
      assertEqual(await readLog(await open(), LOG, behind), expected, 'the log behind the damage after appends')

      const torn = 'damage/tail'
      await fill(writer, torn, SIZES, record)
      const gone = await damaged(context, torn, records.length - 1, records.length)
      const sound = records.slice(0, gone[0])
      for (const at of [0, sound.length - 1]) await assertRefused((await open()).append(torn, at, ['"instead"']), at)
      // Some places cannot tell a damaged end from one that was never finished; others know the length all the same, or say CORRUPT.
      let length: number | undefined
      for (const at of [records.length, sound.length]) {
        const next = await outcomeOf((await open()).append(torn, at, ['"next"']))
        if (next.ok) {
          length = at
          break
        }
        if (!SessionError.is(next.error, 'CONFLICT')) {
          assertErrorCode(next.error, 'CORRUPT', `an append at ${at}, at or behind a damaged tail`)
        }
      }
      const reader = await open()
      assertEqual(await readLog(reader, torn, { to: sound.length }), sound, 'what is before the damaged tail')
      if (length !== undefined) {
        assertEqual(await readLog(reader, torn, { from: length }), ['"next"'], 'what was appended at a damaged tail')
        assertEqual(await readLog(reader, torn, { reverse: true, limit: 1 }), ['"next"'], 'the tail after that')
      }
      assertEqual((await collect(reader.logs('damage'))).flat(), [LOG, torn], 'the logs although both are damaged')
      for (const log of [LOG, torn]) {
        await reader.drop(log)
        assertEqual(await readLog(await open(), log, { salvage: true }), [], `the damaged log ${log} after a drop`)
      }
    },
  },
  {
    id: 'damage/document',
    group: 'damage',
    title: 'a damaged document rejects with CORRUPT, is listed, is not taken for absent, and harms no other',
    rules: ['read.corrupt', 'keys.all', 'put.cas', 'errors'],
    needs: ['damageDocument'],
    async run({ open, damageDocument }) {
      const writer = await open()
      const keys = ['damage/a', 'damage/b', 'damage/c']
      for (const key of keys) await writer.put(key, `{"key":"${key}","text":"${SECRET}"}`, { expect: 'absent' })
      await writer.append('damage/b', 0, ['"log"'])
      await damageDocument('damage/b')
      for (const handle of [await open(), await open()]) {
        const error = await assertCode(handle.get('damage/b'), 'CORRUPT', 'get of a damaged document')
        assert(typeof error.where === 'string' && error.where !== '', 'a CorruptError of a document says where')
        assertDiscreet(error, 'get of a damaged document')
        const created = await outcomeOf(handle.put('damage/b', '"instead"', { expect: 'absent' }))
        if (created.ok) throw new AssertionError('a damaged document is taken for absent', 'resolved', 'CORRUPT')
        assert(SessionError.is(created.error), 'a put over a damaged document rejects with a SessionError')
        assertEqual((await collect(handle.keys('damage'))).flat(), keys, 'the keys although one document is damaged')
        for (const key of ['damage/a', 'damage/c']) {
          assertEqual((await handle.get(key))?.value, `{"key":"${key}","text":"${SECRET}"}`, 'another document')
        }
        assertEqual(await readLog(handle, 'damage/b'), ['"log"'], 'the log of the same name')
      }
    },
  },
]

async function assertRefused(append: Promise<void>, at: number): Promise<void> {
  const outcome = await outcomeOf(append)
  if (outcome.ok)
    throw new AssertionError(`an append at ${at}, below a damaged tail`, 'resolved', 'CONFLICT or CORRUPT')
  if (!SessionError.is(outcome.error, 'CONFLICT')) {
    assertErrorCode(outcome.error, 'CORRUPT', `an append at ${at}, below a damaged tail`)
  }
}

/** Damages a record and checks that the harness keeps to what it promised. */
async function damaged({ damage }: CaseContext, log: string, at: number, below: number): Promise<readonly number[]> {
  const lost = await damage(log, at)
  if (!lost.includes(at) || lost.some((index, i) => index <= (lost[i - 1] ?? -1) || index >= below)) {
    throw new TypeError(
      `the harness: damage(${at}) took ${lost.join(', ')} along; needed are ${at} and others below ${below}`,
    )
  }
  return lost
}

interface ReadUntil {
  /** The records delivered, ascending, each with its index. */
  readonly found: readonly (readonly [index: number, record: string])[]
  readonly error: unknown
}

async function readUntil(reader: StorageAdapter, range: ReadRange, log: string = LOG): Promise<ReadUntil> {
  const batches: RecordBatch[] = []
  let error: unknown
  try {
    for await (const batch of reader.read(log, range)) batches.push(batch)
  } catch (thrown) {
    error = thrown
  }
  const ascending = range.reverse ? batches.toReversed() : batches
  return { found: ascending.flatMap(({ at, records }) => indexed(records, 0, Infinity, at)), error }
}

/** The records of a stretch, each with its index. */
function indexed(records: readonly string[], from: number, to = Infinity, at = 0): [number, string][] {
  return records.map((text, i): [number, string] => [at + i, text]).slice(from, to)
}

function assertCorrupt(error: unknown, at: number, what: string): void {
  assertErrorCode(error, 'CORRUPT', what)
  assertEqual([error.at, error.log, error.written], [at, LOG, 'no'], `at, log and written of the error of ${what}`)
  assert(typeof error.where === 'string' && error.where !== '', `the error of ${what} says where`)
  assertDiscreet(error, what)
}

function assertDiscreet(error: Error, what: string): void {
  assert(!error.message.includes(SECRET), `the message of ${what} holds no text of a record`)
}
