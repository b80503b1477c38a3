import { SessionError, type RecordBatch, type Removal, type StorageAdapter } from '@sessiontree/core'
import type { ContractCase } from '../case.ts'
import { assert, AssertionError, assertEqual } from '../assert.ts'
import { collect, fill, fillLarge, joinAscending, joinDescending, lengthOf, readLog } from '../reading.ts'
import { assertCode, assertErrorCode, outcomeOf } from '../rejection.ts'

/** The end of a log. */
export const dropCases: readonly ContractCase[] = [
  {
    id: 'drop/gone',
    group: 'drop',
    title: 'a dropped log is gone for every handle, and nothing else is',
    rules: ['drop.gone', 'drop.again', 'drop.only', 'see'],
    async run({ open }) {
      const [one, other] = [await open(), await open()]
      const kept = ['a', 'a.b', 'a/b', 'a-', 'aa', 'b/a']
      for (const name of ['b', ...kept]) await fill(one, name, [1, 2], (index) => `{"log":"${name}","index":${index}}`)
      for (const key of ['b', 'b/a', 'b.a']) await one.put(key, `{"key":"${key}"}`, { expect: 'absent' })
      assertEqual(await lengthOf(other, 'b'), 3, 'the length of the log before it is dropped')
      await one.drop('b')
      for (const handle of [one, other, await open()]) {
        assertEqual(await readLog(handle, 'b'), [], 'a dropped log')
        assertEqual(await readLog(handle, 'b', { reverse: true, limit: 1 }), [], 'the tail of a dropped log')
        assertEqual(await readLog(handle, 'b', { from: 1, to: 3 }), [], 'a range of a dropped log')
      }
      await other.drop('b')
      await one.drop('b', { forget: true })
      await one.drop('never/written')
      await one.append('never/written', 0, ['1'])
      assertEqual(await readLog(other, 'never/written'), ['1'], 'a log whose name was dropped before it held a record')
      assertEqual(await readLog(other, 'b'), [], 'a log dropped three times')
      for (const key of ['b', 'b/a', 'b.a']) {
        assertEqual((await other.get(key))?.value, `{"key":"${key}"}`, 'a document after a log of its name was dropped')
      }
      await one.drop('a')
      for (const name of kept.slice(1)) {
        assertEqual(await lengthOf(other, name), 3, `the length of "${name}" after "a" and "b" were dropped`)
      }
    },
  },
  {
    id: 'drop/late',
    group: 'drop',
    title: 'a late append is CONFLICT at the old length and never brings anything back',
    rules: ['drop.late', 'drop.gone'],
    async run({ open }) {
      const log = 'drop/late'
      const [dropper, writer] = [await open(), await open()]
      await fill(dropper, log, [1, 3], (index) => `{"old":${index}}`)
      await writer.append(log, 4, ['{"old":4}'])
      await dropper.drop(log)
      for (const [who, handle] of [
        ['the last writer', writer],
        ['the handle that dropped it', dropper],
        ['a new handle', await open()],
      ] as const) {
        await assertCode(handle.append(log, 5, ['"late"']), 'CONFLICT', `append to a dropped log by ${who}`)
        assertEqual(await readLog(await open(), log), [], `a dropped log after a late append by ${who}`)
      }
      // At any other index it may be refused or become garbage.
      for (const at of [0, 2, 4, 6, 64]) {
        const outcome = await outcomeOf(writer.append(log, at, ['"late"', '"again"']))
        if (!outcome.ok && !SessionError.is(outcome.error)) {
          throw new AssertionError(`late append at ${at}: a SessionError`, String(outcome.error), 'SessionError')
        }
        for (const handle of [writer, dropper, await open()]) {
          const batches = await collect(handle.read(log, { reverse: true }))
          const old = batches.flatMap((batch) => batch.records).filter((record) => record.startsWith('{"old"'))
          assertEqual(old, [], `what a late append at ${at} brought back of a dropped log`)
        }
      }
    },
  },
  {
    id: 'drop/forget',
    group: 'drop',
    title: 'a forgotten log leaves nothing that a listing names, and nothing of it comes back',
    rules: ['drop.forget', 'drop.gone', 'drop.again', 'logs.all'],
    async run({ open }) {
      const [dropper, writer] = [await open(), await open()]
      for (const name of ['drop/at-once', 'drop/later', 'drop/kept']) {
        await fill(writer, name, [2, 1], (index) => `{"old":${index}}`)
      }
      await dropper.drop('drop/at-once', { forget: true })
      await dropper.drop('drop/later')
      await writer.drop('drop/later', { forget: true })
      for (const handle of [dropper, writer, await open()]) {
        for (const name of ['drop/at-once', 'drop/later']) {
          await handle.drop(name, { forget: true })
          assertEqual(await readLog(handle, name), [], `the forgotten log ${name}`)
        }
        assertEqual((await collect(handle.logs(''))).flat(), ['drop/kept'], 'the logs after two were forgotten')
        assertEqual(await lengthOf(handle, 'drop/kept'), 3, 'the length of a log beside them')
      }
    },
  },
  {
    id: 'drop/removal',
    group: 'drop',
    title: 'what drop and remove say about the bytes they took away is a count and a yes or no, or nothing',
    rules: ['removal', 'drop.again', 'remove.again'],
    async run({ open }) {
      const adapter = await open()
      await fill(adapter, 'drop/log', [2, 1], (index) => `{"index":${index}}`)
      const version = await adapter.put('drop/document', '"value"', { expect: 'absent' })
      await adapter.put('drop/other', '"value"', { expect: 'absent' })
      assertRemoval(await adapter.drop('drop/log'), 'drop')
      assertRemoval(await adapter.drop('drop/log', { forget: true }), 'drop with forget')
      assertRemoval(await adapter.drop('drop/never'), 'drop of what never was')
      assertRemoval(await adapter.remove('drop/document', { expect: version }), 'remove at a version')
      assertRemoval(await adapter.remove('drop/other', { forget: true }), 'remove with forget')
      assertRemoval(await adapter.remove('drop/never'), 'remove of what never was')
    },
  },
  {
    id: 'drop/meanwhile',
    group: 'drop',
    title: 'a read of a log that is dropped meanwhile goes to its end or rejects with DELETED',
    rules: ['read.dropped', 'drop.gone'],
    async run({ open }) {
      const [dropper, reader] = [await open(), await open()]
      for (const reverse of [false, true]) {
        const log = `drop/meanwhile/${reverse ? 'reverse' : 'forward'}`
        const records = await fillLarge(dropper, log)
        const pulled = await pullAcross(reader, log, reverse, () => dropper.drop(log))
        if (!pulled.ended) assertErrorCode(pulled.error, 'DELETED', 'a read of a log that was dropped meanwhile')
        const join = reverse ? joinDescending : joinAscending
        const delivered = join(pulled.batches, log)
        const expected = pulled.ended ? records : records.filter((record) => delivered.includes(record))
        assertEqual(delivered, expected, 'what was read of a log that was dropped meanwhile')
        assertEqual(await readLog(reader, log), [], 'a read that starts after the drop')
      }
    },
  },
]

