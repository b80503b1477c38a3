import { ancestors, findEntry, findLeaf, idOf, leafOf, type EntryReference } from './ancestry.ts'
import { encodeChain, encodeEntry, entryIds, entryTime, findParent, findStored, type AppendOptions } from './append.ts'
import { checkIndex } from './check.ts'
import { ContextProjection, type Context, type ContextOptions } from './context.ts'
import type { EntryContent } from './entry-types.ts'
import { CONTROL_TYPES, type Entry, type JsonObject, type UnknownContent } from './entry.ts'
import { ConflictError, SessionError } from './errors.ts'
import { Journal } from './journal.ts'
import { parseJson } from './parse-json.ts'
import { contentHash, entryFrom, type Leaf, type RecordContent } from './record.ts'
import type { Draft, JournalRecord } from './records.ts'
import type { Signal } from './runtime.ts'
import { repairSession, type Repair, type RepairOptions } from './repair.ts'
import { readSessionDocument, type SessionDocument } from './session-document.ts'
import { ShownLeaf, type Shown } from './shown-leaf.ts'
import type { MoveOptions, PathOptions, ReadOptions, SessionOptions } from './session-options.ts'
import { updateSession, type SessionPatch, type UpdateOptions } from './update-session.ts'
import { verifyLog, type Verification, type VerifyOptions } from './verify.ts'

/** One conversation: a tree of entries in an append-only log, with a leaf that says where it goes on. */
export class Session<Message> {
  readonly #options: SessionOptions<Message>
  readonly #journal: Journal
  #document: SessionDocument
  readonly #shown = new ShownLeaf()

