import { MAX_BATCH_RECORDS } from './adapter.ts'
import { leafOf } from './ancestry.ts'
import { CONTROL_TYPES, isMessageEntry, type Entry } from './entry.ts'
import { markerStatus } from './entry-types.ts'
import { ConflictError, SessionError } from './errors.ts'
import { PathMirror } from './live/path-mirror.ts'
import type { NewMessage } from './new-message.ts'
import type { Leaf, RecordContent } from './record.ts'
import type { JournalRecord } from './records.ts'
import type { Signal } from './runtime.ts'
import { appendEntries, moveLeaf } from './session-append.ts'
import type { SessionState } from './session-state.ts'
import type { Shown } from './shown-leaf.ts'

/** Options of {@link Session.save}. */
export interface SaveOptions {
  /**
   * What to do when the path has messages that the array lacks because another writer appended them: `"reject"` (default) with the missed entries, or `"rebase"`: what the
   * array adds to what this handle knew goes behind them.
   */
  readonly onConflict?: 'reject' | 'rebase' | undefined
  /** As for {@link Session.append}. */
  readonly signal?: Signal | undefined
}

/** What {@link Session.save} did. */
export interface Saved<Message> {
  /** The entries of the messages that were new. */
  readonly appended: readonly Entry<Message>[]
  /** How many messages at the start of the array were there already. */
  readonly kept: number
  /** Where it left the path that was there: the id of the entry that is followed now, null before the first one. Absent: it only went on. */
  readonly branchedFrom?: string | null
}

const MAX_CHUNK_BYTES = 8 * 1024 * 1024
const TRIES = 16

/** What matters of an entry of the path. */
interface Step {
  readonly leaf: Leaf
  readonly hash: string
  readonly isMessage: boolean
  readonly beginsTurn: boolean
}

/** Brings a session to what arrays of messages say, one after the other. */
export class MessageSaver<Message> {
  readonly #state: SessionState<Message>
  readonly #mirror: PathMirror<Message, Step>
  #saving: Promise<unknown> = Promise.resolve()

  constructor(state: SessionState<Message>) {
    this.#state = state
    this.#mirror = new PathMirror(state, stepOf)
  }

  /** See {@link Session.save}; `shown` is what the caller knew when it called. */
  async save(messages: readonly NewMessage[], shown: Shown, options: SaveOptions): Promise<Saved<Message>> {
    const { onConflict } = options
    if (onConflict !== undefined && onConflict !== 'reject' && onConflict !== 'rebase') {
      throw new TypeError(`onConflict: expected reject or rebase, got ${JSON.stringify(onConflict)}`)
    }
    const saving = this.#saving.then(() => this.#save(messages, shown, options))
    this.#saving = saving.catch(() => undefined)
    return saving
  }

  async #save(messages: readonly NewMessage[], shown: Shown, options: SaveOptions): Promise<Saved<Message>> {
    const appended: Entry<Message>[] = []
    let before: Pick<Saved<Message>, 'kept' | 'branchedFrom'> | undefined
    const known = shown
    for (let tries = 0; tries < TRIES; tries++) {
      const step = await this.#next(messages, known, options)
      if (step === 'again') continue
      before ??= step.before
      appended.push(...step.entries)
      if (step.isDone) return { appended, ...before }
      Object.assign(known, this.#state.shown.now)
      tries = -1
    }
    const id = JSON.stringify(this.#state.id)
    throw new SessionError('BUSY', `Others kept appending to session ${id}, ${TRIES} times in a row; try again.`)
  }

  /** Looks, and appends once at most. */
  async #next(messages: readonly NewMessage[], known: Shown, options: SaveOptions): Promise<NextStep<Message>> {
    const { onConflict = 'reject', signal } = options
    const state = this.#state
    await state.journal.refresh(signal)
    const { records } = state.journal
    const { leaf } = records.state
    // Whoever has seen nothing yet knows what is there at first.
    if (known.leaf === undefined) Object.assign(known, { leaf, length: records.length })
    const path = await this.#mirror.pathTo(leaf, signal)
    const ofMessages = path.filter(({ isMessage }) => isMessage)
    const kept = commonPrefix(ofMessages, messages)
    const ifLeaf = leaf?.id ?? null
    if (kept === ofMessages.length) {
      if (kept === messages.length) {
        // Nothing is appended that would tell whether the session still exists.
        await state.readDocument(signal)
        if (state.log() !== state.journal.log) return 'again'
        state.shown.agreed(state.shown.now, records)
        return { entries: [], before: { kept }, isDone: true }
      }
      return this.#append(messages, kept, { ifLeaf, signal }, { kept })
    }
    if (idOfLeaf(known.leaf) !== ifLeaf) {
      if (onConflict === 'reject') throw this.#missed(known)
      const base = await this.#keptOfKnown(messages, known, signal)
      if (base !== undefined) return this.#rebase(messages, base, signal)
    }
    const parent = branchPoint(path, kept)
    const before = { kept, branchedFrom: parent?.id ?? null }
    if (kept < messages.length) return this.#append(messages, kept, { ifLeaf, parent, signal }, before)
    const moved = await unlessConflict(moveLeaf(state, parent, { signal }, ifLeaf))
    return moved ? { entries: [], before, isDone: true } : 'again'
  }

