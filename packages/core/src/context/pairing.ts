import type { MessageParts, ToolCall } from '../message-format.ts'

/** A call or a result: the message's place in the batch, and its own place in the message. */
export interface Place {
  readonly message: number
  readonly index: number
}

/** What is left over in a batch. */
export interface Pairing {
  readonly unanswered: readonly Place[]
  /** Results of no call before them, or of one that has its result. */
  readonly orphans: readonly Place[]
}

interface OpenCall extends Place {
  readonly call: ToolCall
  hasResult: boolean
  readonly interim: Place[]
}

/**
 * Pairs the calls and results of messages, oldest first.
 *
 * Contract
 * - A result answers the first call of its id that has none yet; an interim one, of its id or alias, only while the result may still come.
 * - A result that names a call of its own message answers that one.
 * - A result without an id answers the first call without an id that has none yet, or else the last such call.
 */
export function pair(messages: readonly Pick<MessageParts, 'calls' | 'results'>[], resultsMayCome = true): Pairing {
  const open = new Map<string | undefined, OpenCall[]>()
  const all: OpenCall[] = []
  const orphans: Place[] = []
  for (const [message, { calls, results }] of messages.entries()) {
    const own: OpenCall[] = []
    for (const [index, call] of calls.entries()) {
      const opened: OpenCall = { message, index, call, hasResult: false, interim: [] }
      all.push(opened)
      own.push(opened)
      for (const id of call.alias === undefined ? [call.id] : [call.id, call.alias]) {
        const ofId = open.get(id)
        if (ofId) ofId.push(opened)
        else open.set(id, [opened])
      }
    }
    for (const [index, { callId, interim = false, own: ownCall }] of results.entries()) {
      const candidates = ownCall === undefined ? (open.get(callId) ?? []) : own.slice(ownCall, ownCall + 1)
      const next = interim ? candidates[0] : candidates.find(({ hasResult }) => !hasResult)
      const answers = next ?? (callId === undefined ? candidates.at(-1) : undefined)
      if (!answers) {
        orphans.push({ message, index })
        continue
      }
      if (interim) answers.interim.push({ message, index })
      else answers.hasResult = true
    }
  }
  const unanswered = all.filter((each) => !each.hasResult && !(resultsMayCome && each.interim.length > 0))
  return { unanswered, orphans: [...orphans, ...unanswered.flatMap((each) => each.interim)] }
}