  /** @internal Made by `Sessions`. */
  constructor(options: SessionOptions<Message>) {
    const { document, adapter, clock, random, inFlight } = options
    this.#options = options
    this.#document = document
    this.#journal = new Journal({
      adapter,
      log: this.#log(),
      segment: document.segment,
      clock,
      random,
      inFlight,
      locate: async () => {
        await this.#readDocument()
        return this.#log()
      },
    })
  }

  get id(): string {
    return this.#document.id
  }

  /** UTC, ISO 8601 with milliseconds. */
  get createdAt(): string {
    return this.#document.createdAt
  }

  /** As it was when this handle last looked at the session's document: when it was opened, changed or refreshed. */
  get title(): string | undefined {
    return this.#document.title
  }

  /** As {@link title}; not to be changed in place. */
  get metadata(): JsonObject {
    return this.#document.metadata ?? {}
  }

  /**
   * Appends a message, or a batch of messages that become visible together, and resolves with what was stored.
   *
   * Contract
   * - Resolves when the entries are as durable as the adapter promises; each becomes the child of the one before it, the first of the
   *   leaf or of `parent`, and the last becomes the leaf.
   * - A message that JSON cannot keep, or that the format does not know, is a `TypeError` that names the place; nothing is written.
   * - Another writer moved the leaf since this handle last showed or moved it: `CONFLICT` with the missed `entries`; `onConflict: "rebase"` goes behind them. With an
   *   explicit `parent` it never conflicts.
   * - An `id` that is stored with the same content resolves with the stored entry; with other content it is `DUPLICATE`.
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
    const entries = await this.#append(
      list.map((message) => ({ type: this.#options.format.type(message), message })),
      options,
    )
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
    for (const { type } of list) {
      if (typeof type !== 'string' || type === '' || CONTROL_TYPES.has(type)) {
        throw new TypeError(`type: ${JSON.stringify(type)} is not a type of entry`)
      }
    }
    const entries = await this.#append(list, options)
    return batch ? entries : (entries[0] as Entry<Message>)
  }

  /**
   * Moves the leaf to an entry of this session, or before the first one (`null`), so that the next append branches there.
   *
   * Contract
   * - The move is a record of its own: it survives a reopen on every adapter, and the branch that was left stays readable.
   * - `NOT_FOUND` if the entry is not in this session; nothing is written.
   */
  async moveTo(target: EntryReference | null, options: MoveOptions = {}): Promise<void> {
    const [id] = entryIds(1, undefined, this.#options)
    const createdAt = entryTime(undefined, this.#options.clock)
    const shown = this.#shown.now
    const encode = async (draft: Draft, fresh: boolean) => {
      const found = target === null ? undefined : await findEntry(draft, target)
      if (target !== null && !found) {
        if (!fresh) return undefined
        throw await this.#notFound(target)
      }
      const leaf = found ? leafOf(found) : null
      const { state, length: at } = draft
      if (leaf?.id === state.leaf?.id) {
        if (!fresh && !draft.ownsLeaf) return undefined
        this.#shown.agreed(shown, this.#journal.records)
        return []
      }
      const content = { type: 'leaf_move', target: leaf?.id ?? null }
      const hash = contentHash(content)
      return [encodeEntry({ id: String(id), createdAt, content, hash, parent: null, leaf, state, at }).text]
    }
    const { signal } = options
    await this.#journal.append(encode, {
      ids: [String(id)],
      stored: (records) => this.#shown.wrote(shown, records),
      takesLeaf: true,
      signal,
    })
  }

  /** Resolves with the active end of the session, or undefined if it has none: an empty session, or moved before the first entry. */
  async leaf({ signal }: ReadOptions = {}): Promise<Entry<Message> | undefined> {
    const leaf = await this.#look(signal)
    if (!leaf) return undefined
    const { records } = this.#journal
    return this.#entry(await findLeaf(records, leaf, signal))
  }

  /** Resolves with one entry; `NOT_FOUND` if it is not in this session. Given an entry instead of an id it is one read. */
  async entry(reference: EntryReference, { signal }: ReadOptions = {}): Promise<Entry<Message>> {
    await this.#journal.refresh(signal)
    return this.#entry(await this.#find(reference, signal))
  }

  /**
   * Streams every entry of every branch in the order of appending.
   *
   * Contract
   * - Where a repair found records missing, there is an entry of type `lost` with the indexes `first` to `last`.
   */
  async *entries({ signal }: ReadOptions = {}): AsyncGenerator<Entry<Message>, void, void> {
    await this.#look(signal)
    for await (const found of this.#journal.records.forward(0, signal)) {
      const { type } = found.record.content
      if (type === 'lost' || !CONTROL_TYPES.has(type)) yield this.#entry(found)
    }
  }

  /**
   * Yields the entries from the first one to the leaf. Holds the path in memory; `last` bounds it.
   *
   * Contract
   * - `leaf` ends at another entry instead, `last: n` starts n entries before the end and reads no more than that needs.
   * - `NOT_FOUND` for an unknown `leaf`; `CORRUPT` if the chain of parents is broken.
   * - Where a repair found the parent missing, there is an entry of type `lost`, and the path goes on with the leaf before the gap.
   */
  async *path(options: PathOptions = {}): AsyncGenerator<Entry<Message>, void, void> {
    const { leaf: end, last = Infinity, signal } = options
    if (last !== Infinity) checkIndex(last, 'last')
    const shown = await this.#look(signal)
    const { records } = this.#journal
    const leaf = end === undefined ? shown : leafOf(await this.#find(end, signal))
    const path: JournalRecord[] = []
    if (leaf && last > 0) {
      for await (const found of ancestors(records, leaf, signal)) if (path.push(found) >= last) break
    }
    for (const found of path.toReversed()) yield this.#entry(found)
  }

  /**
   * Resolves with what the model is shown: messages, with the entries they come from.
   *
   * Contract
   * - Reads from the leaf backwards, and no further than the context goes: to the newest compaction and what it keeps, or until the
   *   budget (`maxTokens`, `maxBytes`) is used up.
   * - The rules of {@link ContextProjection}: whole tool batches only, the newest compaction alone counts.
   *
   * @example
   * const { messages } = await session.context({ maxTokens: 100_000 })
   */
  async context(options: ContextOptions & ReadOptions = {}): Promise<Context<Message>> {
    const { signal } = options
    const projection = new ContextProjection(this.#options.format, options)
    const leaf = await this.#look(signal)
    if (leaf) {
      for await (const found of ancestors(this.#journal.records, leaf, signal)) {
        if (!projection.add(this.#entry(found))) break
      }
    }
    return projection.build()
  }

  /**
   * Looks again: at the session's document (title, metadata, whether it still exists) and at what others appended.
   *
   * Contract
   * - `DELETED` or `NOT_FOUND` if the session is gone. Until this call or a write tells it, a handle may still show what it has read.
   */
  async refresh({ signal }: ReadOptions = {}): Promise<void> {
    await this.#readDocument(signal)
    await this.#look(signal)
  }

  /**
   * Reads the whole session and checks every record, hash, digest and reference; resolves with what it found.
   *
   * Contract
   * - Damage is reported, never thrown, and nothing is written. Rejects only if the store cannot be read at all.
   * - Finds any change and any loss inside. That nothing was cut from the end only `expect` can prove: a digest kept elsewhere.
   * - A `TypeError` if `expect` is no digest.
   * - Holds about 200 bytes for each entry.
   *
   * @example
   * const { ok, digest, problems } = await session.verify()
   */
  async verify(options: VerifyOptions = {}): Promise<Verification> {
    const { adapter, inFlight } = this.#options
    return inFlight.run(async () => {
      await this.#readDocument(options.signal)
      for (;;) {
        const log = this.#log()
        const { segment } = this.#document
        const verifying = verifyLog(adapter, { log, segment }, options)
        const [result] = await Promise.allSettled([verifying])
        // Nothing there: a new session, or a log that was dropped since the session left it or was deleted.
        const isDropped =
          result.status === 'fulfilled' ? result.value.records === 0 : SessionError.is(result.reason, 'DELETED')
        if (!isDropped) return verifying
        await this.#readDocument(options.signal)
        if (this.#log() === log) return verifying
      }
    })
  }

  /**
   * Mends a damaged session as far as its records can be read; resolves with what was lost.
   *
   * Contract
   * - Sound already: nothing is written. Else the session goes on in a copy of its log, with every record that can be read, unchanged and in its place; one of
   *   type `lost` stands for each that cannot. Nothing of the damaged log is changed; `sweep` drops it later.
   * - Other handles go on in the copy; until it is there their writes are `BUSY`. Interrupted anywhere, the next `repair` takes it up.
   * - Mends what cannot be read. Content that was changed is left for `verify` to report.
   */
  async repair(options: RepairOptions = {}): Promise<Repair> {
    const { inFlight, names } = this.#options
    const { id } = this
    const repaired = await inFlight.run(() =>
      repairSession(
        this.#options,
        { key: names.session(id), id },
        (incarnation) => names.log(id, incarnation),
        options,
      ),
    )
    // Whoever repairs has seen that entries may be gone, the leaf among them.
    if (repaired.repaired) await this.refresh(options)
    return repaired
  }

  /**
   * Changes title and metadata of this session.
   *
   * Contract
   * - `title: null` takes it away; `metadata` is merged key by key, null removes a key. What is left out stays.
   * - Patches of several writers all take effect, each once; of two for the same key the later one counts. One that changes nothing
   *   writes nothing.
   * - Titles of more than 1,024 characters, and metadata that JSON cannot keep, are a `TypeError` before anything is written.
   */
  async update(patch: SessionPatch, options: UpdateOptions = {}): Promise<void> {
    const { inFlight, names } = this.#options
    const { id } = this
    this.#adopt(await inFlight.run(() => updateSession(this.#options, { key: names.session(id), id }, patch, options)))
  }

  async #append(contents: readonly RecordContent[], options: AppendOptions): Promise<readonly Entry<Message>[]> {
    if (contents.length === 0) return []
    const { parent, onConflict = 'reject', ifAbsent, signal } = options
    const ids = entryIds(contents.length, options.id, this.#options)
    const createdAt = entryTime(options.createdAt, this.#options.clock)
    // Copied before anything is awaited: the caller may change its objects at once.
    for (const content of contents) contentHash(content)
    const copies = contents.map((content) => parseJson(JSON.stringify(content)) as RecordContent)
    const hashes = copies.map(contentHash)
    const shown = this.#shown.now
    const recognise = options.id !== undefined

    let known: readonly JournalRecord[] | undefined
    const encode = async (draft: Draft, fresh: boolean) => {
      const sought = { wholeLog: ifAbsent === 'whole-log', session: this.id }
      known = recognise ? await findStored(draft, { ids, hashes }, sought) : undefined
      if (known) return []
      // What this handle itself is about to append conflicts with nobody.
      if (parent === undefined && onConflict === 'reject' && !draft.ownsLeaf) this.#assertShown(shown)
      const before = await findParent(draft, parent, { fresh, session: this.id })
      if (before === 'look again') return undefined
      return encodeChain(draft, before, { ids, createdAt, contents: copies, hashes })
    }
    const stored = await this.#journal.append(encode, {
      ids,
      stored: (records) => this.#shown.wrote(shown, records),
      recognise,
      follows: parent === undefined,
      takesLeaf: true,
      signal,
    })
    return (known ?? stored).map((found) => this.#entry(found))
  }

  /** Looks what is new and shows it to the caller: calls made from now on follow this leaf. */
  async #look(signal: Signal | undefined): Promise<Leaf | null> {
    await this.#journal.refresh(signal)
    return this.#shown.show(this.#journal.records)
  }

  #assertShown(shown: Shown): void {
    const entries = this.#shown.missed(shown, this.#journal.records)?.map((found) => this.#entry(found))
    if (!entries) return
    throw new ConflictError(
      `Another writer moved the leaf of session ${JSON.stringify(this.id)}, with ${entries.length} new entries. Look at them ` +
        '(error.entries), then append again, or pass onConflict: "rebase" or a parent.',
      { entries },
    )
  }

  async #readDocument(signal?: Signal): Promise<void> {
    const { adapter, names } = this.#options
    const { id } = this.#document
    this.#adopt((await readSessionDocument(adapter, names.session(id), id, signal)).document)
  }

  /** Takes over what was read; a slow answer must not take the session back to a log that it left. */
  #adopt(document: SessionDocument): void {
    if (document.incarnation < this.#document.incarnation) return
    this.#document = document
    if (this.#log() !== this.#journal.log) this.#journal.moveOn()
  }

  /** The log that is the session's own. */
  #log(): string {
    return this.#options.names.log(this.#document.id, this.#document.incarnation)
  }

  #entry({ text, position }: JournalRecord): Entry<Message> {
    return entryFrom<Message>(text, position, this.#journal.log)
  }

  async #find(reference: EntryReference, signal: Signal | undefined): Promise<JournalRecord> {
    const found = await findEntry(this.#journal.records, reference, signal)
    if (!found) throw await this.#notFound(reference)
    return found
  }

  async #notFound(reference: EntryReference): Promise<SessionError> {
    await this.#journal.records.vouch()
    return new SessionError(
      'NOT_FOUND',
      `There is no entry ${JSON.stringify(idOf(reference))} in session ${JSON.stringify(this.id)}; entries() lists what there is.`,
    )
  }
}
