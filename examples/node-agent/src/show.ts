import { openSessions, scopeNames, type Entry, type Session } from '@sessiontree/core'
import { operationLines } from './costs.ts'
import { countOperations } from './counting-adapter.ts'
import { piFormat, type PiMessage } from './pi-format.ts'
import type { Place } from './places.ts'
import { clip, preview, summaryOf, visible } from './preview.ts'
import type { Recorded } from './record.ts'
import { formatNumber, type Print } from './report.ts'
import { kindOf, Tally } from './tally.ts'
import { drawTree, type TreeNode } from './tree.ts'
import { verifyLog } from './verify.ts'

const MOST_LINES = 120
const DIGEST_SHOWN = 7
const TYPE_WIDTH = 17
// The margin, the bullet, the digest, the type with their gaps, and the leaf's mark.
const BESIDE_THE_PREVIEW = 2 + 2 + DIGEST_SHOWN + 2 + TYPE_WIDTH + 2 + 8

/**
 * Opens a recorded session, prints its tree, the context's size and the leaf's digest, and checks all of it.
 *
 * Contract
 * - Counts what is stored anew and compares it with what the recording process counted in the file.
 * - Recomputes every hash and the chain of digests from the stored records.
 * - Resolves with whether everything matches; says what does not.
 */
export async function show(options: {
  readonly recorded: Recorded
  readonly place: Place
  readonly print: Print
  readonly signal: AbortSignal
  /** How wide the terminal is. */
  readonly columns: number
}): Promise<boolean> {
  const { recorded, place, print, signal, columns } = options
  const { adapter, counts } = countOperations(place.adapter)
  const sessions = openSessions(adapter, { format: piFormat })
  const session = await sessions.open(recorded.id)
  print(`  session  ${visible(session.id)}`)
  print(`  title    ${preview(session.title ?? '', columns - 11)}`)
  print(`  created  ${session.createdAt}`)
  print('')

  const { nodes, tally } = await readEntries(session, signal, columns)
  const leaf = await session.leaf()
  for (const line of middleLeftOut(drawTree(nodes, leaf?.id))) print(`  ${clip(line, columns - 2)}`)
  print('')

  const { messages, bytes } = await session.context()
  print(`  context  ${formatNumber(messages.length)} messages, ${formatNumber(bytes)} bytes`)
  print(`  leaf     ${leaf ? visible(leaf.id) : 'none'}`)
  print(`  digest   ${leaf?.digest ?? 'none'}`)
  const problems = [...compare(recorded, nodes.length, tally, leaf)]

  const log = scopeNames([]).log(session.id, 0)
  const verification = await verifyLog(adapter, log, signal)
  problems.push(...verification.problems)
  if (leaf && verification.digests.get(leaf.id) !== leaf.digest) {
    problems.push('the digest recomputed for the leaf is another one')
  }
  print('')
  for (const line of operationLines(counts, place.requests)) print(line)
  print('')
  for (const problem of problems.slice(0, MOST_LINES)) print(`  WRONG: ${problem}`)
  if (problems.length > 0) return false
  print(`  counts match the file: ${formatNumber(nodes.length)} entries`)
  print(`  every hash and the chain of digests recomputed: ${formatNumber(verification.records)} records are right`)
  return true
}

async function readEntries(
  session: Session<PiMessage>,
  signal: AbortSignal,
  columns: number,
): Promise<{ nodes: TreeNode[]; tally: Tally }> {
  const nodes: TreeNode[] = []
  const tally = new Tally()
  for await (const entry of session.entries()) {
    signal.throwIfAborted()
    const { id, parentId, digest, type } = entry
    tally.add(kindOf(entry), type)
    const what = preview(summaryOf(entry), columns - BESIDE_THE_PREVIEW)
    nodes.push({ id, parentId, text: `${digest.slice(0, DIGEST_SHOWN)}  ${visible(type).padEnd(TYPE_WIDTH)}  ${what}` })
  }
  return { nodes, tally }
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

function middleLeftOut(lines: readonly string[]): readonly string[] {
  if (lines.length <= MOST_LINES) return lines
  const half = MOST_LINES / 2
  return [...lines.slice(0, half), `… ${formatNumber(lines.length - MOST_LINES)} more lines …`, ...lines.slice(-half)]
}
