import type { ReadRange, StorageAdapter } from '@sessiontree/core'
import type { ContractCase } from '../case.ts'
import { assert, assertEqual } from '../assert.ts'
import { collect, fill, fillLarge, joinAscending, joinDescending, readLog } from '../reading.ts'

const LOG = 'read/log'

const record = (index: number) => `{"index":${index},"text":"${'é'.repeat(index % 7)}"}`

/** What a read delivers: which records, in which order, and as of when. */
export const readCases: readonly ContractCase[] = [
  {
    id: 'read/ranges',
    group: 'read',
    title: 'every range, limit and direction delivers what a plain array would',
    rules: ['read.range', 'read.order', 'read.prefix', 'read.ahead'],
    async run({ open }) {
      const records = await fill(await open(), LOG, [1, 3, 1, 5, 2, 31, 1, 17, 64, 3, 1, 9], record)
      const reader = await open()
      await Promise.all(allRanges(records.length).map((range) => assertRead(reader, range, records)))
      const absent = reader.read('read/absent', { limit: 1, reverse: true })
      assertEqual(await collect(absent), [], 'a log that does not exist')
    },
  },
  {
    id: 'read/moment',
    group: 'read',
    title: 'a read ends where the log ended at its first pull, and may be left at any time',
    rules: ['read.snapshot', 'read.order', 'see'],
    async run({ open }) {
      const [writer, reader] = [await open(), await open()]
      const records = await fillLarge(writer, LOG)
      const unpulled = reader.read(LOG, { from: records.length })
      for (const reverse of [false, true]) {
        const batches = reader.read(LOG, { reverse, readAhead: 1 })[Symbol.asyncIterator]()
        const first = await batches.next()
        assert(!first.done, 'a log that holds records has a first batch')
        const held = [...records]
        const late = `{"late":${reverse}}`
        await writer.append(LOG, records.length, [late])
        records.push(late)
        const rest = await collect({ [Symbol.asyncIterator]: () => batches })
        const join = reverse ? joinDescending : joinAscending
        assertEqual(join([first.value, ...rest], 'batches'), held, 'a read during which the log grew')
      }
      const seen = joinAscending(await collect(unpulled), 'batches')
      assertEqual(seen, records.slice(-2), 'a read whose first pull came after the appends')
      for (const reverse of [false, true]) {
        const left = reader.read(LOG, { reverse, readAhead: 1 })[Symbol.asyncIterator]()
        assert(!(await left.next()).done, 'a log that holds records has a first batch')
        await left.return?.()
        assertEqual((await left.next()).done, true, 'a read that was left is at its end')
      }
      await reader.append(LOG, records.length, ['"after leaving"'])
      assertEqual(
        await readLog(reader, LOG, { from: records.length }),
        ['"after leaving"'],
        'the log after leaving reads',
      )
    },
  },
  {
    id: 'read/large',
    group: 'read',
    title: 'a record of one megabyte comes back whole, and so do its neighbours',
    rules: ['read.prefix', 'read.range', 'read.ahead', 'text'],
    async run({ open }) {
      const large = `{"text":"${'0123456789abcdé '.repeat(65_536)}"}`
      const records = ['"before"', large, '"between"', '"small"', large.replace('0123', '9876'), '"after"']
      const writer = await open()
      await writer.append(LOG, 0, ['"before"'])
      await writer.append(LOG, 1, [large])
      await writer.append(LOG, 2, ['"between"'])
      await writer.append(LOG, 3, records.slice(3))
      const reader = await open()
      assertEqual(await readLog(reader, LOG), records, 'the whole log')
      assertEqual(await readLog(reader, LOG, { reverse: true, readAhead: 1000 }), records, 'the whole log in reverse')
      assertEqual(await readLog(reader, LOG, { from: 4, limit: 1 }), records.slice(4, 5), 'the large record alone')
      assertEqual(await readLog(reader, LOG, { from: 5 }), ['"after"'], 'its newer neighbour')
      assertEqual(await readLog(reader, LOG, { to: 1, reverse: true }), ['"before"'], 'the oldest record')
    },
  },
]

function allRanges(length: number): ReadRange[] {
  const ranges: ReadRange[] = [0, 1, 100, Infinity].flatMap((readAhead) => [
    { readAhead },
    { readAhead, reverse: true },
    { readAhead, reverse: true, limit: 70 },
  ])
  for (const from of [undefined, 1, 6, length - 1, length + 3]) {
    for (const to of [undefined, 2, length - 1, length + 9]) {
      for (const limit of [undefined, 1, 5]) ranges.push({ from, to, limit }, { from, to, limit, reverse: true })
    }
  }
  return ranges
}

async function assertRead(reader: StorageAdapter, range: ReadRange, records: readonly string[]): Promise<void> {
  const { from = 0, limit = Infinity, reverse = false } = range
  const end = Math.max(from, Math.min(range.to ?? Infinity, records.length))
  const low = reverse ? Math.max(from, end - limit) : from
  const high = reverse ? end : Math.min(end, from + limit)
  const given = Object.entries(range).filter(([, value]) => value !== undefined)
  const what = `read { ${given.map(([name, value]) => `${name}: ${value}`).join(', ')} }`
  const batches = await collect(reader.read(LOG, range))
  const join = reverse ? joinDescending : joinAscending
  assertEqual(join(batches, what), records.slice(low, high), what)
  const lowest = reverse ? batches.at(-1) : batches[0]
  if (lowest) assertEqual(lowest.at, low, `${what}: its lowest index`)
}
