import type { ListOptions } from '@sessiontree/core'
import type { ContractCase } from '../case.ts'
import { assert, assertEqual } from '../assert.ts'
import { collect, readLog } from '../reading.ts'

// Ascending by UTF-16 code unit, which neither a walk through folders nor a comparison by language gives.
const names: readonly string[] = [
  [
    'a',
    'a-b',
    'a.b',
    'a/b',
    'a/b-c',
    'a/b.c',
    'a/b/c',
    'a0',
    'a_',
    'a_b/x',
    'axb/x',
    'a~',
    'b',
    'c-',
    'c/0',
    'c/10',
    'c/9',
    'c/_',
  ],
  Array.from({ length: 12 }, (_, i) => `many/${String(i).padStart(2, '0')}`),
  ['z', 'z-z', '~'],
].flat()

/** Names: which ones are listed, in which order, and that none means another one. */
export const listCases: readonly ContractCase[] = [
  {
    id: 'list/keys',
    group: 'list',
    title: 'documents are listed once each, in order, below whole segments',
    rules: ['keys.all', 'list.prefix', 'list.order', 'name', 'remove.gone', 'remove.forget'],
    async run({ open }) {
      const [writer, reader] = [await open(), await open()]
      // Not in the order in which they are listed.
      await Promise.all(names.toReversed().map((name) => writer.put(name, value(name), { expect: 'absent' })))
      await writer.append('a/log', 0, ['1'])
      const keys = async (prefix: string, options?: ListOptions) => (await collect(reader.keys(prefix, options))).flat()
      await assertListing(names, keys)

      const [removed, forgotten] = [
        ['a', 'c/9'],
        ['a/b', 'many/05', '~'],
      ]
      await Promise.all(removed.map((name) => writer.remove(name)))
      await Promise.all(forgotten.map((name) => writer.remove(name, { forget: true })))
      const listed = await keys('')
      assertEqual(new Set(listed).size, listed.length, 'the number of different keys after some were removed')
      // A removed document may be listed until it is forgotten.
      const isKept = (name: string) => !removed.includes(name)
      const left = names.filter((name) => !removed.includes(name) && !forgotten.includes(name))
      assertEqual(listed.filter(isKept), left, 'the documents after some were removed')
      assertEqual(await keys('a'), ['a/b-c', 'a/b.c', 'a/b/c'], 'the documents below a removed one')
      assertEqual(await keys('', { after: 'a/b', limit: 2 }), ['a/b-c', 'a/b.c'], 'the documents after a forgotten one')
      await Promise.all(
        names.map(async (name) => {
          const expected = left.includes(name) ? value(name) : undefined
          assertEqual((await reader.get(name))?.value, expected, `the document ${name} after some were removed`)
        }),
      )
    },
  },
  {
    id: 'list/logs',
    group: 'list',
    title: 'logs are listed once each, in order, below whole segments, and none is read or dropped for another',
    rules: ['logs.all', 'list.prefix', 'list.order', 'name', 'drop.only'],
    async run({ open }) {
      const [writer, reader] = [await open(), await open()]
      await Promise.all(names.toReversed().map((name) => writer.append(name, 0, [value(name), '2'])))
      await writer.put('a/document', '1', { expect: 'absent' })
      await assertListing(names, async (prefix, options) => (await collect(reader.logs(prefix, options))).flat())

      const dropped = ['a', 'a.b', 'c/0', 'many/05']
      await Promise.all(dropped.map((name) => writer.drop(name)))
      const listed = (await collect(reader.logs(''))).flat()
      assertEqual(new Set(listed).size, listed.length, 'the number of different names after some logs were dropped')
      // A dropped log may be listed until its last trace is gone.
      const living = names.filter((name) => !dropped.includes(name))
      assertEqual(
        listed.filter((name) => !dropped.includes(name)),
        living,
        'the living logs after some were dropped',
      )
      await Promise.all(
        names.map(async (name) => {
          const expected = dropped.includes(name) ? [] : [value(name), '2']
          assertEqual(await readLog(reader, name), expected, `the log ${name} after ${dropped.join(', ')} were dropped`)
        }),
      )
    },
  },
]

const value = (name: string) => `{"name":"${name}"}`

/** Compares a listing of these names, and nothing else, with what an array would give. */
async function assertListing(
  all: readonly string[],
  list: (prefix: string, options?: ListOptions) => Promise<string[]>,
): Promise<void> {
  const below = (prefix: string) => all.filter((name) => prefix === '' || name.startsWith(`${prefix}/`))
  const expectListed = async (prefix: string, options: ListOptions = {}) => {
    const { after = '', limit = Infinity } = options
    const expected = below(prefix).filter((name) => name > after)
    const what = `what is listed below "${prefix}" after "${after}", at most ${limit}`
    assertEqual(await list(prefix, options), expected.slice(0, limit), what)
  }
  await expectListed('')
  await Promise.all([
    ...['a', 'a/b', 'c', 'many', 'a.b', 'm', 'a/b/c', 'a_b', 'absent'].flatMap((prefix) =>
      [undefined, 1, 2, below(prefix).length + 1].map((limit) => expectListed(prefix, { limit })),
    ),
    ...['a', 'a.b', 'a.c', 'a/b', 'a/b/b', 'c/1', 'zz', '~', '~~'].flatMap((after) => [
      expectListed('', { after, limit: 4 }),
      expectListed('a', { after }),
    ]),
    expectPages('c', 1),
    expectPages('', 7),
  ])

  async function expectPages(prefix: string, limit: number) {
    const pages: string[] = []
    for (let after: string | undefined; pages.length < all.length; after = pages.at(-1)) {
      const page = await list(prefix, { after, limit })
      assert(page.length <= limit, `a page of at most ${limit}, not of ${page.length}`)
      if (page.length === 0) break
      pages.push(...page)
    }
    assertEqual(pages, below(prefix), `pages of ${limit} below "${prefix}"`)
  }
}
