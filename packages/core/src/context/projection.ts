import { isTerminal, markerStatus, type KeptUser } from '../entry-types.ts'
import type { Entry } from '../entry.ts'
import type { MessageFormat } from '../message-format.ts'
import { viewBatch } from './batch.ts'
import { BudgetedTail, checkBudget, type Budget } from './budget.ts'
import { checkpointText, readCheckpoint, type Checkpoint } from './checkpoint.ts'
import { pair } from './pairing.ts'
import { measure, type Measured, type Segment } from './segment.ts'
import { sameBatch, takeApart, visible, type Visible } from './visible.ts'

/** What a context is for. The messages are the same for each; `ui` adds previews and artifacts to the segments. */
export type ContextPurpose = 'provider_request' | 'compaction' | 'ui'

/** Options of a projection. */
export interface ContextOptions extends Budget {
  /** Default: `provider_request`. */
  readonly purpose?: ContextPurpose | undefined
  /**
   * False if the caller knows that the path has no compaction: then a budget that is used up ends the reading. Otherwise it goes on at the newest
   * one: entries say where that is, or that there is none. Only those that an earlier version wrote do not; then it is searched.
   */
  readonly compacted?: boolean | undefined
}

/** A call that has no answer on the path. */
export interface UnansweredCall {
  readonly entryId: string
  readonly turnId?: string
  readonly callId?: string
  readonly name: string
  /** Whether the answer may still come: nothing follows the call, and its turn has not ended. */
  readonly underWay: boolean
}

/** What the model is shown. */
export interface Context<Message> {
  readonly messages: readonly Message[]
  /** The entry that each message comes from: `entries[i]` made `messages[i]`. */
  readonly entries: readonly Entry<Message>[]
  /** What each message is, and what it costs: `segments[i]` describes `messages[i]`. */
  readonly segments: readonly Segment[]
  /** The size of the messages as JSON, in bytes of UTF-8. */
  readonly bytes: number
  /** An estimate. */
  readonly tokens: number
  /** Calls that are not shown because nobody answered them, oldest first. */
  readonly unanswered: readonly UnansweredCall[]
  /** The newest compaction of the path. */
  readonly compaction?: Entry<Message>
  /** Whether nothing was left out for the budget's sake. */
  readonly complete: boolean
}

/** How far back the projection still has to go: to the root, to an entry, by one more batch, to the end of the batch, no further. */
type Goal = 'root' | 'first kept' | 'one batch' | 'whole batch' | 'none'

/**
 * Projects a path to what the model is shown. Takes the entries **newest first**, and says when it has seen enough: so a context costs what it
 * holds, whatever the length of the history. Whoever can tell where the newest compaction lies need not go through the entries before it once {@link seeksCompaction}.
 *
 * Contract
 * - Shown are messages and branch summaries, oldest first; control calls as text; nothing else.
 * - Calls and results are shown in whole batches: no call without its result, no result without its call.
 * - Of several compactions the newest alone counts. Its checkpoint comes first, then what it keeps, then what follows it.
 * - A budget is never exceeded and never splits a batch. What fits of it is shown: the newest batch, then the checkpoint, then the
 *   batches before the newest one, without a gap.
 * - `lost` entries, markers and other types count as nothing, also between a call and its result.
 *
 * @example
 * const projection = new ContextProjection(format, { maxTokens: 100_000 })
 * for (const entry of newestFirst) if (!projection.add(entry)) break
 * const { messages } = projection.build()
 */
export class ContextProjection<Message> {
  readonly #format: MessageFormat<Message>
  readonly #options: ContextOptions
  readonly #forUi: boolean
  readonly #tail: BudgetedTail<Message>
  /** What has been taken, newest first, in case the first kept entry turns out to be missing. */
  readonly #taken: Entry<Message>[] = []
  readonly #unanswered: UnansweredCall[] = []
  /** The batch that is not whole yet, newest first. */
  #batch: Visible<Message>[] = []
  #goal: Goal = 'root'
  #compaction: { readonly entry: Entry<Message>; readonly checkpoint: Checkpoint } | undefined
  /** Kept messages that the tail does not show anyway. */
  readonly #kept = new Set<string>()
  #turnEnded = false
  /** Whether the batch that is not whole yet is the newest of all. */
  #newest = true
  /** Whether that batch is the last one that is wanted. */
  #isLastBatch = false
  #ignoresFirstKept = false

  constructor(format: MessageFormat<Message>, options: ContextOptions = {}) {
    checkBudget(options)
    const { purpose = 'provider_request' } = options
    if (!['provider_request', 'compaction', 'ui'].includes(purpose)) {
      throw new TypeError(`purpose: expected provider_request, compaction or ui, got ${JSON.stringify(purpose)}`)
    }
    this.#format = format
    this.#options = options
    this.#forUi = purpose === 'ui'
    this.#tail = new BudgetedTail(options)
  }

