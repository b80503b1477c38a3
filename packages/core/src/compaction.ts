import { checkpointText, readCheckpoint } from './context/checkpoint.ts'
import type { Context } from './context/projection.ts'
import type { CompactionContent, CompactionReason, CompactionTrigger, KeptSystem, KeptUser } from './entry-types.ts'
import type { Entry, JsonObject } from './entry.ts'
import type { MessageFormat } from './message-format.ts'
import { compactionSettings, type CompactionSettings } from './compaction-settings.ts'
import { takeApart } from './context/visible.ts'
import { estimateMessageTokens, estimateTokens } from './token-estimate.ts'

/** A cut through a context: what is to be summarised, and what the compaction will keep. */
export interface CompactionPlan<Message> {
  /** What the summary has to cover, oldest first, beside `previousSummary`. */
  readonly messages: readonly Message[]
  /** The summary of the compaction in effect; it ends with this one, so the new summary has to carry on what matters of it. */
  readonly previousSummary?: string
  /** How long the summary may be, in tokens: what the target leaves. */
  readonly summaryTokens: number
  /** What is stored, but for the summary; {@link compactionContent} completes it. */
  readonly content: Omit<CompactionContent<Message>, 'summary' | 'tokensAfter'>
  /** The estimate for what stays in the context, without the checkpoint. */
  readonly keptTokens: number
}

/** What a caller may say about a compaction. */
export interface CompactionDetails {
  readonly trigger?: CompactionTrigger
  readonly reason?: CompactionReason
  readonly metadata?: JsonObject
}

/**
 * Cuts a context for a compaction; undefined if there is nothing to compact.
 *
 * Contract
 * - Kept is the tail: whole batches from the end until `tailTokens` are reached, fewer if the context left would exceed `targetTokens`. All before it is to be
 *   summarised. Of a single batch nothing is kept.
 * - System messages before the cut are kept as they are; the user's messages word for word: the newest one always, older ones within `userTokens`, also
 *   those that an earlier compaction had kept.
 * - Pure: nothing is read or written. `context` is the whole one, without a budget.
 *
 * @example
 * const plan = prepareCompaction(await session.context(), format)
 * if (plan) await session.record(compactionContent(plan, await summarise(plan.messages, plan.previousSummary)))
 *
 * @throws {TypeError} for a context that a budget has cut: what is missing would be lost for good.
 */
export function prepareCompaction<Message>(
  context: Context<Message>,
  format: MessageFormat<Message>,
  settings?: CompactionSettings,
): CompactionPlan<Message> | undefined {
  if (!context.complete) throw new TypeError('context: expected a complete one; leave maxTokens and maxBytes out')
  const limits = compactionSettings(settings)
  const batches = batchesOf(context)
  const previous = context.compaction && readCheckpoint(context.compaction as Entry<never>)
  const users = usersToKeep(context, previous?.keptUsers ?? [], format, limits.userTokens)

  let first = batches.length
  let tail = 0
  // A single batch leaves nothing to choose: it is compacted.
  if (batches.length > 1) while (first > 0 && tail < limits.tailTokens) tail += batches[--first]?.tokens ?? 0
  const overhead = limits.overheadTokens + limits.summaryTokens
  const isBefore = (cut: number) => (user: CandidateUser) => user.at < (batches[cut]?.from ?? Infinity)
  while (first < batches.length && overhead + costOf(users.filter(isBefore(first))) + tail > limits.targetTokens) {
    tail -= batches[first++]?.tokens ?? 0
  }

  const head = context.messages.map((message, at) => ({ message, at })).slice(0, batches[first]?.from)
  const isSystem = ({ at }: { at: number }) => context.segments[at]?.entryType === 'system_message'
  const isCheckpoint = ({ at }: { at: number }) => context.segments[at]?.kind === 'compaction_summary'
  const summarised = head.filter((each) => !isSystem(each) && !isCheckpoint(each))
  const through = summarised.at(-1)
  if (!through) return undefined

  const kept = users.filter(isBefore(first)).map(({ entryId, text }): KeptUser => ({ entryId, text }))
  const system = head
    .filter(isSystem)
    .map(({ message, at }): KeptSystem<Message> => ({ entryId: context.segments[at]?.entryId as string, message }))
  const systemTokens = head.filter(isSystem).reduce((sum, { at }) => sum + (context.segments[at]?.tokens ?? 0), 0)
  return {
    messages: summarised.map(({ message }) => message),
    ...(previous && previous.summary !== '' ? { previousSummary: previous.summary } : {}),
    summaryTokens: limits.summaryTokens,
    keptTokens: tail + systemTokens,
    content: {
      type: 'compaction',
      firstKeptEntryId: context.entries[batches[first]?.from ?? -1]?.id ?? null,
      ...(kept.length > 0 ? { keptUsers: kept } : {}),
      ...(system.length > 0 ? { keptSystem: system } : {}),
      compactedThroughEntryId: context.entries[through.at]?.id as string,
      ...(context.compaction ? { previousCompactionId: context.compaction.id } : {}),
      generation: (previous?.generation ?? 0) + 1,
      tokensBefore: context.tokens,
    },
  }
}

