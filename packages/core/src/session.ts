import type { EntryReference } from './ancestry.ts'
import type { AppendOptions } from './append.ts'
import type { CompactOptions } from './compact.ts'
import type { EntryContent } from './entry-types.ts'
import type { Entry, UnknownContent } from './entry.ts'
import type { ForkOptions } from './forks/fork-session.ts'
import type { GenerateTitle, GenerateTitleOptions } from './generate-title.ts'
import type { RecordContent } from './record.ts'
import type { Repair, RepairOptions } from './repair.ts'
import { messageContents, newMessages } from './new-message.ts'
import type { MessageSaver, Saved, SaveOptions } from './save.ts'
import { appendEntries, assertEntryType, moveLeaf } from './session-append.ts'
import type { MoveOptions, ReadOptions, SessionOptions } from './session-options.ts'
import { SessionState } from './session-state.ts'
import type { BeginTurnOptions } from './turns/begin-turn.ts'
import type { TurnInfo } from './turns/lease.ts'
import type { Recovery } from './turns/recover.ts'
import type { Turn } from './turns/turn.ts'
import { untilAborted } from './until-aborted.ts'
import { copyFields } from './session-fields.ts'
import type { SessionPatch, UpdateOptions } from './update-session.ts'
import { labelEntry, type LabelOptions } from './tree/label.ts'
import { ReadableSession } from './readable-session.ts'

/** One conversation: a tree of entries in an append-only log, with a leaf that says where it goes on. */
export class Session<Message> extends ReadableSession<Message> {
  readonly #state: SessionState<Message>
  #saver: MessageSaver<Message> | undefined

  /** @internal Made by `Sessions`. */
  constructor(options: SessionOptions<Message>) {
    const state = new SessionState(options)
    super(state)
    this.#state = state
  }

