import { isMessageEntry, type Entry } from '@sessiontree/core'
import { partsOf, type PiMessage } from './pi-format.ts'

/** The turn at the end of a path. */
export interface LastTurn {
  /** The message of the user that began it; without one, the first entry. */
  readonly start: Entry<PiMessage>
  /** The entry before it; undefined if it is the first. */
  readonly before: Entry<PiMessage> | undefined
  /** Its tool calls that have no result: nobody can know what became of them. */
  readonly unanswered: readonly UnansweredCall[]
}

/** A tool call without a result. */
export interface UnansweredCall {
  readonly entry: Entry<PiMessage>
  readonly callId: string
  readonly name: string
  readonly given: unknown
}

/** Looks at the turn with which a path ends; undefined for an empty path. */
export function lastTurn(path: readonly Entry<PiMessage>[]): LastTurn | undefined {
  const from = Math.max(
    0,
    path.findLastIndex(({ type }) => type === 'user_message'),
  )
  const start = path[from]
  if (!start) return undefined
  const turn = path.slice(from).filter((entry) => isMessageEntry(entry))
  const answered = new Set(turn.map(({ message }) => message['toolCallId']))
  const unanswered = turn.flatMap((entry) =>
    partsOf(entry.message['content'])
      .filter(({ type, id }) => type === 'toolCall' && !answered.has(id))
      .map(({ id, name, arguments: given }) => ({ entry, callId: String(id), name: String(name), given })),
  )
  return { start, before: path[from - 1], unanswered }
}
