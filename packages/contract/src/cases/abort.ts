import { sleep, systemClock, type Signal } from '@sessiontree/core'
import type { ContractCase } from '../case.ts'
import { assert, AssertionError, assertEqual } from '../assert.ts'
import { collect, fill, fillLarge, readLog } from '../reading.ts'
import { assertErrorCode, outcomeOf, type Outcome } from '../rejection.ts'
import { abortableSignal } from '../signal.ts'

type Moment = readonly [when: string, wait: () => Promise<unknown>]

const moments: readonly Moment[] = [
  ['at once', async () => {}],
  ['a microtask later', () => Promise.resolve()],
  ['a timer later', () => sleep(systemClock, 0)],
  ['a few milliseconds later', () => sleep(systemClock, 3)],
]

/** How an operation ended whose signal was aborted under way. */
type Ending = 'done' | 'aborted' | 'uncertain'

/** Signals that are aborted while an operation is under way. */
export const abortCases: readonly ContractCase[] = [
  {
    id: 'abort/append',
    group: 'abort',
    title: 'an append that is aborted is there, or is not, as it says; only UNCERTAIN may be either',
    rules: ['abort', 'append.atomic', 'uncertain'],
    async run({ open }) {
      const handle = await open()
      const logs = new Map<string, readonly string[]>()
      for (const [i, moment] of moments.entries()) {
        const log = `abort/log-${i}`
        const before = await fill(handle, log, [2], (index) => `{"before":${index}}`)
        const mine = ['{"mine":0}', '{"mine":1}']
        const ending = await endingOf(moment, 'append', (signal) => handle.append(log, 2, mine, { signal }))
        const next = await outcomeOf((await open()).append(log, 2, ['"instead"']))
        if (!next.ok) assertErrorCode(next.error, 'CONFLICT', 'an append to the index of an aborted one')
        const written = next.ok ? ['"instead"'] : mine
        assertOneOf(written, ending, mine, ['"instead"'], `what is there of an append that was aborted ${moment[0]}`)
        logs.set(log, [...before, ...written])
        assertEqual(await readLog(await open(), log), logs.get(log), `the log after an append was aborted ${moment[0]}`)
      }
      await sleep(systemClock, 20)
      const later = await open()
      for (const [log, records] of logs) assertEqual(await readLog(later, log), records, 'an aborted append, later')
      await handle.append('abort/log-0', logs.get('abort/log-0')?.length ?? 0, ['"goes on"'])
    },
  },
  {
    id: 'abort/document',
    group: 'abort',
    title: 'a put or removal that is aborted took effect, or did not, as it says; only UNCERTAIN may be either',
    rules: ['abort', 'put.cas', 'remove.cas', 'uncertain'],
    async run({ open }) {
      const handle = await open()
      for (const [i, moment] of moments.entries()) {
        const keys = [`abort/put-${i}`, `abort/removed-${i}`, `abort/forgotten-${i}`] as const
        const [put, removed, forgotten] = keys
        const [expect, version] = await Promise.all(
          keys.map((key) => handle.put(key, '"before"', { expect: 'absent' })),
        )
        const putEnding = await endingOf(moment, 'put', (signal) =>
          handle.put(put, '"mine"', { expect: expect ?? '', signal }),
        )
        const removeEnding = await endingOf(moment, 'remove', (signal) =>
          handle.remove(removed, { expect: version, signal }),
        )
        const forgetEnding = await endingOf(moment, 'remove with forget', (signal) =>
          handle.remove(forgotten, { forget: true, signal }),
        )
        const reader = await open()
        const [value, left, last] = (await Promise.all(keys.map((key) => reader.get(key)))).map((it) => it?.value)
        assertOneOf(value, putEnding, '"mine"', '"before"', `a document whose put was aborted ${moment[0]}`)
        assertOneOf(left, removeEnding, undefined, '"before"', `a document whose removal was aborted ${moment[0]}`)
        assertOneOf(last, forgetEnding, undefined, '"before"', `a document to be forgotten, aborted ${moment[0]}`)
        const current = await reader.get(put)
        await handle.put(put, '"goes on"', { expect: current?.version ?? 'absent' })
      }
    },
  },
  {
    id: 'abort/drop',
    group: 'abort',
    title: 'a drop that is aborted leaves the log whole or gone, as it says',
    rules: ['abort', 'drop.gone', 'drop.again'],
    async run({ open }) {
      const handle = await open()
      for (const [i, moment] of moments.entries()) {
        const log = `abort/drop-${i}`
        const records = await fill(handle, log, [1, 3, 1], (index) => `{"index":${index}}`)
        const ending = await endingOf(moment, 'drop', (signal) => handle.drop(log, { signal }))
        assertOneOf(await readLog(await open(), log), ending, [], records, `a log whose drop was aborted ${moment[0]}`)
        await handle.drop(log)
        assertEqual(await readLog(await open(), log), [], 'a log that was dropped after its drop was aborted')
      }
    },
  },
  {
    id: 'abort/read',
    group: 'abort',
    title: 'a read or listing stops with the reason at the next pull, and the handle goes on',
    rules: ['abort', 'read.cost'],
    async run({ open }) {
      const handle = await open()
      const records = await fillLarge(handle, 'abort/log')
      await handle.put('abort/document', '"kept"', { expect: 'absent' })
      const iterations: Readonly<Record<string, (signal: Signal) => AsyncIterable<unknown>>> = {
        read: (signal) => handle.read('abort/log', { signal, readAhead: 1 }),
        'read in reverse': (signal) => handle.read('abort/log', { signal, readAhead: 1, reverse: true }),
        logs: (signal) => handle.logs('', { signal }),
        keys: (signal) => handle.keys('', { signal }),
      }
      for (const [what, iterate] of Object.entries(iterations)) {
        const { signal, abort } = abortableSignal()
        const iterator = iterate(signal)[Symbol.asyncIterator]()
        assert(!(await iterator.next()).done, `${what}: there is something to iterate`)
        abort()
        const outcome = await outcomeOf(iterator.next())
        if (outcome.ok) throw new AssertionError(`${what}: the pull after an abort rejects`, 'resolved', 'the reason')
        assert(outcome.error === signal.reason, `${what} rejects with the reason, not ${String(outcome.error)}`)
        assertEqual((await iterator.next()).done, true, `${what}: an iterator that rejected is at its end`)
      }
      for (const moment of moments) {
        const ending = await endingOf(moment, 'get', (signal) => handle.get('abort/document', { signal }))
        assert(ending !== 'uncertain', 'a get is never UNCERTAIN')
        for (const [what, iterate] of Object.entries(iterations)) {
          const end = await endingOf(moment, what, (signal) => collect(iterate(signal)))
          assert(end !== 'uncertain', `${what} is never UNCERTAIN`)
        }
      }
      assertEqual(await readLog(handle, 'abort/log'), records, 'the log after reads were aborted')
    },
  },
]

/** Starts an operation, aborts its signal at a moment, and resolves with how it ended; anything that may not be fails. */
async function endingOf(
  [when, wait]: Moment,
  what: string,
  start: (signal: Signal) => Promise<unknown>,
): Promise<Ending> {
  const { signal, abort } = abortableSignal()
  const settling: Promise<Outcome<unknown>> = outcomeOf(start(signal))
  await wait()
  abort()
  const outcome = await settling
  if (outcome.ok) return 'done'
  if (outcome.error === signal.reason) return 'aborted'
  assertErrorCode(outcome.error, 'UNCERTAIN', `${what} that was aborted ${when}`)
  return 'uncertain'
}

function assertOneOf(actual: unknown, ending: Ending, done: unknown, untouched: unknown, what: string): void {
  if (ending === 'done') assertEqual(actual, done, `${what} and resolved`)
  else if (ending === 'aborted') assertEqual(actual, untouched, `${what} and rejected with the reason`)
  else if (JSON.stringify(actual) !== JSON.stringify(done)) assertEqual(actual, untouched, `${what} and is UNCERTAIN`)
}