  /**
   * Appends a message, or a batch of messages that become visible together, and resolves with what was stored.
   *
   * Contract
   * - Resolves when the entries are as durable as the adapter promises; each becomes the child of the one before it, the first of the
   *   leaf or of `parent`, and the last becomes the leaf.
   * - A message that JSON cannot keep, or that the format does not know, is a `TypeError` that names the place; so is a batch of more than 1,024 messages or 64 MiB, which
   *   nothing can make visible together ({@link save} takes any number, in several appends). Nothing is written.
   * - Another writer moved the leaf since this handle last showed or moved it: `CONFLICT` with the missed `entries`; `onConflict: "rebase"` goes behind them. With an
   *   explicit `parent` it never conflicts. `onConflict: "fork"` stays beside it: a sibling of what this handle has not seen.
   * - With `leaf: "keep"` the leaf stays where it is.
   * - While a turn is open, the leaf and its branch are the turn's: `ACTIVE_TURN`, unless `force`. With another `parent` the entry is stored, and the leaf stays
   *   where it is.
   * - An `id` that is stored with the same content resolves with the stored entry; with other content it is `DUPLICATE`. That comes before any conflict, whoever stored it.
   * - Calls take effect in call order; those made while one is under way share the next append. A call that goes to the leaf behind one that
   *   is rejected rejects with the same error.
   * - `INVALID_PARENT` if the parent is not in this session, `UNCERTAIN` if nobody can tell whether it was written.
   *
   * @example
   * const question = await session.append({ role: 'user', content: 'Where is my parcel?' })
   */
  append(message: Message, options?: AppendOptions): Promise<Entry<Message>>
  append(messages: readonly Message[], options?: AppendOptions): Promise<readonly Entry<Message>[]>
  async append(
    messages: Message | readonly Message[],
    options: AppendOptions = {},
  ): Promise<Entry<Message> | readonly Entry<Message>[]> {
    const batch = Array.isArray(messages)
    const list = (batch ? messages : [messages]) as readonly Message[]
    const contents = messageContents(list, this.#state.options.format)
    const entries = await appendEntries(this.#state, contents instanceof Promise ? await contents : contents, options)
    return batch ? entries : (entries[0] as Entry<Message>)
  }

  /**
   * Records an entry of any type, or a batch; like {@link append} otherwise.
   *
   * Contract
   * - A type that this version does not know is kept as it is. Types of the journal (`leaf_move`, `void`, `closed`, `lost`) and
   *   fields of the record itself (`id`, `leaf`, …) are a `TypeError`.
   */
  record(content: EntryContent<Message> | UnknownContent, options?: AppendOptions): Promise<Entry<Message>>
  record(
    contents: readonly (EntryContent<Message> | UnknownContent)[],
    options?: AppendOptions,
  ): Promise<readonly Entry<Message>[]>
  async record(
    contents: EntryContent<Message> | UnknownContent | readonly (EntryContent<Message> | UnknownContent)[],
    options: AppendOptions = {},
  ): Promise<Entry<Message> | readonly Entry<Message>[]> {
    const batch = Array.isArray(contents)
    const list = (batch ? contents : [contents]) as readonly RecordContent[]
    for (const content of list) assertEntryType(content)
    const entries = await appendEntries(this.#state, list, options)
    return batch ? entries : (entries[0] as Entry<Message>)
  }

  /**
   * Brings the session to what an array of messages says, as user interfaces hold it: the whole conversation. Resolves with what was new.
   *
   * Contract
   * - Compares content along the path, by hash: what the array begins with stays. The rest of it is appended in one append, behind the last message that stays; so a message
   *   that was edited begins a branch. A shorter array moves the leaf back; an equal one writes nothing. What was left stays readable.
   * - Other writers' messages that the array lacks: `CONFLICT` with the missed `entries`, and nothing is written; `onConflict: "rebase"` puts what is new behind them.
   *   A handle that has shown nothing yet takes what it finds for known.
   * - More than 1,024 new messages, or 8 MiB, take several appends: interrupted, the path ends with some of them, and the same call goes on.
   * - A message that JSON cannot keep, or that the format does not know, is a `TypeError`, and nothing is written.
   *
   * @example
   * onEnd: async ({ messages }) => void (await session.save(messages))
   */
  async save(messages: readonly Message[], options: SaveOptions = {}): Promise<Saved<Message>> {
    const state = this.#state
    const copies = newMessages(messages, state.options.format)
    const shown = { ...state.shown.now }
    await messageContents(messages, state.options.format)
    const { MessageSaver } = await import('./parts/conversation.ts')
    this.#saver ??= new MessageSaver(state)
    return this.#saver.save(copies, shown, options)
  }

  /**
   * Moves the leaf to an entry of this session, or before the first one (`null`), so that the next append branches there.
   *
   * Contract
   * - The move is a record of its own: it survives a reopen on every adapter, and the branch that was left stays readable.
   * - `NOT_FOUND` if the entry is not in this session, `ACTIVE_TURN` while a turn is open (unless `force`); nothing is written. Nor where the leaf is there already, which
   *   costs a look at the session's document.
   */
  moveTo(target: EntryReference | null, options: MoveOptions = {}): Promise<void> {
    return moveLeaf(this.#state, target, options)
  }

  /**
   * Puts a label on an entry, for people to find it again, or takes it away (`null`); resolves with the entry of type `label` that says so.
   *
   * Contract
   * - The leaf stays where it is, and the model never sees it. Of several labels of one entry the last one counts.
   * - A label of 1–256 characters, else a `TypeError`; `NOT_FOUND` if the entry is not in this session. Nothing is written then.
   * - Labels belong to the session, not to the path: a fork begins without them.
   */
  label(entry: EntryReference, text: string | null, options: LabelOptions = {}): Promise<Entry<Message>> {
    return labelEntry(this.#state, entry, text, options)
  }

  /**
   * Makes a session that begins with this one's path to an entry, and resolves with it. Nothing is copied.
   *
   * Contract
   * - `at` is the last entry that it shares (default: the leaf), `before` the first one that it does not. Entries keep their ids, turns, times and
   *   hashes. Other branches, title, metadata and turns stay behind: a fork of a running turn starts idle.
   * - What is appended to either never appears in the other. The fork outlives this session: deleting it copies what they share.
   * - Interrupted at any point it is absent or complete. The same `requestId` again gives the same fork; so does the same `id` at the same entry.
   * - `NOT_FOUND` for an unknown entry, `EXISTS` for an id that is something else, `DELETED` if this session or one of that id was deleted;
   *   what is there stays untouched.
   *
   * @example
   * const other = await session.fork({ before: question })
   */
  async fork(options: ForkOptions = {}): Promise<Session<Message>> {
    const { inFlight } = this.#state.options
    // Copied before anything is awaited: the caller may change its object at once.
    const given = copyFields(options)
    const { document, version } = await inFlight.run(async () =>
      (await import('./parts/upkeep.ts')).forkSession(this.#state, given),
    )
    return new Session<Message>({ ...this.#state.options, document, version })
  }

  /**
   * Compacts the conversation: `summarise` makes a text of its older part, and an entry of type `compaction` shows that to the model from then on, with the newest messages.
   * Resolves with the entry, or undefined if there is nothing to compact.
   *
   * Contract
   * - Cuts as {@link prepareCompaction} does, by `settings`; whether it is due, {@link shouldCompact} tells. Nothing is taken away: every entry stays readable.
   * - The conversation may go on while the summary is made: what was appended meanwhile stays in the context. `CONFLICT` if the leaf was moved to another branch, or
   *   somebody else compacted; `ACTIVE_TURN` while a turn is open: use {@link Turn.compact}.
   * - Rejects with what `summarise` throws, and with a `TypeError` for a blank summary; nothing is written then.
   *
   * @example
   * const { tokens } = await session.context()
   * if (shouldCompact(tokens)) await session.compact({ summarise: (messages) => askModel('Sum this up:', messages) })
   */
  async compact(options: CompactOptions<Message>): Promise<Entry<Message> | undefined> {
    const given = { ...options }
    return (await import('./parts/conversation.ts')).compactPath(this.#state, given)
  }

  /**
   * Begins a turn and resolves with it: one run of an agent, which holds the session until it ends.
   *
   * Contract
   * - `ACTIVE_TURN` while another turn holds the session, also one of the same handle or owner; the error says which, whose and until when. Nothing is written.
   * - A lease lasts 30 seconds and is renewed every 10. The next turn takes over 5 seconds after its end, or when this handle has watched it for 30 seconds
   *   without a renewal, or at once with `force`. What the turn before it left open is closed by the same append: see {@link Turn.recovered}.
   * - The turn follows the leaf as it is then, or `from` (`NOT_FOUND` if that is not in this session), which need not be the leaf.
   * - Turns of other sessions are independent.
   */
  async beginTurn(options: BeginTurnOptions = {}): Promise<Turn<Message>> {
    const state = this.#state
    const given = copyFields(options)
    return untilAborted(
      state.options.inFlight.run(async () => (await import('./parts/conversation.ts')).begin(state, given)),
      options.signal,
      (turn) => state.options.inFlight.finish(() => turn.abort()),
    )
  }

  /**
   * Closes a turn that a crash left open, and resolves with it and its tool calls whose outcome nobody knows.
   *
   * Contract
   * - `ACTIVE_TURN` while a turn holds the session; nothing is written.
   * - Appends a `run_failure` and an `aborted` marker with `recoverable: true`, once, whoever else recovers or begins a turn at the same time. They leave a leaf alone
   *   that is not the turn's.
   * - Interrupted anywhere, the next call finishes it. As long as nothing follows the turn, every call resolves with it.
   *
   * @example
   * const { recovered } = await session.recover()
   * for (const { unknownCalls } of recovered) for (const { name } of unknownCalls) console.log(`Did ${name} happen?`)
   */
  recover(options: ReadOptions = {}): Promise<Recovery> {
    return this.#state.options.inFlight.run(async () =>
      (await import('./parts/conversation.ts')).recover(this.#state, options.signal),
    )
  }

  /**
   * Writes into the session's document what lists show of it: `updatedAt`, `status` and `preview`. A turn does so by itself, an append does not.
   *
   * Contract
   * - Writes nothing if it is there already.
   */
  touch(options: ReadOptions = {}): Promise<void> {
    return this.#state.options.inFlight.run(async () =>
      (await import('./parts/conversation.ts')).touch(this.#state, options.signal),
    )
  }

  /**
   * Takes the session from a turn; resolves with whether it did. For whoever runs turns by hand: {@link Turn} does it at its end.
   *
   * Contract
   * - Only if it is held by this turn of this owner; otherwise nothing changes. The next turn, or {@link recover}, closes what the turn left open.
   */
  releaseTurn(turn: { readonly turnId: string; readonly owner: string }, options: ReadOptions = {}): Promise<boolean> {
    return this.#state.options.inFlight.run(async () =>
      (await import('./parts/conversation.ts')).releaseTurn(this.#state, turn, options.signal),
    )
  }

  /**
   * Takes the session from a turn that acquired it strictly before `cutoff`, alive or not; resolves with what it was, or undefined.
   *
   * Contract
   * - A lease that does not say when it was acquired is older than any cutoff but 1970.
   */
  clearExpired(cutoff: Date | string | number, options: ReadOptions = {}): Promise<TurnInfo | undefined> {
    return this.#state.options.inFlight.run(async () =>
      (await import('./parts/conversation.ts')).clearExpired(this.#state, cutoff, options.signal),
    )
  }

  /**
   * Mends a damaged session as far as its records can be read; resolves with what was lost.
   *
   * Contract
   * - Sound already: nothing is written. Else the session goes on in a copy of its log, with every record that can be read, unchanged and in its place; one of
   *   type `lost` stands for each that cannot. Nothing of the damaged log is changed; `sweep` drops it later.
   * - Other handles go on in the copy; until it is there their writes are `BUSY`. Interrupted anywhere, the next `repair` takes it up.
   * - Of a fork it mends the fork's own log, and goes on in those of its ancestors that were repaired themselves: repair the source first.
   * - Mends what cannot be read. Content that was changed is left for `verify` to report.
   */
  async repair(options: RepairOptions = {}): Promise<Repair> {
    const { inFlight, names } = this.#state.options
    const { id } = this
    const session = { key: names.session(id), id }
    const repaired = await inFlight.run(async () => {
      const { followRepaired, repairSession } = await import('./parts/upkeep.ts')
      const hasMoved = await followRepaired(this.#state.options, names, session, options)
      const logOf = (incarnation: number) => names.log(id, incarnation)
      const repair = await repairSession(this.#state.options, session, logOf, options)
      return hasMoved ? { ...repair, repaired: true } : repair
    })
    // Whoever repairs has seen that entries may be gone, the leaf among them.
    if (repaired.repaired) await this.refresh(options)
    return repaired
  }

  /**
   * Gives the session a title, if it has none and its newest turn has completed or waits; resolves with the title, or undefined.
   *
   * Contract
   * - `generate` is given what the model is shown, and its text becomes at most 16 characters: {@link normalizeTitle}. Call it after each turn; it does nothing
   *   where there is a title.
   * - A title that somebody gives meanwhile wins, and so does a later attempt: a late answer never overwrites anything.
   * - A `generate` that throws, or gives nothing that can be a title, rejects nothing: the failure is noted, and the next call tries again.
   * - Changes neither `updatedAt` nor the place in lists.
   *
   * @example
   * await session.generateTitle(async (messages) => (await askModel('A title of three words for this:', messages)).text)
   */
  generateTitle(generate: GenerateTitle<Message>, options: GenerateTitleOptions = {}): Promise<string | undefined> {
    return this.#state.options.inFlight.run(async () =>
      (await import('./parts/conversation.ts')).generateTitle(this.#state, generate, options),
    )
  }

  /**
   * Changes title, metadata, labels and archive flag of this session.
   *
   * Contract
   * - `title: null` takes it away; `metadata` is merged key by key, null removes a key. `archived: true` hides the session from lists. `labels` are replaced by an
   *   array; `{ add, remove }` leaves the others. What is left out stays.
   * - Patches of several writers all take effect, each once; of two for the same thing the later one counts. One that changes nothing
   *   writes nothing.
   * - Titles of more than 1,024 characters, labels of more than 256 or more than 100 of them, and metadata that JSON cannot keep, are a `TypeError` before
   *   anything is written.
   */
  async update(patch: SessionPatch, options: UpdateOptions = {}): Promise<void> {
    const given = copyFields(patch)
    const session = { change: this.#state.change.bind(this.#state) }
    await this.#state.options.inFlight.run(async () =>
      (await import('./parts/conversation.ts')).updateSession(session, given, options),
    )
  }
}
