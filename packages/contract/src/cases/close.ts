import { sleep, systemClock, type Signal, type StorageAdapter } from '@sessiontree/core'
import type { ContractCase } from '../case.ts'
import { assert, assertEqual } from '../assert.ts'
import { collect, fill, fillLarge, readLog } from '../reading.ts'
import { abortedSignal } from '../signal.ts'
import { assertCode, outcomeOf } from '../rejection.ts'

const LOG = 'close/log'
const KEY = 'close/document'

/** The end of a handle, and calls that were cancelled before they began. */
export const closeCases: readonly ContractCase[] = [
  {
    id: 'close/closed',
    group: 'close',
    title: 'after close everything of the handle rejects with CLOSED, open iterators too, and the store goes on',
    rules: ['close.closed', 'close.twice'],
    async run({ open }) {
      const records = await fillLarge(await open(), LOG)
      const version = await (await open()).put(KEY, '"kept"', { expect: 'absent' })
      await (await open()).put('close/second', '1', { expect: 'absent' })
      const ways: Readonly<Record<string, (handle: StorageAdapter) => Promise<unknown>>> = {
        'close, twice at once': (handle) => Promise.all([handle.close(), handle.close()]),
        'the end of an `await using`': (handle) => handle[Symbol.asyncDispose](),
      }
      for (const [way, close] of Object.entries(ways)) {
        const closing = await open()
        const iterators: readonly AsyncIterator<unknown>[] = [
          closing.read(LOG, { readAhead: 1 })[Symbol.asyncIterator](),
          closing.read(LOG, { readAhead: 1, reverse: true })[Symbol.asyncIterator](),
          closing.logs('')[Symbol.asyncIterator](),
          closing.keys('')[Symbol.asyncIterator](),
        ]
        for (const iterator of iterators) assert(!(await iterator.next()).done, 'there is something to iterate')
        const unpulled = closing.read(LOG)

        await close(closing)
        await closing.close()
        for (const [i, iterator] of iterators.entries()) {
          await assertCode(iterator.next(), 'CLOSED', `step ${i} of an iterator that was open before ${way}`)
          await iterator.return?.()
        }
        await assertCode(collect(unpulled), 'CLOSED', `the first step of a read from before ${way}`)
        for (const [operation, call] of operations(closing, records.length, version)) {
          await assertCode(call(), 'CLOSED', `${operation} after ${way}`)
        }
        await closing.close()
      }
      const later = await open()
      assertEqual(await readLog(later, LOG), records, 'the log that a later handle reads')
      assertEqual((await later.get(KEY))?.version, version, 'the document that a later handle reads')
      await later.append(LOG, records.length, ['"goes on"'])
      assertEqual(await readLog(await open(), LOG, { from: records.length }), ['"goes on"'], 'the log that goes on')
    },
  },
  {
    id: 'close/closing',
    group: 'close',
    title: 'whatever starts while a handle is closing rejects with CLOSED, and what was in flight goes on',
    rules: ['close.closed', 'close.wait'],
    async run({ open }) {
      const closing = await open()
      await closing.append(LOG, 0, ['"before"'])
      const version = await closing.put(KEY, '"before"', { expect: 'absent' })
      const inFlight = closing.append(LOG, 1, ['"in"', '"flight"'])
      const closed = closing.close()
      const refused = operations(closing, 1, version).map(([operation, call]) =>
        assertCode(call(), 'CLOSED', `${operation} while the handle is closing`),
      )
      await Promise.all([inFlight, closed, ...refused])
      const later = await open()
      assertEqual(await readLog(later, LOG), ['"before"', '"in"', '"flight"'], 'the log after the handle was closed')
      assertEqual((await later.get(KEY))?.version, version, 'the document after the handle was closed')
    },
  },
  {
    id: 'close/waits',
    group: 'close',
    title: 'close waits for what is in flight, which keeps its own outcome',
    rules: ['close.wait'],
    async run({ open }) {
      const [closing, other] = [await open(), await open()]
      const before = await fill(other, LOG, [2, 1], (index) => `{"before":${index}}`)
      // Both handles have seen the log: an append needs no look first.
      assertEqual(await readLog(closing, LOG), before, 'the log before close')
      const inFlight: readonly (readonly [operation: string, outcome: Promise<unknown>])[] = [
        ['append', closing.append(LOG, 3, ['"in"', '"flight"'])],
        ['append to another log', closing.append('close/other', 0, ['"in flight"'])],
        ['put', closing.put(KEY, '"in flight"', { expect: 'absent' })],
        ['read', closing.read('close/absent')[Symbol.asyncIterator]().next()],
        ['keys', closing.keys('close/absent')[Symbol.asyncIterator]().next()],
      ]
      const settled: string[] = []
      const outcomes = inFlight.map(async ([operation, promise]) => {
        const outcome = await outcomeOf(promise)
        settled.push(operation)
        if (!outcome.ok) throw outcome.error
      })
      const all = Promise.allSettled(outcomes)
      await closing.close()
      // What has settled may need a few microtasks to show; a timer runs after all of them.
      await sleep(systemClock, 0)
      const missing = inFlight.map(([operation]) => operation).filter((operation) => !settled.includes(operation))
      assertEqual(missing, [], 'what was still in flight after close')
      await all
      await Promise.all(outcomes)
      const later = await open()
      assertEqual(await readLog(later, LOG), [...before, '"in"', '"flight"'], 'the log after close')
      assertEqual((await later.get(KEY))?.value, '"in flight"', 'the document after close')
    },
  },
  {
    id: 'close/aborted',
    group: 'close',
    title: 'a signal that is aborted beforehand rejects everything with its reason and writes nothing',
    rules: ['abort'],
    async run({ open }) {
      const adapter = await open()
      await adapter.append(LOG, 0, ['1'])
      const version = await adapter.put(KEY, '1', { expect: 'absent' })
      const reason = new Error('the reason of the signal')
      for (const [operation, call] of operations(adapter, 1, version, abortedSignal(reason))) {
        const outcome = await outcomeOf(call())
        assert(!outcome.ok, `${operation} with an aborted signal rejects`)
        assert(
          outcome.error === reason,
          `${operation} rejects with the reason of its signal, not ${String(outcome.error)}`,
        )
      }
      assertEqual(await readLog(adapter, LOG), ['1'], 'the log after aborted calls')
      const document = await adapter.get(KEY)
      assertEqual([document?.value, document?.version], ['1', version], 'the document after aborted calls')
    },
  },
]

/** Every operation, each as it would succeed on a log of this length and a document at this version. */
function operations(
  adapter: StorageAdapter,
  length: number,
  version: string,
  signal?: Signal,
): readonly (readonly [operation: string, call: () => Promise<unknown>])[] {
  return [
    ['append', async () => adapter.append(LOG, length, ['"late"'], { signal })],
    ['read', async () => collect(adapter.read(LOG, { signal }))],
    ['logs', async () => collect(adapter.logs('', { signal }))],
    ['get', async () => adapter.get(KEY, { signal })],
    ['put', async () => adapter.put(KEY, '"late"', { expect: version, signal })],
    ['keys', async () => collect(adapter.keys('', { signal }))],
    ['remove', async () => adapter.remove(KEY, { signal })],
    ['drop', async () => adapter.drop(LOG, { signal })],
  ]
}
