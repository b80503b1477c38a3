import { openSessions, type Entry, type Session } from '@sessiontree/core'
import { operationLines } from './costs.ts'
import { counting } from '@sessiontree/contract'
import { printTree, treeNode } from './entry-line.ts'
import { piFormat, type PiMessage } from './pi-format.ts'
import type { Place } from './places.ts'
import { preview, visible } from './preview.ts'
import type { Recorded } from './record.ts'
import { formatNumber, type Print } from './report.ts'
import { kindOf, Tally } from './tally.ts'
import type { TreeNode } from './tree.ts'

const MOST_PROBLEMS = 120

/**
 * Opens a recorded session, prints its tree, the context's size and the leaf's digest, and checks all of it.
 *
 * Contract
 * - Counts what is stored anew and compares it with what the recording process counted in the file.
 * - Has every hash and the chain of digests recomputed from the stored records, up to the digest that was recorded.
 * - Resolves with whether everything matches; says what does not.
 */
export async function show(options: {
  readonly recorded: Recorded
  /** The ids of entries that are not the transcript's but must be there, too. */
  readonly added?: readonly string[]
  readonly place: Place
  readonly print: Print
  readonly signal: AbortSignal
  /** How wide the terminal is. */
  readonly columns: number
}): Promise<boolean> {
  const { recorded, added = [], place, print, signal, columns } = options
  const { adapter, counts } = counting(place.adapter)
  const sessions = openSessions(adapter, { format: piFormat })
  const session = await sessions.open(recorded.id, { signal })
  print(`  session  ${visible(session.id)}`)
  print(`  title    ${preview(session.title ?? '', columns - 11)}`)
  print(`  created  ${session.createdAt}`)
  print('')

  const { nodes, tally, missing } = await readEntries(session, { added, signal, columns })
  const leaf = await session.leaf({ signal })
  printTree(nodes, { leafId: leaf?.id, abandoned: added.at(-1), print, columns })
  print('')

  const { messages, bytes } = await session.context({ signal })
  print(`  context  ${formatNumber(messages.length)} messages, ${formatNumber(bytes)} bytes`)
  print(`  leaf     ${leaf ? visible(leaf.id) : 'none'}`)
  print(`  digest   ${leaf?.digest ?? 'none'}`)
  const fromFile = nodes.length - added.length + missing.length
  const problems = [...compare(recorded, fromFile, tally, leaf)]
  for (const id of missing) problems.push(`entry ${visible(id)} of the other branch is not stored`)

  const verification = await session.verify({ expect: recorded.leaf?.digest, signal })
  for (const { message } of verification.problems) problems.push(visible(message))
  print('')
  for (const line of operationLines(counts, place.requests)) print(line)
  print('')
  for (const problem of problems.slice(0, MOST_PROBLEMS)) print(`  WRONG: ${problem}`)
  if (problems.length > 0) return false
  const others = added.length === 0 ? '' : `, and ${formatNumber(added.length)} of the other branch`
  print(`  counts match the file: ${formatNumber(fromFile)} entries${others}`)
  print(`  every hash and the chain of digests recomputed: ${formatNumber(verification.records)} records are right`)
  return true
}

async function readEntries(
  session: Session<PiMessage>,
  options: { readonly added: readonly string[]; readonly signal: AbortSignal; readonly columns: number },
): Promise<{ nodes: TreeNode[]; tally: Tally; missing: readonly string[] }> {
  const { added, signal, columns } = options
  const missing = new Set(added)
  const nodes: TreeNode[] = []
  const tally = new Tally()
  for await (const entry of session.entries({ signal })) {
    if (!missing.delete(entry.id)) tally.add(kindOf(entry), entry.type)
    nodes.push(treeNode(entry, columns))
  }
  return { nodes, tally, missing: [...missing] }
}

function* compare(
  recorded: Recorded,
  entries: number,
  tally: Tally,
  leaf: Entry<PiMessage> | undefined,
): Generator<string> {
  if (entries !== recorded.entries) yield `${entries} entries are stored, the file has ${recorded.entries}`
  const stored = new Map(tally.rows.map(({ kind, type, count }) => [JSON.stringify([kind, type]), count]))
  for (const { kind, type, count } of recorded.rows) {
    const key = JSON.stringify([kind, type])
    const found = stored.get(key) ?? 0
    stored.delete(key)
    if (found !== count) yield `${found} of ${count} ${visible(kind)} are stored as ${visible(type)}`
  }
  for (const [key, count] of stored) yield `${count} entries ${visible(key)} are stored that the file does not have`
  if (leaf?.id !== recorded.leaf?.id) yield "the leaf is not pi's leaf"
  if (leaf?.digest !== recorded.leaf?.digest) yield 'the digest of the leaf is not the one recorded'
}
