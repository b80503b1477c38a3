import type { S3Client } from '@aws-sdk/client-s3'
import {
  openSessions,
  SessionError,
  systemClock,
  type Clock,
  type RoleMessage,
  type Session,
  type Turn,
} from '@sessiontree/core'
import { s3, type S3Options } from '@sessiontree/s3'
import { nextMessage, runTool } from './scripted-agent.ts'

/** What an invocation is for. */
export interface UserMessage {
  readonly session: string
  /** The same whenever the message is delivered again. */
  readonly id: string
  readonly text: string
  /** Whether the platform has seen an earlier invocation for this message end without an answer, as after a time-out. */
  readonly isRetry: boolean
}

/** What an invocation answers. */
export interface Reply {
  readonly text: string
  /** Whether an earlier invocation had written the answer, and was cut off before it could give it. */
  readonly isRepeated: boolean
  /** The turns of killed invocations that this one closed. */
  readonly recovered: readonly string[]
}

/** What the handler is deployed with. */
export interface Deployment {
  readonly client: Pick<S3Client, 'send'>
  readonly bucket: string
  readonly prefix: string
  readonly clock?: Clock
  readonly onRequest?: S3Options['onRequest']
}

/**
 * Makes the function that answers one user message. Nothing outlives an invocation but what lies in the bucket.
 *
 * Contract
 * - A message that is delivered again is stored once and answered once, wherever the invocations before were killed.
 * - `ACTIVE_TURN` while another invocation holds the session; nothing of the message is written.
 */
export function createHandler({ client, bucket, prefix, clock = systemClock, onRequest }: Deployment) {
  return async (message: UserMessage): Promise<Reply> => {
    await using sessions = openSessions(s3({ client, bucket, prefix, clock, onRequest }), { clock })
    const session = await sessions.getOrCreate(message.session)
    await using turn = await takeTurn(session, message)
    const recovered = turn.recovered.map(({ turnId }) => turnId)
    const answerId = `${message.id}.answer`

    const { entries, messages } = await turn.context()
    const answered = entries.findIndex(({ id }) => id === answerId)
    if (answered >= 0) {
      await turn.complete()
      return { text: String(messages[answered]?.['content']), isRepeated: true, recovered }
    }
    if (!entries.some(({ id }) => id === message.id)) {
      await turn.append({ role: 'user', content: message.text }, { id: message.id })
    }
    const text = await answer(turn, answerId)
    await turn.complete()
    return { text, isRepeated: false, recovered }
  }
}

/** Begins the turn; takes over from an invocation for the same message of which the platform says that it is gone. */
async function takeTurn(session: Session<RoleMessage>, { id, isRetry }: UserMessage): Promise<Turn<RoleMessage>> {
  try {
    return await session.beginTurn({ owner: id })
  } catch (error) {
    const isOwn = SessionError.is(error, 'ACTIVE_TURN') && error.owner === id
    if (!isOwn || !isRetry) throw error
    // Should it be alive after all, it appends nothing from here on.
    return session.beginTurn({ owner: id, force: true })
  }
}

/** The agent's loop: asks the model, runs its tools, until it answers. The call is stored before its tool runs. */
async function answer(turn: Turn<RoleMessage>, answerId: string): Promise<string> {
  for (;;) {
    const { messages } = await turn.context()
    const { call, message } = nextMessage(messages, turn.id)
    if (!call) {
      await turn.append(message, { id: answerId })
      return String(message['content'])
    }
    await turn.append(message)
    await turn.append({ role: 'tool', tool_call_id: call.id, content: await runTool(call) })
  }
}