  /** Appends as many messages from `from` on as one append takes. */
  async #append(
    messages: readonly NewMessage[],
    from: number,
    {
      ifLeaf,
      ...options
    }: { readonly ifLeaf: string | null; readonly parent?: Leaf | null; readonly signal: Signal | undefined },
    before: Pick<Saved<Message>, 'kept' | 'branchedFrom'>,
  ): Promise<NextStep<Message>> {
    const contents = firstChunk(messages, from)
    const stored = await unlessConflict(
      appendEntries(this.#state, contents, { ...options, onConflict: 'rebase' }, ifLeaf),
    )
    if (!stored) return 'again'
    return { entries: stored.result, before, isDone: from + contents.length === messages.length }
  }

  /** Appends what the array adds to what was known, behind whatever is there by now. */
  async #rebase(messages: readonly NewMessage[], kept: number, signal: Signal | undefined): Promise<NextStep<Message>> {
    const entries: Entry<Message>[] = []
    while (kept + entries.length < messages.length) {
      const contents = firstChunk(messages, kept + entries.length)
      entries.push(...(await appendEntries(this.#state, contents, { onConflict: 'rebase', signal })))
    }
    return { entries, before: { kept }, isDone: true }
  }

  /** How many messages this handle knew on its path, if the array begins with all of them; else undefined. */
  async #keptOfKnown(
    messages: readonly NewMessage[],
    known: Shown,
    signal: Signal | undefined,
  ): Promise<number | undefined> {
    const id = idOfLeaf(known.leaf)
    const leaf = id === null ? null : leafOf(await this.#state.find(id, signal))
    const path = await new PathMirror(this.#state, stepOf).pathTo(leaf, signal)
    const ofMessages = path.filter(({ isMessage }) => isMessage)
    const kept = commonPrefix(ofMessages, messages)
    return kept === ofMessages.length ? kept : undefined
  }

  #missed(known: Shown): ConflictError {
    const { records } = this.#state.journal
    const entries = records
      .recent()
      .filter(({ at, record }) => at >= known.length && !CONTROL_TYPES.has(record.content.type))
      .map((found) => this.#state.entry(found))
    // Whoever is told of them has seen them.
    this.#state.shown.show(records)
    return new ConflictError(
      `Another writer moved the leaf of session ${JSON.stringify(this.#state.id)}, and the array lacks what it appended. Take over the ` +
        'entries (error.entries), then save again, or pass onConflict: "rebase".',
      { entries },
    )
  }
}

/** What one append did; `"again"` if others were first. */
type NextStep<Message> =
  | 'again'
  | {
      readonly entries: readonly Entry<Message>[]
      readonly before: Pick<Saved<Message>, 'kept' | 'branchedFrom'>
      readonly isDone: boolean
    }

async function unlessConflict<Result>(change: Promise<Result>): Promise<{ readonly result: Result } | undefined> {
  try {
    return { result: await change }
  } catch (error) {
    if (SessionError.is(error, 'CONFLICT')) return undefined
    throw error
  }
}

function firstChunk(messages: readonly NewMessage[], from: number): readonly RecordContent[] {
  const contents: RecordContent[] = []
  let left = MAX_CHUNK_BYTES
  for (const { content, bytes } of messages.slice(from, from + MAX_BATCH_RECORDS)) {
    left -= bytes
    if (left < 0 && contents.length > 0) break
    contents.push(content)
  }
  return contents
}

function stepOf({ record, position }: JournalRecord): Step {
  const { content } = record
  return {
    leaf: { id: record.id, position },
    hash: record.hash,
    isMessage: isMessageEntry(content as unknown as Entry),
    beginsTurn: markerStatus(content) === 'started',
  }
}

function commonPrefix(path: readonly Step[], messages: readonly NewMessage[]): number {
  const differs = path.findIndex(({ hash }, at) => hash !== messages[at]?.hash)
  return differs < 0 ? path.length : differs
}

/** The entry to follow when `kept` messages stay: the last of them, with what its turn left behind it. */
function branchPoint(path: readonly Step[], kept: number): Leaf | null {
  let seen = 0
  let last: Leaf | null = null
  for (const { leaf, isMessage, beginsTurn } of path) {
    if (isMessage && ++seen > kept) break
    // The next turn begins with a message that does not stay.
    if (beginsTurn && seen === kept) break
    last = leaf
  }
  return last
}

const idOfLeaf = (leaf: Shown['leaf']) => leaf?.id ?? null
