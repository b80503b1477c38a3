import { sleep, systemClock, type StorageAdapter } from '@sessiontree/core'
import type { ContractCase } from '../case.ts'
import { assert, assertEqual } from '../assert.ts'
import { collect, fill, joinDescending, lengthOf, readLog } from '../reading.ts'
import { assertConflict, assertErrorCode, outcomeOf } from '../rejection.ts'

const LOG = 'append/log'

const RACERS = 8
const APPENDS = 50
const raced = (racer: number, i: number) => `{"by":${racer},"i":${i}}`

/** Compare-and-append by one writer, by two, by a batch, and without an answer. */
export const appendCases: readonly ContractCase[] = [
  {
    id: 'append/conflict',
    group: 'append',
    title: 'an append takes effect at the end of the log and is CONFLICT anywhere else',
    rules: ['append.cas', 'read.prefix'],
    async run({ open }) {
      const writer = await open()
      await assertConflict(writer.append(LOG, 1, ['0']), 0, 'append at 1 to a log that does not exist')
      assertEqual(await readLog(writer, LOG), [], 'a log that does not exist')
      const records = await fill(writer, LOG, [1, 3], (i) => `{"i":${i}}`)
      // A handle that knows the log and one that never saw it must decide alike.
      for (const [who, handle] of [
        ['its writer', writer],
        ['a new handle', await open()],
      ] as const) {
        const refused: readonly (readonly [at: number, where: string])[] = [
          [0, 'at the start'],
          [1, 'at the start of the last batch'],
          [2, 'inside a batch'],
          [3, 'at the last record'],
          [5, 'one past the end'],
          [1000, 'far past the end'],
        ]
        for (const [at, where] of refused) {
          await assertConflict(handle.append(LOG, at, ['"lost"', '"update"']), 4, `append by ${who} ${where}`)
        }
      }
      assertEqual(await readLog(writer, LOG), records, 'the log after refused appends')
      // What was refused may have left bytes behind; no direction of reading may take them for records.
      assertEqual(await readLog(writer, LOG, { reverse: true }), records, 'the log in reverse after refused appends')
      await writer.append(LOG, 4, ['"end"'])
      assertEqual(await readLog(writer, LOG), [...records, '"end"'], 'the log after an append at its end')
    },
  },
  {
    id: 'append/batch',
    group: 'append',
    title: 'a batch of three becomes visible at once, one index for each record',
    rules: ['append.atomic', 'args.copy', 'read.prefix'],
    async run({ open }) {
      const writer = await open()
      const reader = await open()
      const written: string[] = []
      for (let round = 0; round < 4; round++) {
        const batch = [0, 1, 2].map((i) => `{"round":${round},"i":${i}}`)
        const passed = [...batch]
        const appended = writer.append(LOG, written.length, passed)
        passed.fill('"changed by the caller"')
        const [seen] = await Promise.all([readUntil(appended, reader), appended])
        for (const records of seen) {
          const expected = records.length > written.length ? [...written, ...batch] : written
          assertEqual(records, expected, 'the log while a batch is appended')
        }
        written.push(...batch)
        assertEqual(await readLog(reader, LOG), written, 'the log after a batch')
      }
      assertEqual(await readLog(reader, LOG, { from: 4, limit: 1 }), ['{"round":1,"i":1}'], 'the record at index 4')
    },
  },
  {
    id: 'append/handles',
    group: 'append',
    title: 'two handles see and respect what the other one wrote as soon as it resolved',
    rules: ['see', 'append.cas'],
    needs: ['sharing'],
    async run({ open }) {
      const [one, other] = [await open(), await open()]
      const records: string[] = []
      for (let i = 0; i < 4; i++) {
        const [writer, reader] = i % 2 === 0 ? [one, other] : [other, one]
        const record = `{"turn":${i}}`
        await writer.append(LOG, records.length, [record])
        records.push(record)
        assertEqual(await readLog(reader, LOG), records, 'what the other handle reads after an append')
        await assertConflict(
          reader.append(LOG, records.length - 1, ['"stale"']),
          records.length,
          'an append of the other handle to the length before',
        )
      }
      const version = await one.put('append/document', '1', { expect: 'absent' })
      assertEqual((await other.get('append/document'))?.version, version, 'the version that the other handle reads')
      assertEqual(await readLog(await open(), LOG), records, 'what a third handle reads')
    },
  },
  {
    id: 'append/race',
    group: 'append',
    title: 'eight handles racing to append fifty records each lose none, double none and keep their own order',
    rules: ['append.race', 'append.cas', 'append.atomic', 'read.prefix', 'see'],
    async run({ open }) {
      const handles = await Promise.all(Array.from({ length: RACERS }, () => open()))
      const acknowledged: string[] = []
      const views = await Promise.all(handles.map((handle, racer) => race(handle, racer, acknowledged)))
      const log = await readLog(await open(), LOG)
      assertEqual(log, acknowledged, 'the log against the record that was acknowledged for each index')
      for (const [racer, view] of views.entries()) {
        assertEqual(view, log.slice(0, view.length), `what racer ${racer} saw against the log`)
        const own = log.filter((record) => record.startsWith(`{"by":${racer},`))
        const expected = Array.from({ length: APPENDS }, (_, i) => raced(racer, i))
        assertEqual(own, expected, `the records of racer ${racer} in the log`)
      }
    },
  },
  {
    id: 'append/lost-answer',
    group: 'append',
    title: 'an append whose answer is lost resolves or is UNCERTAIN, and taking its index settles it exactly once',
    rules: ['append.uncertain', 'uncertain', 'append.cas'],
    async run({ open, openLosingNextAnswer }) {
      const before = await fill(await open(), LOG, [2], (i) => `{"before":${i}}`)
      const mine = ['{"mine":0}', '{"mine":1}']
      const losing = await openLosingNextAnswer()
      const outcome = await outcomeOf(losing.append(LOG, before.length, mine))
      const settling = await open()
      if (!outcome.ok) {
        assertErrorCode(outcome.error, 'UNCERTAIN', 'an append that committed and lost its answer')
        assert(outcome.error.written === 'unknown', 'UNCERTAIN says written "unknown"')
        const again = await outcomeOf(settling.append(LOG, before.length, mine))
        if (!again.ok) assertErrorCode(again.error, 'CONFLICT', 'the same append again')
      }
      assertEqual(await readLog(settling, LOG), [...before, ...mine], 'the log after the lost answer was settled')
      const length = await lengthOf(settling, LOG)
      await settling.append(LOG, length, ['"after"'])
      assertEqual(await readLog(await open(), LOG), [...before, ...mine, '"after"'], 'the log after the next append')
    },
  },
]

