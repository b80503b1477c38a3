import type { ListOptions } from '@sessiontree/core'
import type { ContractCase } from '../case.ts'
import { assertEqual } from '../assert.ts'
import { inGroups } from '../in-groups.ts'
import { collect } from '../reading.ts'

// More than a page of any place: S3's is 1,000.
const MANY = 1030

const names = Array.from({ length: MANY }, (_, i) => `long/n${String(i).padStart(4, '0')}`)
const neighbours = ['long', 'long-', 'long.n0500', 'long/n0500/below', 'longer']
const all = [...names, ...neighbours].toSorted((a, b) => (a < b ? -1 : 1))
const below = all.filter((name) => name.startsWith('long/'))

/** Listings of more names than a place gives at once. */
export const longListCases: readonly ContractCase[] = [
  {
    id: 'list/many-keys',
    group: 'list',
    title: 'more than 1,000 documents are listed once each, in order, whole and in pages',
    rules: ['keys.all', 'list.order', 'list.prefix'],
    async run({ open }) {
      const writer = await open()
      await inGroups(names.toReversed(), (key) => writer.put(key, '1', { expect: 'absent' }))
      for (const key of neighbours) await writer.put(key, '1', { expect: 'absent' })
      const reader = await open()
      await assertLongListing(async (prefix, options) => (await collect(reader.keys(prefix, options))).flat())
    },
  },
  {
    id: 'list/many-logs',
    group: 'list',
    title: 'more than 1,000 logs are listed once each, in order, whole and in pages',
    rules: ['logs.all', 'list.order', 'list.prefix'],
    async run({ open }) {
      const writer = await open()
      await inGroups(names.toReversed(), (log) => writer.append(log, 0, ['1']))
      for (const log of neighbours) await writer.append(log, 0, ['1', '2'])
      const reader = await open()
      await assertLongListing(async (prefix, options) => (await collect(reader.logs(prefix, options))).flat())
    },
  },
]

async function assertLongListing(list: (prefix: string, options?: ListOptions) => Promise<string[]>): Promise<void> {
  assertEqual(await list(''), all, 'all names')
  assertEqual(await list('long'), below, 'all names below "long"')
  assertEqual(await list('long', { limit: MANY - 5 }), below.slice(0, MANY - 5), `the first ${MANY - 5} names`)
  assertEqual(
    await list('', { after: 'long/n0499', limit: 3 }),
    all.slice(all.indexOf('long/n0499') + 1).slice(0, 3),
    'three names in the middle',
  )
  const pages: string[] = []
  for (let page = await list('long', { limit: 400 }); page.length > 0 && pages.length < all.length;) {
    pages.push(...page)
    page = await list('long', { limit: 400, after: page.at(-1) })
  }
  assertEqual(pages, below, 'pages of 400 names')
}
