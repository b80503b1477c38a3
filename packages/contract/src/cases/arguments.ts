import { MAX_DOCUMENT_BYTES, MAX_INDEX, MAX_RECORD_BYTES, type StorageAdapter } from '@sessiontree/core'
import type { ContractCase } from '../case.ts'
import { assertEqual } from '../assert.ts'
import { collect, readLog } from '../reading.ts'
import { assertTypeError } from '../rejection.ts'
import { abortedSignal } from '../signal.ts'

const LOG = 'arguments/log'
const KEY = 'arguments/document'

const badTexts: readonly (readonly [what: string, text: unknown])[] = [
  ['an empty text', ''],
  ['a raw line feed', '{"a":\n1}'],
  ['a raw carriage return', '{"a":\r1}'],
  ['a trailing line feed', '1\n'],
  ['a lone high surrogate', '"\ud800"'],
  ['a lone low surrogate', '"\udc00 "'],
  ['a number', 1],
  ['undefined', undefined],
  ['an object', {}],
]

const badNames: readonly unknown[] = [
  ['', '/', '/a', 'a/', 'a//b', '.', '..', 'a/..', './a', '.a', 'a.', 'a/b.', 'A', 'a/B', 'é', 'a b', 'a\\b', 'a:b'],
  ['a\0', 'a%2fb', 'con', 'a/nul', 'aux.json', 'com1', 'lpt9.x', 'x'.repeat(101), 'a/a/a/a/a/a/a/a/a'],
  [Array.from({ length: 6 }, () => 'x'.repeat(90)).join('/'), undefined, null, 7],
].flat()