/**
 * The content of a compaction's entry: a plan with its summary.
 *
 * Contract
 * - `tokensAfter` estimates the context that it leaves. Where {@link shouldCompact} is still true of that, the summary is too long, or what is kept is.
 *
 * @throws {TypeError} for a blank summary: it would stand for nothing, and what it covers would be gone from the context.
 */
export function compactionContent<Message>(
  plan: CompactionPlan<Message>,
  summary: string,
  details: CompactionDetails = {},
): CompactionContent<Message> {
  if (typeof summary !== 'string' || summary.trim() === '')
    throw new TypeError('summary: expected a text that is not blank')
  const { keptUsers = [], firstKeptEntryId } = plan.content
  const text = checkpointText({ summary: summary.trim(), keptUsers, hasTail: firstKeptEntryId !== null })
  const parts = { text, calls: [], results: [], attachments: [] }
  const { trigger, reason, metadata } = details
  return {
    ...plan.content,
    summary: summary.trim(),
    ...(trigger === undefined ? {} : { trigger }),
    ...(reason === undefined ? {} : { reason }),
    tokensAfter: plan.keptTokens + estimateMessageTokens(parts, 'compaction_summary'),
    ...(metadata === undefined ? {} : { metadata }),
  }
}

/** Whether a context of so many tokens leaves too little of the model's window: {@link CompactionSettings}. */
export function shouldCompact(tokens: number, settings?: CompactionSettings): boolean {
  const { contextWindow, outputTokens, threshold } = compactionSettings(settings)
  return tokens >= Math.floor((contextWindow - outputTokens) * threshold)
}

/** Messages that belong together: their places in the context, and what they cost. */
interface Batch {
  readonly from: number
  tokens: number
}

function batchesOf({ segments, entries }: Context<unknown>): readonly Batch[] {
  const batches: Batch[] = []
  for (const [at, { batch, tokens }] of segments.entries()) {
    // What stands for the compacted head comes from the compaction.
    if (entries[at]?.type === 'compaction') continue
    const current = batches.at(-1)
    if (current && segments[at - 1]?.batch === batch) current.tokens += tokens
    else batches.push({ from: at, tokens })
  }
  return batches
}

interface CandidateUser extends KeptUser {
  /** Its place in the context; -1 if an earlier compaction had kept it. */
  readonly at: number
  readonly tokens: number
}

const costOf = (users: readonly CandidateUser[]) => users.reduce((sum, { tokens }) => sum + tokens, 0)

/** The user's messages to keep word for word, oldest first. */
function usersToKeep<Message>(
  context: Context<Message>,
  earlier: readonly KeptUser[],
  format: MessageFormat<Message>,
  limit: number,
): readonly CandidateUser[] {
  const shown = context.messages.flatMap((message, at) => {
    const entry = context.entries[at]
    if (entry?.type !== 'user_message') return []
    return [{ entryId: entry.id, text: takeApart(message, entry.type, format).text, at }]
  })
  const known = new Set(shown.map(({ entryId }) => entryId))
  const candidates = [
    ...earlier.filter(({ entryId }) => !known.has(entryId)).map((user) => ({ ...user, at: -1 })),
    ...shown,
  ]
  const kept: CandidateUser[] = []
  let left = limit
  for (const user of candidates.toReversed()) {
    if (user.text.trim() === '') continue
    const tokens = estimateTokens(user.text)
    if (kept.length > 0 && tokens > left) break
    left -= tokens
    kept.unshift({ ...user, tokens })
  }
  return kept
}
