import { ancestors, findLeaf } from './ancestry.ts'
import { compactionContent, prepareCompaction, type CompactionDetails } from './compaction.ts'
import type { CompactionSettings } from './compaction-settings.ts'
import type { Context } from './context.ts'
import type { Entry } from './entry.ts'
import type { CompactionContent } from './entry-types.ts'
import { ConflictError, SessionError } from './errors.ts'
import type { MessageFormat } from './message-format.ts'
import { readContextTo } from './read-context.ts'
import type { Leaf } from './record.ts'
import { throwIfAborted, type Signal } from './runtime.ts'
import { appendEntries } from './session-append.ts'
import type { SessionState } from './session-state.ts'

/** What a summary has to cover, beside the messages. */
export interface SummaryRequest {
  /** The summary of the compaction in effect; it ends with this one, so the new summary has to carry on what matters of it. */
  readonly previousSummary?: string
  /** How long the summary may be. */
  readonly maxTokens: number
  readonly signal?: Signal | undefined
}

/** Makes the text that stands for messages. */
export type Summarise<Message> = (messages: readonly Message[], request: SummaryRequest) => string | Promise<string>

/** Options of {@link Session.compact}. */
export interface CompactOptions<Message> extends CompactionDetails {
  /** Asks a model, or whoever it may be. */
  readonly summarise: Summarise<Message>
  readonly settings?: CompactionSettings
  /** Until the entry is on its way, an abort writes nothing; passed on to `summarise`. */
  readonly signal?: Signal | undefined
}

/**
 * The content of a compaction of a context; undefined if there is nothing to compact. For whoever appends it to a path that nobody else changes.
 *
 * @throws {TypeError} for settings that contradict one another, and for a blank summary.
 */
export async function summarisedCompaction<Message>(
  context: Context<Message>,
  format: MessageFormat<Message>,
  options: CompactOptions<Message>,
): Promise<CompactionContent<Message> | undefined> {
  const { summarise, settings, signal, ...details } = options
  if (typeof summarise !== 'function') throw new TypeError('summarise: expected a function that makes a summary')
  const plan = prepareCompaction(context, format, settings)
  if (!plan) return undefined
  const { messages, previousSummary, summaryTokens: maxTokens } = plan
  const about = { ...(previousSummary === undefined ? {} : { previousSummary }), maxTokens, signal }
  const summary = await summarise(messages, about)
  throwIfAborted(signal)
  return compactionContent(plan, summary, details)
}

// While a summary is made the conversation may go on; that often others may be first when it is to be stored.
const TRIES = 16

/** Compacts the path to the leaf: see {@link Session.compact}. */
export async function compactPath<Message>(
  state: SessionState<Message>,
  options: CompactOptions<Message>,
): Promise<Entry<Message> | undefined> {
  const { signal } = options
  const leaf = await state.look(signal)
  const context = await readContextTo(state, leaf, { purpose: 'compaction', signal })
  const content = await summarisedCompaction(context, state.options.format, options)
  if (!content) return undefined
  for (let tries = 0; tries < TRIES; tries++) {
    await state.journal.refresh(signal)
    const now = state.journal.records.state.leaf
    const since = await entriesSince(state, leaf, now, signal)
    if (!since) throw movedError(state.id, 'the leaf was moved to another branch')
    if (since.some(({ type }) => type === 'compaction')) throw movedError(state.id, 'somebody else compacted')
    // The context goes on with what was appended while the summary was made.
    const firstKeptEntryId = content.firstKeptEntryId ?? since[0]?.id ?? null
    try {
      const append = { onConflict: 'rebase', signal } as const
      const [entry] = await appendEntries(state, [{ ...content, firstKeptEntryId }], append, now?.id ?? null)
      return entry
    } catch (error) {
      if (!SessionError.is(error, 'CONFLICT')) throw error
    }
  }
  const id = JSON.stringify(state.id)
  throw new SessionError('BUSY', `Others kept appending to session ${id}, ${TRIES} times in a row; try again.`)
}

/** The entries between two leaves, oldest first; undefined if the second one does not follow the first. */
function entriesSince<Message>(
  state: SessionState<Message>,
  before: Leaf | null,
  now: Leaf | null,
  signal: Signal | undefined,
): Promise<readonly Entry<Message>[] | undefined> {
  if (before?.id === now?.id) return Promise.resolve([])
  if (!before || !now) return Promise.resolve(undefined)
  return state.unlessMoved(async () => {
    const { records } = state.journal
    const start = await findLeaf(records, before, signal)
    const newestFirst: Entry<Message>[] = []
    for await (const found of ancestors(records, now, signal)) {
      if (found.record.id === before.id) return newestFirst.toReversed()
      // Whatever lies below it does not lead to it.
      if (found.position[0] < start.position[0]) return undefined
      if (found.position[0] === start.position[0] && found.at < start.at) return undefined
      newestFirst.push(state.entry(found))
    }
    return undefined
  })
}

function movedError(session: string, what: string): ConflictError {
  return new ConflictError(`While the summary was made, ${what} in session ${JSON.stringify(session)}; compact again.`)
}
