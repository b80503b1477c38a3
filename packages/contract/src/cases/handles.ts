import type { StorageAdapter } from '@sessiontree/core'
import type { ContractCase } from '../case.ts'
import { assert, assertEqual } from '../assert.ts'
import { collect, fillLarge, joinAscending, joinDescending, lengthOf, readLog } from '../reading.ts'

/** Two handles: what one did, the other one sees; what one suffers, the other one does not. */
export const handleCases: readonly ContractCase[] = [
  {
    id: 'handles/see',
    group: 'handles',
    title: 'whatever one handle did, the other one sees with its next call',
    rules: ['see', 'put.cas', 'remove.gone', 'drop.gone', 'keys.all', 'logs.all'],
    needs: ['sharing'],
    async run({ open }) {
      const pair = [await open(), await open()] as const
      for (const [round, [one, other]] of [pair, [pair[1], pair[0]] as const].entries()) {
        const [log, key] = [`handles/log-${round}`, `handles/document-${round}`]
        // What is absent is looked at first: an answer that is kept for later would be wrong then.
        assertEqual([await readLog(other, log), await other.get(key)], [[], undefined], 'what nobody has written')
        assertEqual(await namesOf(other, log, key), [[], []], 'the names of what nobody has written')
        await one.append(log, 0, ['"0"', '"1"'])
        const first = await one.put(key, '"first"', { expect: 'absent' })
        assertEqual(await lengthOf(other, log), 2, 'the length of a log that the other handle began')
        assertEqual(await other.get(key).then((it) => it?.version), first, 'a document that the other handle created')
        assertEqual(await namesOf(other, log, key), [[log], [key]], 'the names of what the other handle wrote')
        await other.append(log, 2, ['"2"'])
        const second = await other.put(key, '"second"', { expect: first })
        await one.append(log, 3, ['"3"'])
        assertEqual(await readLog(other, log, { from: 1 }), ['"1"', '"2"', '"3"'], 'a log that two handles wrote')
        await one.remove(key, { expect: second })
        await one.drop(log)
        assertEqual([await readLog(other, log), await other.get(key)], [[], undefined], 'what was removed')
        const third = await other.put(key, '"third"', { expect: 'absent' })
        assertEqual((await one.get(key))?.version, third, 'a document that the other handle created again')
      }
    },
  },
  {
    id: 'handles/apart',
    group: 'handles',
    title: 'a read goes on when another handle is closed, and handles do not hinder each other',
    rules: ['close.twice', 'read.cost', 'read.snapshot'],
    needs: ['sharing'],
    async run({ open }) {
      const [reader, closing, writer] = [await open(), await open(), await open()]
      const records = await fillLarge(closing, 'handles/log')
      for (const reverse of [false, true]) {
        const iterator = reader.read('handles/log', { readAhead: 1, reverse })[Symbol.asyncIterator]()
        const first = await iterator.next()
        assert(!first.done, 'a log that holds records has a first batch')
        // A read that is held open must not keep anybody from writing, here or elsewhere.
        await Promise.all([
          writer.append('handles/log', records.length + Number(reverse), ['"meanwhile"']),
          writer.append(`handles/other-${Number(reverse)}`, 0, ['"elsewhere"']),
          reader.put(`handles/document-${Number(reverse)}`, '1', { expect: 'absent' }),
          reverse ? undefined : closing.close(),
        ])
        const rest = await collect({ [Symbol.asyncIterator]: () => iterator })
        const join = reverse ? joinDescending : joinAscending
        const expected = reverse ? [...records, '"meanwhile"'] : records
        assertEqual(join([first.value, ...rest], 'handles/log'), expected, 'a read while another handle was closed')
      }
    },
  },
  {
    id: 'handles/prepare',
    group: 'handles',
    title: 'a read that was announced shows what was committed after it was announced',
    rules: ['prepare', 'see', 'drop.gone'],
    needs: ['sharing'],
    async run({ open }) {
      const [reader, writer] = [await open(), await open()]
      const log = 'handles/prepared'
      const range = { reverse: true, limit: 8 }
      // However far the announced read has come: the next call sees what was committed before it began.
      const announce = async (isDone: boolean) => {
        reader.prepare?.(log, range)
        if (isDone) await lengthOf(reader, `${log}/other`)
      }
      for (const [at, isDone] of [false, true, false, true].entries()) {
        await announce(isDone)
        await writer.append(log, at, [`"${at}"`])
        const seen = joinDescending(await collect(reader.read(log, range)), log)
        assertEqual(
          seen,
          Array.from({ length: at + 1 }, (_, i) => `"${i}"`),
          'a log that grew after its read was announced',
        )
      }
      await announce(true)
      await writer.drop(log)
      assertEqual(await collect(reader.read(log, range)), [], 'a log that was dropped after its read was announced')
    },
  },
]

async function namesOf(handle: StorageAdapter, log: string, key: string): Promise<[logs: string[], keys: string[]]> {
  const [logs, keys] = await Promise.all([collect(handle.logs('')), collect(handle.keys(''))])
  return [logs.flat().filter((name) => name === log), keys.flat().filter((name) => name === key)]
}