  /** Takes the next older entry; false once no older one can change the context. */
  add(entry: Entry<Message>): boolean {
    if (this.#goal === 'none') return false
    if (this.#newest && this.#batch.length === 0 && beginsOrEndsTurn(entry)) {
      this.#turnEnded = true
      this.#remember(entry)
    }
    if (entry.type === 'compaction' && !this.#compaction) {
      this.#meet(entry)
      return this.#goes()
    }
    const seen = visible(entry, this.#format)
    if (seen) this.#see(seen)
    // It need not be one that the model sees: a turn may be kept from its marker on.
    if (this.#goal === 'first kept' && entry.id === this.#compaction?.checkpoint.firstKept) this.#wholeBatch()
    return this.#goes()
  }

  /** Whether the newest compaction of the path is all that can still change the context. */
  get seeksCompaction(): boolean {
    return this.#goal === 'root' && this.#tail.isFull
  }

  /** What the model is shown, as far as the entries go that were taken. Call it once, after the last of them. */
  build(): Context<Message> {
    if (this.#goal === 'first kept') return this.#withoutFirstKept()
    this.#endBatch()
    const compaction = this.#compaction
    const { batches, head, complete } = this.#tail.fit((hasTail) => (compaction ? this.#head(compaction, hasTail) : []))
    const measured: { readonly each: Measured<Message>; readonly batch: number }[] = []
    for (const [batch, shown] of (head.length > 0 ? [head, ...batches] : batches).entries()) {
      for (const each of shown) measured.push({ each, batch })
    }
    const segments = measured.map(({ each, batch }): Segment => ({ ...each.segment, batch }))
    return {
      messages: measured.map(({ each }) => each.message),
      entries: measured.map(({ each }) => each.entry),
      segments,
      bytes: segments.reduce((sum, { bytes }) => sum + bytes, 0),
      tokens: segments.reduce((sum, { tokens }) => sum + tokens, 0),
      unanswered: this.#unanswered.toReversed(),
      ...(compaction ? { compaction: compaction.entry } : {}),
      complete,
    }
  }

  #goes(): boolean {
    if (this.#goal === 'root' && this.#tail.isFull && this.#options.compacted === false) this.#goal = 'none'
    return this.#goal !== 'none'
  }

  #meet(entry: Entry<Message>): void {
    const checkpoint = readCheckpoint(entry as Entry<never>)
    this.#compaction = { entry, checkpoint }
    this.#taken.push(entry)
    for (const { entryId } of [...checkpoint.keptUsers, ...checkpoint.keptSystem]) this.#kept.add(entryId)
    const { firstKept } = checkpoint
    if (typeof firstKept === 'string' && !this.#ignoresFirstKept) this.#goal = 'first kept'
    else if (firstKept === null || checkpoint.keptUsers.length > 0) this.#wholeBatch()
    else this.#goal = 'one batch'
  }

  #see(seen: Visible<Message>): void {
    const newer = this.#batch.at(-1)
    if (newer && !sameBatch(seen, newer)) this.#endBatch()
    if (this.#goal === 'none') return
    this.#remember(seen.entry)
    this.#kept.delete(seen.entry.id)
    this.#batch.push(seen)
    if (this.#goal === 'one batch') this.#isLastBatch = true
    if (this.#goal === 'whole batch') this.#wholeBatch()
    // Only calls and results can have an older entry in their batch.
    if (!seen.external && seen.parts.calls.length === 0) this.#endBatch()
  }

  /** Goes on only until each result at hand has its call. */
  #wholeBatch(): void {
    const { orphans } = pair(this.#batch.toReversed().map(({ parts }) => parts))
    this.#goal = orphans.length > 0 ? 'whole batch' : 'none'
    if (this.#goal === 'none') this.#endBatch()
  }

  #endBatch(): void {
    if (this.#batch.length === 0) return
    const batch = this.#batch.toReversed()
    this.#batch = []
    const isNewest = this.#newest
    this.#newest = false
    if (this.#goal === 'whole batch' || this.#isLastBatch) this.#goal = 'none'
    if (this.#tail.isFull) return
    const { shown, unanswered } = viewBatch(batch, this.#format, isNewest)
    for (const { entry, call } of unanswered.toReversed()) {
      this.#unanswered.push({
        entryId: entry.id,
        ...(entry.turnId === undefined ? {} : { turnId: entry.turnId }),
        ...(call.id === undefined ? {} : { callId: call.id }),
        name: call.name,
        underWay: isNewest && !this.#turnEnded,
      })
    }
    this.#tail.add(
      shown.map(({ kind, ...each }) => {
        const isSummary = kind === 'message' && each.entry.type === 'branch_summary'
        return measure({ ...each, kind: isSummary ? 'branch_summary' : kind }, this.#format, this.#forUi)
      }),
    )
  }

  #head(
    { entry, checkpoint }: { readonly entry: Entry<Message>; readonly checkpoint: Checkpoint },
    hasTail: boolean,
  ): readonly Measured<Message>[] {
    const isLeft = ({ entryId }: { readonly entryId: string }) => this.#kept.has(entryId)
    const { summary, keptUsers, keptSystem, generation } = checkpoint
    const head = keptSystem.filter(isLeft).map(({ entryId, message: stored }) => {
      const message = stored as Message
      const parts = takeApart(message, 'system_message', this.#format)
      return measure({ entry, message, parts, kind: 'message', entryId }, this.#format, this.#forUi)
    })
    if (summary === '') return head
    const users: readonly KeptUser[] = keptUsers.filter(isLeft)
    const text = checkpointText({ summary, keptUsers: users, hasTail })
    const message = this.#format.fromText('user', text, { id: entry.id, createdAt: entry.createdAt })
    const parts = { text, calls: [], results: [], attachments: [] }
    const kind = 'compaction_summary'
    return [...head, measure({ entry, message, parts, kind, generation }, this.#format, this.#forUi)]
  }

  #remember(entry: Entry<Message>): void {
    const isWanted = this.#goal === 'root' || this.#goal === 'first kept'
    if (isWanted && !this.#tail.isFull) this.#taken.push(entry)
  }

  /** The first kept entry is not on the path: as if the compaction had named none. */
  #withoutFirstKept(): Context<Message> {
    const again = new ContextProjection(this.#format, this.#options)
    again.#ignoresFirstKept = true
    for (const entry of this.#taken) if (!again.add(entry)) break
    return again.build()
  }
}

/** What says that no call before it is still under way. */
function beginsOrEndsTurn(entry: { readonly type: string }): boolean {
  const status = markerStatus(entry)
  return status === 'started' || isTerminal(status)
}
