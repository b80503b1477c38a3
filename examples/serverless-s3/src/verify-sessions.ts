import { openSessions, type Entry } from '@sessiontree/core'
import { s3 } from '@sessiontree/s3'
import type { Invocation } from './invocation.ts'
import { openClient, type Place } from './place.ts'

const ENDS = new Set(['completed', 'waiting', 'failed', 'aborted'])

/** What is stored, and what is wrong with it; nothing, if all is well. */
export interface Verdict {
  readonly sessions: number
  readonly entries: number
  readonly turns: number
  readonly interrupted: number
  readonly problems: readonly string[]
}

/**
 * Reads every session anew, after the last invocation.
 *
 * Contract
 * - Every answered message is there once, and its answer once behind it, with the text that was given. Nothing else was said by a user.
 * - All entries of a session are one chain, what `verify()` recomputes is right, and every turn that started has one end.
 */
export async function verifySessions(place: Place, invocations: readonly Invocation[]): Promise<Verdict> {
  const client = openClient(place)
  try {
    await using sessions = openSessions(s3({ client, bucket: place.bucket, prefix: place.prefix }))
    const answered = Map.groupBy(
      invocations.filter(({ outcome }) => outcome === 'answered'),
      ({ message }) => message.session,
    )
    const problems: string[] = []
    let [entryCount, turns, interrupted] = [0, 0, 0]
    for (const [id, replies] of answered) {
      const session = await sessions.open(id)
      const [entries, path] = [await session.entries().toArray(), await session.path().toArray()]
      const { ok, problems: found } = await session.verify()
      const tell = (problem: string) => problems.push(`${id}: ${problem}`)
      if (!ok) for (const { message } of found) tell(message)
      if (path.length !== entries.length) tell(`${entries.length} entries, ${path.length} of them on the path`)
      for (const problem of [...wrongMessages(entries, replies), ...wrongTurns(entries)]) tell(problem)
      entryCount += entries.length
      turns += entries.filter((entry) => statusOf(entry) === 'started').length
      interrupted += entries.filter(({ type }) => type === 'run_failure').length
    }
    return { sessions: answered.size, entries: entryCount, turns, interrupted, problems }
  } finally {
    client.destroy()
  }
}

function* wrongMessages(entries: readonly Entry[], replies: readonly Invocation[]): Generator<string> {
  const places = Map.groupBy(entries.keys(), (at) => entries[at]?.id)
  const only = (id: string) => (places.get(id)?.length === 1 ? places.get(id)?.[0] : undefined)
  for (const { message, reply } of replies) {
    const [question, answer] = [only(message.id), only(`${message.id}.answer`)]
    if (question === undefined) yield `${message.id} is there ${places.get(message.id)?.length ?? 0} times`
    else if (answer === undefined) yield `${message.id} is not answered once`
    else if (answer < question) yield `${message.id} is answered before it was asked`
    else if (contentOf(entries[answer]) !== reply?.text) yield `${message.id} has another answer than was given`
  }
  const asked = entries.filter(({ type }) => type === 'user_message').length
  if (asked !== replies.length) yield `${asked} user messages for ${replies.length} that were answered`
}

function* wrongTurns(entries: readonly Entry[]): Generator<string> {
  const ends = Map.groupBy(
    entries.filter((entry) => ENDS.has(statusOf(entry) ?? '')),
    ({ turnId }) => turnId,
  )
  for (const entry of entries) {
    if (statusOf(entry) !== 'started') continue
    const count = ends.get(entry.turnId)?.length ?? 0
    if (count !== 1) yield `turn ${entry.turnId} has ${count} ends`
  }
}

function statusOf(entry: Entry): string | undefined {
  return entry.type === 'turn_marker' ? String((entry as { status?: unknown }).status) : undefined
}

function contentOf(entry: Entry | undefined): unknown {
  return (entry as { message?: { content?: unknown } } | undefined)?.message?.content
}
