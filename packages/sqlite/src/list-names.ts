import { setImmediate as nextTurn } from 'node:timers/promises'
import type { ResolvedListing } from '@sessiontree/core'
import type { Database } from './database.ts'

const PAGE = 1000

/**
 * Names below a prefix, page by page. `statement` gives at most so many names between two others, in the order of their bytes, which for
 * names is that of their characters.
 */
export async function* listNames(
  database: Database,
  statement: string,
  prefix: string,
  { after, limit, signal }: ResolvedListing,
): AsyncGenerator<readonly string[]> {
  // "0" follows "/", and no name has a character above "~".
  const [start, end] = prefix === '' ? ['', '\u007f'] : [`${prefix}/`, `${prefix}0`]
  let last = after > start ? after : start
  for (let left = limit; left > 0 && last < end;) {
    const count = Math.min(left, PAGE)
    const names = await database.read(signal, ({ sql }) =>
      Array.from(sql(statement).iterate(last, end, count), (row) => (row as { readonly name: string }).name),
    )
    if (names.length > 0) yield names
    if (names.length < count) return
    left -= names.length
    last = names.at(-1) ?? end
    await nextTurn()
  }
}