function assertRemoval(removal: Removal | void, what: string): void {
  if (removal === undefined) return
  assert(typeof removal === 'object' && removal !== null, `${what} resolves with an object or undefined`)
  const { bytes, keepsVersions, ...rest } = removal
  assertEqual(Object.keys(rest), [], `what else ${what} resolves with`)
  const isCount = bytes === undefined || (Number.isSafeInteger(bytes) && bytes >= 0)
  assert(isCount, `${what}: bytes is a whole number from 0, not ${String(bytes)}`)
  assert(['boolean', 'undefined'].includes(typeof keepsVersions), `${what}: keepsVersions is a boolean`)
}

interface Pulled {
  readonly batches: readonly RecordBatch[]
  readonly ended: boolean
  readonly error?: unknown
}

/** Pulls one batch, lets `interrupt` happen, and pulls the rest. */
async function pullAcross(
  reader: StorageAdapter,
  log: string,
  reverse: boolean,
  interrupt: () => Promise<unknown>,
): Promise<Pulled> {
  const batches: RecordBatch[] = []
  const iterator = reader.read(log, { reverse, readAhead: 1 })[Symbol.asyncIterator]()
  try {
    for (let step = await iterator.next(); !step.done; step = await iterator.next()) {
      if (batches.push(step.value) === 1) await interrupt()
    }
    return { batches, ended: true }
  } catch (error) {
    return { batches, ended: false, error }
  }
}
