import { openSessions } from '@sessiontree/core'
import type { Acknowledged } from './acknowledge.ts'
import { entryLine, printTree, treeNode } from './entry-line.ts'
import { piFormat } from './pi-format.ts'
import type { Place } from './places.ts'
import { preview, visible } from './preview.ts'
import { formatNumber, type Print } from './report.ts'
import { lastTurn } from './unfinished-turn.ts'

/** What the process that took over found and did, as plain JSON. */
export interface Resumed {
  /** Every entry that was there, in order of appending, before anything was written. */
  readonly recovered: readonly Acknowledged[]
  /** The entries with a tool call that has no result. */
  readonly unanswered: readonly string[]
  /** The entries of the new branch. */
  readonly added: readonly string[]
  /** Whether `verify` found nothing. */
  readonly isSound: boolean
}

const LISTED = 5
const LAST_OF_PATH = 4
const ANOTHER_MESSAGE = 'Another way, please: without that tool.'

/**
 * Takes over a session whose process is gone: looks what is there, begins a turn of its own before the one that was cut off, with another
 * message, and prints and verifies the whole.
 */
export async function resume(options: {
  readonly id: string
  readonly place: Place
  readonly print: Print
  readonly columns: number
  readonly signal: AbortSignal
}): Promise<Resumed> {
  const { id, place, print, columns, signal } = options
  const sessions = openSessions(place.adapter, { format: piFormat })
  const field = (name: string, text: string) => print(`  ${name.padEnd(10)}  ${text}`.trimEnd())
  const shorten = (text: string) => preview(text, columns - 14)

  for await (const info of sessions.list({ limit: LISTED, signal })) {
    field(info.id === id ? 'session' : 'another', shorten(`${info.id}  ${info.title ?? ''}`))
  }
  const session = await sessions.open(id, { signal })
  const recovered: Acknowledged[] = []
  for await (const { id: entryId, digest } of session.entries({ signal })) recovered.push({ id: entryId, digest })
  const path = await Array.fromAsync(session.path({ signal }))
  const leaf = path.at(-1)
  field('recovered', `${formatNumber(recovered.length)} entries, ${formatNumber(path.length)} on the path to the leaf`)
  if (leaf) field('leaf', entryLine(leaf, columns - 10))

  const turn = lastTurn(path)
  const unanswered = turn?.unanswered ?? []
  for (const { callId, name, given } of unanswered) {
    field('unanswered', shorten(`${name} ${JSON.stringify(given)} (${callId})`))
  }
  if (unanswered.length === 0) field('unanswered', 'none: every tool call of the last turn has one')

  // A turn that an earlier attempt at this left open; the transcript's own are pi's, which knows no markers.
  await session.recover({ signal })
  await using again = await session.beginTurn({ from: turn?.before ?? null, signal })
  field('back to', turn?.before ? entryLine(turn.before, columns - 10) : 'the beginning, before the first entry')
  const message = await again.append({ role: 'user', content: [{ type: 'text', text: ANOTHER_MESSAGE }] }, { signal })
  field('new branch', entryLine(message, columns - 10))
  const end = (await again.wait()).entry
  print('')

  const nodes = []
  for await (const entry of session.entries({ signal })) nodes.push(treeNode(entry, columns))
  printTree(nodes, { leafId: (await session.leaf())?.id, abandoned: leaf?.id, print, columns })
  print('')

  const newPath = await Array.fromAsync(session.path({ signal }))
  const added = newPath.filter(({ turnId }) => turnId === again.id).map((entry) => entry.id)
  field('path', `${formatNumber(newPath.length)} entries; the last of them:`)
  for (const entry of newPath.slice(-LAST_OF_PATH)) print(`    ${entryLine(entry, columns - 2)}`)
  const { messages, bytes } = await session.context({ signal })
  field('context', `${formatNumber(messages.length)} messages, ${formatNumber(bytes)} bytes`)
  const { ok, problems, records, entries } = await session.verify({ expect: end.digest, signal })
  for (const problem of problems.slice(0, LISTED)) print(`  WRONG: ${visible(problem.message)}`)
  if (ok) field('verify', `sound: ${formatNumber(records)} records, ${formatNumber(entries)} of them entries`)
  return { recovered, unanswered: unanswered.map(({ entry }) => entry.id), added, isSound: ok }
}
