import { ancestors } from '../ancestry.ts'
import { SessionError } from '../errors.ts'
import { LifecycleDerivation, type Lifecycle, type SessionStatus } from '../lifecycle.ts'
import { RetrySearch, type RetryTarget } from '../retry.ts'
import type { Signal } from '../runtime.ts'
import type { Position } from '../entry.ts'
import type { SessionState } from '../session-state.ts'
import { leaseOf } from './lease.ts'
import { previewOf, summaryField, summaryOf, type Summary } from './summary.ts'

/** Where a retry starts: pass it to `beginTurn({ from })`. */
export interface RetryPoint<Message = unknown> extends RetryTarget<Message> {
  /** The id of the entry that the new turn follows. */
  readonly id: string
  readonly position: Position
}

/** Derives where the session stands: see {@link Session.status}. */
export async function readStatus<Message>(
  state: SessionState<Message>,
  signal: Signal | undefined,
): Promise<Lifecycle> {
  return (await readStanding(state, { wantsPreview: false, signal })).lifecycle
}

/** {@link readStatus} by the path alone: for whoever does not ask whether a turn that is open is under way, or was interrupted. */
export async function readPathStatus<Message>(
  state: SessionState<Message>,
  signal: Signal | undefined,
): Promise<SessionStatus> {
  return (await readPathStanding(state, { activeTurnId: undefined, wantsPreview: false, signal })).lifecycle.status
}

/** Finds where a retry starts: see {@link Session.retryTarget}. */
export async function findRetry<Message>(
  state: SessionState<Message>,
  signal: Signal | undefined,
): Promise<RetryPoint<Message>> {
  const leaf = await state.look(signal)
  return state.unlessMoved(async () => {
    const search = new RetrySearch<Message>()
    let target: RetryTarget<Message> | undefined
    const seen = new Map<string, Position>()
    if (leaf) {
      for await (const found of ancestors(state.journal.records, leaf, signal)) {
        seen.set(found.record.id, found.position)
        const goesOn: boolean = target === undefined && search.add(state.entry(found))
        if (!goesOn) target ??= search.target()
        // The entry before a save point is the next one.
        if (!goesOn && (!target || seen.has(target.entryId))) break
      }
    }
    target ??= search.target()
    const position = target && seen.get(target.entryId)
    if (target && position) return { ...target, id: target.entryId, position }
    throw new SessionError(
      'NO_RETRY_TARGET',
      `Nothing on the path of session ${JSON.stringify(state.id)} can be tried again: it has no failure and no message of a user.`,
    )
  })
}

/** Writes down how the session stands, for lists: see {@link Session.touch}. */
export async function touch<Message>(state: SessionState<Message>, signal: Signal | undefined): Promise<void> {
  const { lifecycle, preview } = await readStanding(state, { wantsPreview: true, signal })
  const { records } = state.journal
  const newest = records.recent().at(-1)?.record
  await state.change((current) => {
    const summary: Summary = {
      updatedAt: newest?.createdAt ?? current.createdAt,
      status: lifecycle.status,
      ...(preview === undefined ? {} : { preview }),
      records: records.length,
    }
    const before = summaryOf(current)
    return before && isSame(before, summary) ? undefined : { ...current, summary: summaryField(summary) }
  }, signal)
}

/** Where a session stands, and what lists show of it. */
interface Standing {
  readonly lifecycle: Lifecycle
  readonly preview: string | undefined
}

/** Looks who holds the session, then at its path. */
async function readStanding<Message>(
  state: SessionState<Message>,
  options: { readonly wantsPreview: boolean; readonly signal: Signal | undefined },
): Promise<Standing> {
  await state.readDocument(options.signal)
  const lease = leaseOf(state.document)
  const isHeld = lease !== undefined && !(await state.leases.investigate(lease))
  return readPathStanding(state, { ...options, activeTurnId: isHeld ? lease.turn : undefined })
}

/** Derives it from the markers on the path: reads from the leaf backwards, no further than the newest turn and the newest message that says anything. */
async function readPathStanding<Message>(
  state: SessionState<Message>,
  {
    activeTurnId,
    wantsPreview,
    signal,
  }: {
    readonly activeTurnId: string | undefined
    readonly wantsPreview: boolean
    readonly signal: Signal | undefined
  },
): Promise<Standing> {
  // Not shown: whoever hears how a session stands has not seen what was said.
  await state.journal.refresh(signal)
  const { leaf, turn: openTurnId } = state.journal.records.state
  return state.unlessMoved(async () => {
    const { records } = state.journal
    const derivation = new LifecycleDerivation(state.options.format, { activeTurnId, openTurnId })
    let [isDerived, preview]: [boolean, string | undefined] = [false, undefined]
    if (leaf) {
      for await (const found of ancestors(records, leaf, signal)) {
        const entry = state.entry(found)
        if (wantsPreview) preview ??= previewOf(entry, state.options.format)
        isDerived ||= !derivation.add(entry)
        if (isDerived && (!wantsPreview || preview !== undefined)) break
      }
    }
    return { lifecycle: derivation.status(), preview }
  })
}

function isSame(a: Summary, b: Summary): boolean {
  return a.updatedAt === b.updatedAt && a.status === b.status && a.preview === b.preview && a.records === b.records
}