/** Arguments out of bounds. */
export const argumentCases: readonly ContractCase[] = [
  {
    id: 'arguments/texts',
    group: 'arguments',
    title: 'a text, batch, index or option out of bounds is a TypeError and writes nothing',
    rules: ['text', 'args'],
    async run({ open }) {
      const adapter = await open()
      const kept = ['"kept"', '"too"']
      await adapter.append(LOG, 0, kept)
      const version = await adapter.put(KEY, '"kept"', { expect: 'absent' })

      for (const [what, bad] of badTexts) {
        const text = bad as string
        await assertTypeError(() => adapter.append(LOG, 2, [text]), `append of ${what}`)
        await assertTypeError(() => adapter.append(LOG, 2, ['1', text, '2']), `append of ${what} between others`)
        await assertTypeError(() => adapter.put(KEY, text, { expect: version }), `put of ${what}`)
      }
      const tooLarge = `"${'x'.repeat(MAX_RECORD_BYTES)}"`
      await assertTypeError(() => adapter.append(LOG, 2, [tooLarge]), 'append of a record over 64 MiB')
      // Three bytes for each character: more bytes than characters.
      const largeDocument = `"${'€'.repeat(MAX_DOCUMENT_BYTES / 3)}"`
      await assertTypeError(() => adapter.put(KEY, largeDocument, { expect: version }), 'put of more than 1 MiB')

      const batches: readonly unknown[] = [[], Array.from({ length: 1025 }, () => '1'), '1', undefined, { length: 1 }]
      for (const batch of batches) {
        await assertTypeError(() => adapter.append(LOG, 2, batch as string[]), 'append of no batch of 1-1024 records')
      }
      for (const at of [-1, 0.5, NaN, Infinity, MAX_INDEX, MAX_INDEX + 1, '2', undefined]) {
        await assertTypeError(() => adapter.append(LOG, at as number, ['1']), `append at ${String(at)}`)
      }
      const ranges = [
        { from: -1 },
        { from: 0.5 },
        { to: -1 },
        { to: NaN },
        { limit: 0 },
        { limit: 1.5 },
        { readAhead: -1 },
      ]
      for (const range of ranges) {
        await assertTypeError(() => collect(adapter.read(LOG, range)), `read of ${JSON.stringify(range)}`)
      }
      for (const limit of [0, -1, 1.5]) {
        await assertTypeError(() => collect(adapter.logs('', { limit })), `logs with limit ${limit}`)
        await assertTypeError(() => collect(adapter.keys('', { limit })), `keys with limit ${limit}`)
      }
      for (const expect of ['', undefined, 1]) {
        const options = { expect: expect as string }
        await assertTypeError(() => adapter.put(KEY, '1', options), `put with expect ${String(expect)}`)
        if (expect === undefined) continue
        await assertTypeError(() => adapter.remove(KEY, options), `remove with expect ${String(expect)}`)
      }
      await assertTypeError(() => adapter.put(KEY, '1', undefined as never), 'put without options')

      assertEqual(await readLog(adapter, LOG), kept, 'the log after TypeErrors')
      await assertOnly(adapter, LOG, KEY)
      const document = await adapter.get(KEY)
      assertEqual([document?.value, document?.version], ['"kept"', version], 'the document after TypeErrors')
    },
  },
  {
    id: 'arguments/names',
    group: 'arguments',
    title: 'a name that breaks the rules is a TypeError in every operation and writes nothing',
    rules: ['name', 'args.first'],
    async run({ open }) {
      const adapter = await open()
      await adapter.append(LOG, 0, ['1'])
      await adapter.put(KEY, '1', { expect: 'absent' })
      for (const bad of badNames) {
        const name = bad as string
        const calls: Readonly<Record<string, () => unknown>> = {
          append: () => adapter.append(name, 0, ['1']),
          read: () => collect(adapter.read(name)),
          drop: () => adapter.drop(name),
          get: () => adapter.get(name),
          put: () => adapter.put(name, '1', { expect: 'absent' }),
          remove: () => adapter.remove(name),
        }
        for (const [operation, call] of Object.entries(calls)) {
          await assertTypeError(call, `${operation} of ${JSON.stringify(bad)}`)
        }
        // "" is a good prefix, and both "" and undefined are no `after` at all.
        if (bad === '') continue
        await assertTypeError(() => collect(adapter.logs(name)), `logs below ${JSON.stringify(bad)}`)
        await assertTypeError(() => collect(adapter.keys(name)), `keys below ${JSON.stringify(bad)}`)
        if (bad === undefined) continue
        await assertTypeError(() => collect(adapter.logs('', { after: name })), `logs after ${JSON.stringify(bad)}`)
        await assertTypeError(() => collect(adapter.keys('', { after: name })), `keys after ${JSON.stringify(bad)}`)
      }
      await assertOnly(adapter, LOG, KEY)
      const signal = abortedSignal(new Error('the reason of the signal'))
      await assertTypeError(() => adapter.append('A', 0, ['1'], { signal }), 'append to "A" with an aborted signal')
      await assertTypeError(() => collect(adapter.read('A', { signal })), 'read of "A" with an aborted signal')
      const segment = 'x'.repeat(100)
      for (const name of [
        [segment, segment, segment, segment, '~', '_', '0-9.a', 'com10'].join('/'),
        [segment, segment, segment, segment, 'x'.repeat(96)].join('/'),
      ]) {
        await adapter.append(name, 0, ['"long"'])
        assertEqual(await readLog(adapter, name), ['"long"'], 'a log whose name is as long as names may be')
        await adapter.put(name, '"long"', { expect: 'absent' })
        assertEqual((await adapter.get(name))?.value, '"long"', 'a document whose key is as long as keys may be')
      }
      await adapter.close()
      await assertTypeError(() => adapter.append('A', 0, ['1']), 'append to "A" after close')
      await assertTypeError(() => collect(adapter.keys('A')), 'keys below "A" after close')
    },
  },
]

async function assertOnly(adapter: StorageAdapter, log: string, key: string): Promise<void> {
  assertEqual((await collect(adapter.logs(''))).flat(), [log], 'the logs after TypeErrors')
  assertEqual((await collect(adapter.keys(''))).flat(), [key], 'the documents after TypeErrors')
}
