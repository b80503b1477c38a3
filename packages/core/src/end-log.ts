import { v7 } from 'uuid'
import type { StorageAdapter } from './adapter.ts'
import { backOff, type Environment } from './environment.ts'
import { SessionError, UncertainError } from './errors.ts'
import { contentHash, decodeRecord, encodeRecord, ROOT_DIGEST, type RecordState } from './record.ts'
import { throwIfAborted, type Signal } from './runtime.ts'

/** Options of {@link endLog}. */
export interface EndLogOptions {
  /** The number that positions in this log have. Default 0. */
  readonly segment?: number | undefined
  /** What an empty log starts from. Default: nothing. */
  readonly initial?: RecordState | undefined
  /** Honoured before an append is handed to the adapter. */
  readonly signal?: Signal | undefined
}

/** How {@link endLog} left a log. */
export interface EndedLog {
  /** Whether every append at the log's end is refused or sees the `closed` record from now on. */
  readonly fenced: boolean
  /** The index of the `closed` record; undefined if the log was dropped, or is too damaged to take one. */
  readonly at: number | undefined
}

const CLOSED = Object.freeze({ type: 'closed' })
const RACES = 100
const SETTLE_TRIES = 6
// How often an index may be refused although nobody holds it, before the name counts as spent.
const DOUBTS = 3
const EMPTY: RecordState = Object.freeze({ leaf: null, epoch: 0, turn: null })

/**
 * Puts the record `closed` behind the last one of a log, unless it ends in one already.
 *
 * Contract
 * - A log that holds nothing gets it at index 0. It leaves behind the leaf, epoch and turn of the record before it, if that can be read.
 * - When others append meanwhile it goes behind them; `BUSY` if they keep being first.
 * - A dropped log is fenced by its trace. A tail so damaged that the adapter cannot tell the length resolves with `fenced: false`.
 * - `UNCERTAIN` if nobody can tell whether it is there; the same call again finds out.
 */
export async function endLog(environment: Environment, log: string, options: EndLogOptions = {}): Promise<EndedLog> {
  const { signal } = options
  let refused: { readonly at: number; readonly atLeast: number } | undefined
  let doubts = 0
  for (let race = 0; race < RACES; race++) {
    throwIfAborted(signal)
    const tail = await readTail(environment.adapter, log, options)
    if (!tail) return { fenced: false, at: undefined }
    if (tail.isClosed) return { fenced: true, at: tail.length - 1 }
    const at = tail.isDamaged ? Math.max(tail.length, refused?.atLeast ?? 0) : tail.length
    // The index was refused, and still nobody holds it.
    if (at === refused?.at) {
      if (++doubts === DOUBTS) return { fenced: !tail.isDamaged, at: undefined }
      await backOff(environment, doubts, signal)
    }
    throwIfAborted(signal)
    const outcome = await takeIndex(environment, log, at, closedRecord(environment, tail.state))
    if (outcome === 'stored') return { fenced: true, at }
    if (outcome === 'damaged') return { fenced: false, at: undefined }
    refused = { at, atLeast: outcome.atLeast }
  }
  throw new SessionError('BUSY', `Others appended to log ${log} faster than it could be ended; try again.`)
}

interface Tail {
  readonly length: number
  readonly state: RecordState
  readonly isClosed: boolean
  readonly isDamaged: boolean
}

/** What the last record says; undefined if damage hides where the log ends. */
async function readTail(adapter: StorageAdapter, log: string, options: EndLogOptions): Promise<Tail | undefined> {
  const { segment = 0, initial = EMPTY, signal } = options
  const nothing = { length: 0, state: initial, isClosed: false, isDamaged: false }
  let last: { readonly at: number; readonly text: string } | undefined
  try {
    for await (const { at, records } of adapter.read(log, { reverse: true, limit: 1, signal })) {
      last = { at: at + records.length - 1, text: records.at(-1) as string }
    }
  } catch (error) {
    // Somebody else drops it: what is read next is empty, and refuses every index.
    if (SessionError.is(error, 'DELETED')) return nothing
    if (!SessionError.is(error, 'CORRUPT')) throw error
    return error.at === undefined
      ? undefined
      : { length: error.at + 1, state: initial, isClosed: false, isDamaged: true }
  }
  if (!last) return nothing
  const length = last.at + 1
  try {
    const { state, content } = decodeRecord(last.text, [segment, last.at], log)
    return { length, state, isClosed: content.type === CLOSED.type, isDamaged: false }
  } catch (error) {
    if (!SessionError.is(error, 'CORRUPT')) throw error
    return { length, state: initial, isClosed: false, isDamaged: false }
  }
}

/** Appends at an index until it is known who holds it; reading it would not do, for a late answer may still fill it. */
async function takeIndex(
  environment: Environment,
  log: string,
  at: number,
  text: string,
): Promise<'stored' | 'damaged' | { readonly atLeast: number }> {
  let uncertain: unknown
  for (let attempt = 0; attempt < SETTLE_TRIES; attempt++) {
    // Without the signal: an outcome in the open is worth these milliseconds.
    if (attempt > 0) await backOff(environment, attempt)
    try {
      await environment.adapter.append(log, at, [text])
      return 'stored'
    } catch (error) {
      // An earlier attempt may hold the index: then the tail says `closed`, which is all that matters.
      if (SessionError.is(error, 'CONFLICT')) return { atLeast: error.atLeast ?? 0 }
      if (SessionError.is(error, 'UNCERTAIN')) {
        uncertain = error
        continue
      }
      // A failure now says nothing about the attempts before it.
      if (uncertain !== undefined) break
      if (SessionError.is(error, 'CORRUPT')) return 'damaged'
      throw error
    }
  }
  throw new UncertainError(`Nobody can tell whether log ${log} was ended; the same call again finds out.`, {
    cause: uncertain,
  })
}

function closedRecord({ clock, random }: Environment, { leaf, epoch, turn }: RecordState): string {
  const msecs = clock.now()
  const { text } = encodeRecord({
    id: v7({ msecs, random: random.bytes(16) }),
    parentId: null,
    parentDigest: ROOT_DIGEST,
    createdAt: new Date(msecs).toISOString(),
    content: CLOSED,
    hash: contentHash(CLOSED),
    leaf,
    epoch,
    turn,
    hints: {},
  })
  return text
}