/** Reads the log again and again until an append has settled; at least once. */
async function readUntil(appended: Promise<void>, reader: StorageAdapter): Promise<string[][]> {
  const settled = appended.then(
    () => true,
    () => true,
  )
  const seen: string[][] = []
  do {
    seen.push(await readLog(reader, LOG))
    // By a timer: an adapter that reads within microtasks must not keep an append from its own timers.
  } while (!(await Promise.race([settled, sleep(systemClock, 0).then(() => false)])))
  return seen
}

/** Appends this racer's records one by one, catching up after every conflict; resolves with all that it saw. */
async function race(handle: StorageAdapter, racer: number, acknowledged: string[]): Promise<string[]> {
  const view: string[] = []
  for (let won = 0; won < APPENDS;) {
    const at = view.length
    const record = raced(racer, won)
    const outcome = await outcomeOf(handle.append(LOG, at, [record]))
    if (outcome.ok) {
      assertEqual(acknowledged[at], undefined, `racer ${racer} won index ${at}, which somebody else has won`)
      acknowledged[at] = record
      view.push(record)
      won++
      continue
    }
    assertErrorCode(outcome.error, 'CONFLICT', `append of racer ${racer}`)
    const missed = await collect(handle.read(LOG, { from: at, reverse: true }))
    view.push(...joinDescending(missed, 'the tail after a CONFLICT'))
    // Somebody must have won what this racer lost, and nobody more than there is to win: this bounds the race, too.
    assert(view.length > at, `a CONFLICT at ${at} although the log holds ${view.length} records`)
    assert(view.length <= RACERS * APPENDS, 'the log holds more records than were appended: a refused one is there')
    assertEqual(missed.at(-1)?.at, at, 'the first index of the tail after a CONFLICT')
  }
  return view
}
