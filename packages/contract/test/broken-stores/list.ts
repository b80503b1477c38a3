import type { ListOptions, StorageAdapter } from '@sessiontree/core'
import type { MemoryStore } from '@sessiontree/memory'
import { broken, type BrokenStore } from './broken-store.ts'

interface Listing extends ListOptions {
  readonly prefix: string
}

/** A fault that computes the listed keys from all of them. */
const otherKeys =
  (change: (all: readonly string[], listing: Listing) => readonly string[]) => () => (handle: StorageAdapter) => ({
    async *keys(prefix: string, options: ListOptions = {}) {
      // The checks of the correct adapter stay.
      await Array.fromAsync(handle.keys(prefix, options))
      const all = (await Array.fromAsync(handle.keys(''))).flat()
      yield change(all, { ...options, prefix })
    },
  })

/** What the correct adapter does, with one part exchanged. */
function select(
  all: readonly string[],
  { prefix, after = '', limit = Infinity }: Listing,
  {
    matches = (key: string) => prefix === '' || key.startsWith(`${prefix}/`),
    isAfter = (key: string) => key > after,
    compare = (a: string, b: string): number => (a < b ? -1 : 1),
  },
): readonly string[] {
  return all
    .filter((key) => matches(key) && isAfter(key))
    .toSorted(compare)
    .slice(0, limit)
}

/** A fault that computes the list of logs from the names in the store. */
const otherLogs =
  (change: (names: readonly string[], prefix: string, options: ListOptions) => readonly string[]) =>
  (store: MemoryStore) =>
  (handle: StorageAdapter) => ({
    async *logs(prefix: string, options: ListOptions = {}) {
      await Array.fromAsync(handle.logs(prefix, options))
      const { after = '', limit = Infinity } = options
      const names = [...store.logs.keys()].toSorted((a, b) => (a < b ? -1 : 1))
      yield change(names, prefix, options)
        .filter((name) => name > after)
        .slice(0, limit)
    },
  })

const below = (prefix: string) => (name: string) => prefix === '' || name.startsWith(`${prefix}/`)
const byFolders = (a: string, b: string) => (a.replaceAll('/', '\0') < b.replaceAll('/', '\0') ? -1 : 1)

export const brokenLists: readonly BrokenStore[] = [
  broken(
    'list/keys',
    'names prefix-matched: a lists a.b',
    otherKeys((all, listing) => select(all, listing, { matches: (key) => key.startsWith(listing.prefix) })),
  ),
  broken(
    'list/keys',
    '_ matches any character, as in LIKE',
    otherKeys((all, listing) => {
      const pattern = new RegExp(`^${listing.prefix.replaceAll('.', '\\.').replaceAll('_', '.')}/`)
      return select(all, listing, { matches: (key) => listing.prefix === '' || pattern.test(key) })
    }),
  ),
  broken(
    'list/keys',
    'a prefix lists itself',
    otherKeys((all, listing) =>
      select(all, listing, { matches: (key) => `${key}/`.startsWith(listing.prefix && `${listing.prefix}/`) }),
    ),
  ),
  broken(
    'list/keys',
    'only direct children listed',
    otherKeys((all, listing) => {
      const depth = listing.prefix === '' ? Infinity : listing.prefix.split('/').length + 1
      return select(all, listing, {
        matches: (key) => below(listing.prefix)(key) && key.split('/').length <= depth,
      })
    }),
  ),
  broken(
    'list/keys',
    'listed in the order of a language',
    otherKeys((all, listing) => select(all, listing, { compare: (a, b) => a.localeCompare(b, 'en') })),
  ),
  broken(
    'list/keys',
    'after inclusive',
    otherKeys((all, listing) => select(all, listing, { isAfter: (key) => key >= (listing.after ?? '') })),
  ),
  broken(
    'list/keys',
    'after must exist',
    otherKeys((all, listing) => {
      const { after } = listing
      return after === undefined || all.includes(after) ? select(all, listing, {}) : []
    }),
  ),
  broken(
    'list/keys',
    'listing capped at twenty',
    otherKeys((all, listing) => select(all, listing, {}).slice(0, 20)),
  ),
  broken('list/keys', 'limit counts before the prefix is applied', () => (handle) => ({
    async *keys(prefix, options) {
      yield (await Array.fromAsync(handle.keys('', options))).flat().filter(below(prefix))
      await Array.fromAsync(handle.keys(prefix, options))
    },
  })),
  broken('list/keys', 'a forgotten document is still listed', () => {
    const forgotten = new Set<string>()
    return (handle) => ({
      async remove(key, options) {
        await handle.remove(key, options)
        if (options?.forget) forgotten.add(key)
      },
      async *keys(prefix, options) {
        const listed = (await Array.fromAsync(handle.keys(prefix, options))).flat()
        yield select([...listed, ...forgotten], { ...options, prefix }, {})
      },
    })
  }),
  broken(
    'list/logs',
    'logs in the order of a walk through folders',
    otherLogs((names, prefix) => names.filter(below(prefix)).toSorted(byFolders)),
  ),
  broken(
    'list/logs',
    'logs prefix-matched',
    otherLogs((names, prefix) => names.filter((name) => name.startsWith(prefix))),
  ),
  broken('list/logs', 'documents listed among the logs', (store) =>
    otherLogs((names, prefix) => [...new Set([...names, ...store.documents.keys()])].toSorted().filter(below(prefix)))(
      store,
    ),
  ),
  broken('list/logs', 'two names are read as one', () => (handle) => ({
    read: (log, range) => handle.read(log.replaceAll('.', '-'), range),
  })),
]
