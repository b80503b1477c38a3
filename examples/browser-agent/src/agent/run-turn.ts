import type { EntryReference, RoleMessage, Session, Turn } from '@sessiontree/core'
import type { Model, ToolCall } from '../model/model.ts'
import { runTool } from './tools.ts'

/** What a turn is to do. */
export interface TurnRequest {
  readonly model: Model
  /** The user's words; absent to answer what is there. */
  readonly question?: string
  /** The entry that the turn follows, null for the beginning. Default: the leaf. */
  readonly from?: EntryReference | null
  /** Called once the question is in the session. */
  readonly onAsked?: () => void
  /** Called with the answer so far. */
  readonly onText: (text: string) => void
  readonly signal: AbortSignal
}

const MAX_STEPS = 8
/** How often the new piece of an unfinished answer is kept, in milliseconds. */
const DRAFT_EVERY = 500
/** The name of the entries that keep the pieces of an unfinished answer. */
export const DRAFT = 'draft'

/** Runs one turn of the agent. Everything is in the session as soon as it happened, also the answer that is still being given. */
export async function runTurn(session: Session<RoleMessage>, request: TurnRequest): Promise<void> {
  const { model, question, from, signal } = request
  await using turn = await session.beginTurn(from === undefined ? {} : { from })
  const stop = AbortSignal.any([signal, turn.signal])
  try {
    if (question !== undefined) {
      await turn.append({ role: 'user', content: question })
      request.onAsked?.()
    }
    for (let step = 0; step < MAX_STEPS; step++) {
      const { text, calls } = await listen(turn, request, stop)
      if (calls.length === 0) {
        await turn.append({ role: 'assistant', content: text })
        await turn.complete({ model: model.name })
        return
      }
      await turn.append({ role: 'assistant', content: text, tool_calls: calls.map(asToolCall) })
      request.onText('')
      const results = await Promise.all(
        calls.map(async ({ id, name, arguments: input }) => ({
          role: 'tool',
          tool_call_id: id,
          content: await runTool(name, input),
        })),
      )
      await turn.append(results)
      await turn.savePoint({ reason: 'tool_result_batch' })
    }
    await turn.fail(`no answer after ${MAX_STEPS} calls of tools`)
  } catch (error) {
    // Somebody else goes on with the session: nothing of this turn may be written any more.
    if (turn.signal.aborted) throw error
    if (signal.aborted) await turn.abort({ reason: 'stopped by the user' })
    else await turn.fail((error as Error).message)
    throw error
  }
}

/** Takes an answer as it comes. Now and then what there is of it is kept, out of the model's sight, for a page that dies. */
async function listen(
  turn: Turn<RoleMessage>,
  { model, onText }: TurnRequest,
  signal: AbortSignal,
): Promise<{ readonly text: string; readonly calls: readonly ToolCall[] }> {
  const { messages } = await turn.context()
  let text = ''
  let calls: readonly ToolCall[] = []
  let kept = 0
  let keptAt = performance.now()
  for await (const delta of model.answer(messages, signal)) {
    signal.throwIfAborted()
    if (delta.calls) calls = delta.calls
    else onText((text += delta.text))
    if (performance.now() - keptAt < DRAFT_EVERY) continue
    await turn.record({ type: 'custom', name: DRAFT, data: { text: text.slice(kept) } })
    kept = text.length
    keptAt = performance.now()
  }
  return { text, calls }
}

const asToolCall = ({ id, name, arguments: input }: ToolCall) => ({
  id,
  type: 'function',
  function: { name, arguments: input },
})
