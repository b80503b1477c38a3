import type { SessionDocument } from './session-document.ts'
import { readContext } from './read-context.ts'
import type { SessionState } from './session-state.ts'
import { throwIfAborted, type Signal } from './runtime.ts'
import {
  beginTitle,
  needsTitle,
  titleFields,
  titleFrom,
  titleStateOf,
  type TitleOutcome,
  type TitleState,
} from './title.ts'
import { readPathStatus } from './turns/standing.ts'

/** Makes a title of what the model is shown. It is normalised: see {@link normalizeTitle}. */
export type GenerateTitle<Message> = (
  messages: readonly Message[],
  options: { readonly signal?: Signal | undefined },
) => string | Promise<string>

/** Options of {@link Session.generateTitle}. */
export interface GenerateTitleOptions {
  /** Until the title is handed to the adapter; passed on to `generate`. */
  readonly signal?: Signal | undefined
}

/** Gives a session a title: see {@link Session.generateTitle}. */
export async function generateTitle<Message>(
  state: SessionState<Message>,
  generate: GenerateTitle<Message>,
  { signal }: GenerateTitleOptions,
): Promise<string | undefined> {
  if (typeof generate !== 'function') throw new TypeError('generate: expected a function that makes a title')
  await state.readDocument(signal)
  const before = titleStateOf(state.document)
  if (before.title) return before.title
  if (!needsTitle(before, await readPathStatus(state, signal))) return undefined
  const begin = (current: TitleState) => (current.title ? undefined : beginTitle(current))
  const { title, generation = 0 } = titleStateOf(await change(state, begin, signal))
  if (title) return title
  const outcome = await outcomeOf(state, generate, signal)
  const now = new Date(state.options.clock.now()).toISOString()
  return (await change(state, (current) => titleFrom(current, { generation, outcome, now }), signal)).title
}

/** Changes what the document says about the title, and nothing else: its time and place in lists stay. */
async function change<Message>(
  state: SessionState<Message>,
  next: (current: TitleState) => TitleState | undefined,
  signal: Signal | undefined,
): Promise<SessionDocument> {
  const { document } = await state.change((current) => {
    const changed = next(titleStateOf(current))
    if (!changed) return undefined
    const { title: _title, titleState: _state, ...rest } = current
    return { ...rest, ...titleFields(changed) }
  }, signal)
  return document
}

async function outcomeOf<Message>(
  state: SessionState<Message>,
  generate: GenerateTitle<Message>,
  signal: Signal | undefined,
): Promise<TitleOutcome> {
  const { messages } = await readContext(state, { signal })
  try {
    const text: unknown = await generate(messages, { signal })
    return typeof text === 'string' ? { text } : { error: `generate gave ${typeof text} instead of a text` }
  } catch (error) {
    throwIfAborted(signal)
    return { error: error instanceof Error ? error.message || error.name : String(error) }
  }
}
