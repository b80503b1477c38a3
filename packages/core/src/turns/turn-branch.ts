import { findEntry, idOf, type EntryReference } from '../ancestry.ts'
import {
  encodeChain,
  findStored,
  newChain,
  parentFrom,
  type AppendOptions,
  type NewChain,
  type Parent,
} from '../append.ts'
import { isMessageEntry, type Entry } from '../entry.ts'
import { SessionError } from '../errors.ts'
import type { RecordContent } from '../record.ts'
import type { Draft, JournalRecord } from '../records.ts'
import type { SessionState } from '../session-state.ts'
import { leaseLost } from './active-turn.ts'
import { previewOf } from './summary.ts'
import { TurnPath } from './turn-path.ts'

/** Which turn a branch belongs to. */
export interface TurnIdentity {
  readonly id: string
  readonly epoch: number
}

/** Options of {@link Turn.append} and {@link Turn.record}. */
export interface TurnAppendOptions extends Pick<AppendOptions, 'id' | 'ifAbsent' | 'createdAt' | 'leaf' | 'signal'> {
  /** An entry of this turn. Default: the last one. */
  readonly parent?: EntryReference | undefined
}

/**
 * What one open turn has appended, and the fence in front of what it appends next.
 *
 * Invariant: nothing is encoded unless the log that it goes to says that this turn is the open one, with this epoch. Who comes first at an index
 * decides, so a holder that slept finds whoever took over, however late it wakes.
 */
export class TurnBranch<Message> {
  readonly #state: SessionState<Message>
  readonly identity: TurnIdentity
  readonly path: TurnPath<Message>
  /** The entry that the next one follows, as far as it is committed. */
  #tip: JournalRecord
  /** Those that were to leave the leaf: nothing follows them by itself. */
  readonly #aside = new Set<string>()
  #preview: string | undefined

  constructor(state: SessionState<Message>, identity: TurnIdentity, started: JournalRecord) {
    this.#state = state
    this.identity = identity
    this.#tip = started
    this.path = new TurnPath(state, started)
  }

  /** Whether the session's leaf is where this turn left it, as far as this handle knows. */
  get holdsLeaf(): boolean {
    return this.#state.journal.records.state.leaf?.id === this.#tip.record.id
  }

  /** The beginning of the newest message that says anything. */
  get preview(): string | undefined {
    return this.#preview
  }

  /** Appends entries of the turn behind one another: see {@link Turn.append}. */
  async append(contents: readonly RecordContent[], options: TurnAppendOptions): Promise<readonly Entry<Message>[]> {
    if (contents.length === 0) return []
    const { ifAbsent, parent, leaf = 'take', signal } = options
    if (parent === null)
      throw new TypeError('parent: an entry of a turn follows one of the same turn; start a new root before it')
    const chain = newChain(contents, options, this.#state.options)
    const recognise = options.id !== undefined
    const wholeLog = ifAbsent === 'whole-log'
    const follows = parent === undefined ? this : undefined
    const known = recognise
      ? (draft: Draft, fresh: boolean) => findStored(draft, chain, { wholeLog, fresh, session: this.#state.id })
      : () => undefined
    return this.#append(chain, { leaf, known, parent, recognise, follows, signal })
  }

  /**
   * Appends the last entries of the turn. Called again, after an outcome that nobody could tell, it finds them.
   *
   * Contract
   * - No signal stops it, and no call that failed before it.
   */
  async end(contents: readonly RecordContent[], ids: readonly string[]): Promise<Entry<Message>> {
    const chain = newChain(contents, { id: ids }, this.#state.options)
    const last = ids.at(-1)
    // Whatever it was that ended the turn then.
    const known = (draft: Draft) => {
      const found = draft.recent().findLast(({ record }) => record.id === last)
      return found && [found]
    }
    const entries = await this.#append(chain, { leaf: 'take', known, turnAfter: null })
    return entries.at(-1) as Entry<Message>
  }

  async #append(
    chain: NewChain,
    options: {
      readonly leaf: 'take' | 'keep'
      /** Finds what is stored already. */
      readonly known: (
        draft: Draft,
        fresh: boolean,
      ) => ReturnType<typeof findStored> | readonly JournalRecord[] | undefined
      readonly parent?: EntryReference | undefined
      readonly turnAfter?: null
      readonly recognise?: boolean
      readonly follows?: unknown
      readonly signal?: AppendOptions['signal']
    },
  ): Promise<readonly Entry<Message>[]> {
    const state = this.#state
    const { leaf, known, parent, turnAfter, recognise = false, follows, signal } = options
    const { id: turnId } = this.identity
    const { ids } = chain
    if (leaf === 'keep') for (const id of ids) this.#aside.add(id)
    const shown = state.shown.now
    let found: readonly JournalRecord[] | undefined
    const encode = async (draft: Draft, fresh: boolean) => {
      found = undefined
      const stored = await known(draft, fresh)
      if (stored === 'look again') return undefined
      found = stored
      if (found) return []
      this.#assertHeld(draft)
      const tip = this.#tipIn(draft)
      const before = parent === undefined ? parentFrom(tip) : await this.#findParent(draft, parent)
      // Somebody may have moved the leaf by force: the turn goes on where it was, and lets them.
      const holdsLeaf = draft.state.leaf?.id === tip.record.id
      const place = { leaf: holdsLeaf ? leaf : 'keep', turnId, turnAfter } as const
      return encodeChain(draft, before, { ...chain, ...place })
    }
    const stored = await state.journal.append(encode, {
      ids,
      stored: (records) => {
        state.shown.wrote(shown, records)
        this.#stored(records)
      },
      recognise,
      follows,
      leads: leaf === 'take' ? this : undefined,
      signal,
    })
    return (found ?? stored).map((record) => state.entry(record))
  }

  /** Throws `LEASE_LOST` unless the log says that this turn is open. */
  #assertHeld({ state: { turn, epoch } }: Draft): void {
    const { id } = this.identity
    if (turn !== id || epoch !== this.identity.epoch) throw leaseLost(this.#state.id, id)
  }

  #tipIn(draft: Draft): JournalRecord {
    const { id } = this.identity
    const isTip = ({ record }: JournalRecord) => record.turnId === id && !this.#aside.has(record.id)
    return draft.added.findLast(isTip) ?? this.#tip
  }

  async #findParent(draft: Draft, parent: EntryReference): Promise<Parent> {
    const found = await findEntry(draft, parent)
    if (found?.record.turnId === this.identity.id) return parentFrom(found)
    throw new SessionError(
      'INVALID_PARENT',
      `Entry ${JSON.stringify(idOf(parent))} is not of turn ${JSON.stringify(this.identity.id)}; name one of its entries as parent, or ` +
        'append without the turn.',
    )
  }

  #stored(records: readonly JournalRecord[]): void {
    for (const stored of records) {
      if (this.#aside.has(stored.record.id)) continue
      this.#tip = stored
      this.path.add(stored)
      const entry = this.#state.entry(stored)
      if (isMessageEntry(entry)) this.#preview = previewOf(entry, this.#state.options.format) ?? this.#preview
    }
  }
}
