import { v7 } from 'uuid'
import { ancestors, brokenReference, findEntry, idOf, leafOf, type EntryReference } from './ancestry.ts'
import { checkIndex } from './check.ts'
import { buildContext, type Context } from './context.ts'
import { CONTROL_TYPES, type Entry, type EntryContent, type UnknownContent } from './entry.ts'
import { ConflictError, SessionError } from './errors.ts'
import type { Journal, JournalRecord } from './journal.ts'
import type { MessageFormat } from './message-format.ts'
import { parseJson } from './parse-json.ts'
import {
  checkId,
  contentHash,
  decodeRecord,
  encodeRecord,
  ROOT_DIGEST,
  type Leaf,
  type RecordContent,
  type RecordState,
} from './record.ts'
import type { Clock, Random } from './runtime.ts'
import type { SessionDocument } from './session-document.ts'

/** Options of {@link Session.append} and {@link Session.record}. */
export interface AppendOptions {
  /** The entry's id; an array for a batch. Makes the append idempotent: the same id with the same content is stored once. Default: a UUIDv7. */
  readonly id?: string | readonly string[]
  /** The entry to follow; null to start a new root. Default: the leaf. */
  readonly parent?: EntryReference | null
  /** When it was made. Default: now. */
  readonly createdAt?: Date | string
  /** What to do when another writer appended first: `"reject"` (default) with the missed entries, or `"rebase"` behind them. */
  readonly onConflict?: 'reject' | 'rebase'
}

/** Options of {@link Session.path}. */
export interface PathOptions {
  /** The entry to end with. Default: the leaf. */
  readonly leaf?: EntryReference
  /** Only the last so many entries. */
  readonly last?: number
}

/** One conversation: a tree of entries in an append-only log, with a leaf that says where it goes on. */
export class Session<Message> {
  readonly #journal: Journal
  readonly #format: MessageFormat<Message>
  readonly #clock: Clock
  readonly #random: Random
  readonly #document: SessionDocument
  #view: View = { leaf: undefined, length: 0 }

  /** @internal Made by `Sessions`. */
  constructor(options: {
    readonly journal: Journal
    readonly document: SessionDocument
    readonly format: MessageFormat<Message>
    readonly clock: Clock
    readonly random: Random
  }) {
    this.#journal = options.journal
    this.#document = options.document
    this.#format = options.format
    this.#clock = options.clock
    this.#random = options.random
  }

  get id(): string {
    return this.#document.id
  }

  /** UTC, ISO 8601 with milliseconds. */
  get createdAt(): string {
    return this.#document.createdAt
  }

  get title(): string | undefined {
    return this.#document.title
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
      list.map((message) => ({ type: this.#format.type(message), message })),
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
  async moveTo(target: EntryReference | null): Promise<void> {
    const [id, createdAt] = [this.#freshId(), this.#now()]
    const view = this.#view
    await this.#journal.append(
      async (_at, state, fresh) => {
        const found = target === null ? undefined : await findEntry(this.#journal, target)
        if (target !== null && !found) {
          if (!fresh) return undefined
          throw this.#notFound(target)
        }
        const leaf = found ? leafOf(found) : null
        if (leaf?.id === state.leaf?.id) {
          if (!fresh) return undefined
          this.#knows(view)
          return []
        }
        const content = { type: 'leaf_move', target: leaf?.id ?? null }
        const hash = contentHash(content)
        return [this.#encode({ id, createdAt, content, hash, parent: null, leaf, state }).text]
      },
      () => this.#knows(view),
    )
  }

  /** Resolves with the active end of the session, or undefined if it has none: an empty session, or moved before the first entry. */
  async leaf(): Promise<Entry<Message> | undefined> {
    const leaf = await this.#look()
    if (!leaf) return undefined
    const found = await findEntry(this.#journal, leaf)
    if (!found) throw brokenReference(this.#journal, leaf.id)
    return this.#entry(found)
  }

  /** Resolves with one entry; `NOT_FOUND` if it is not in this session. Given an entry instead of an id it is one read. */
  async entry(reference: EntryReference): Promise<Entry<Message>> {
    await this.#journal.refresh()
    const found = await findEntry(this.#journal, reference)
    if (!found) throw this.#notFound(reference)
    return this.#entry(found)
  }

  /** Streams every entry of every branch in the order of appending. */
  async *entries(): AsyncGenerator<Entry<Message>, void, void> {
    await this.#look()
    for await (const found of this.#journal.forward(0)) {
      if (!CONTROL_TYPES.has(found.record.content.type)) yield this.#entry(found)
    }
  }

  /**
   * Yields the entries from the first one to the leaf. Holds the path in memory; `last` bounds it.
   *
   * Contract
   * - `leaf` ends at another entry instead, `last: n` starts n entries before the end and reads no more than that needs.
   * - `NOT_FOUND` for an unknown `leaf`; `CORRUPT` if the chain of parents is broken.
   */
  async *path(options: PathOptions = {}): AsyncGenerator<Entry<Message>, void, void> {
    const { leaf: end, last = Infinity } = options
    if (last !== Infinity) checkIndex(last, 'last')
    const shown = await this.#look()
    const leaf = end === undefined ? shown : await this.#leafAt(end)
    const path: JournalRecord[] = []
    if (leaf && last > 0) {
      for await (const found of ancestors(this.#journal, leaf)) if (path.push(found) >= last) break
    }
    for (const found of path.toReversed()) yield this.#entry(found)
  }

  /** Resolves with what the model is shown: the messages of the path, with the entries they come from. */
  async context(): Promise<Context<Message>> {
    const path: Entry<Message>[] = []
    for await (const entry of this.path()) path.push(entry)
    return buildContext(path, this.#format)
  }

  async #append(contents: readonly RecordContent[], options: AppendOptions): Promise<readonly Entry<Message>[]> {
    if (contents.length === 0) return []
    const { parent, onConflict = 'reject' } = options
    const ids = this.#ids(contents.length, options.id)
    const createdAt = this.#now(options.createdAt)
    // Copied before anything is awaited: the caller may change its objects at once.
    for (const content of contents) contentHash(content)
    const copies = contents.map((content) => parseJson(JSON.stringify(content)) as RecordContent)
    const hashes = copies.map(contentHash)
    const view = this.#view

    let known: readonly JournalRecord[] | undefined
    const stored = await this.#journal.append(
      async (at, state, fresh) => {
        known = options.id === undefined ? undefined : this.#known(ids, hashes)
        if (known) return []
        if (parent === undefined && onConflict === 'reject') this.#checkView(view, state)
        let before = await this.#parent(parent, state, fresh)
        if (before === 'look again') return undefined
        return copies.map((content, i) => {
          const [id, hash] = [ids[i] as string, hashes[i] as string]
          const follows = before as Parent | null
          const entry = { id, createdAt, content, hash, parent: follows, leaf: 'self', state, at: at + i } as const
          const { text, digest } = this.#encode(entry)
          before = { id, position: [this.#journal.segment, at + i], digest }
          return text
        })
      },
      () => this.#knows(view),
      { recognise: options.id !== undefined },
    )
    return (known ?? stored).map((found) => this.#entry(found))
  }

  /** Looks what is new and shows it to the caller: calls made from now on follow this leaf. */
  async #look(): Promise<Leaf | null> {
    await this.#journal.refresh()
    this.#view = { leaf: this.#journal.state.leaf?.id ?? null, length: this.#journal.length }
    return this.#journal.state.leaf
  }

  /** What this handle itself just wrote is known to whoever called, and to those who knew what came before it. */
  #knows(view: View): void {
    const { state, length } = this.#journal
    for (const each of [view, this.#view]) {
      each.leaf = state.leaf?.id ?? null
      each.length = length
    }
  }

  #checkView(view: View, state: RecordState): void {
    if (view.leaf === undefined || view.leaf === (state.leaf?.id ?? null)) return
    const entries = this.#journal
      .recent()
      .filter(({ at, record }) => at >= view.length && !CONTROL_TYPES.has(record.content.type))
      .map((found) => this.#entry(found))
    // Whoever gets this error has seen them; calls that were made before it keep the old view and are rejected too.
    if (this.#view === view) this.#view = { leaf: state.leaf?.id ?? null, length: this.#journal.length }
    throw new ConflictError(
      `Another writer moved the leaf of session ${JSON.stringify(this.id)}, with ${entries.length} new entries. Look at them ` +
        '(error.entries), then append again, or pass onConflict: "rebase" or a parent.',
      { entries },
    )
  }

  #ids(count: number, given: AppendOptions['id']): readonly string[] {
    if (given === undefined) {
      return Array.from({ length: count }, () => this.#freshId())
    }
    const ids = typeof given === 'string' ? [given] : given
    for (const id of ids) checkId(id)
    if (ids.length !== count || new Set(ids).size !== count) {
      throw new TypeError(`id: expected ${count} different id(s), one for each entry`)
    }
    return ids
  }

  #freshId(): string {
    return v7({ msecs: this.#clock.now(), random: this.#random.bytes(16) })
  }

  // Recognised among the records that this handle holds in memory.
  #known(ids: readonly string[], hashes: readonly string[]): readonly JournalRecord[] | undefined {
    const recent = this.#journal.recent()
    const same = ids.map((id) => recent.find(({ record }) => record.id === id))
    if (same.every((found) => found === undefined)) return undefined
    if (same.every((found, i) => found?.record.hash === hashes[i])) return same as readonly JournalRecord[]
    const id = JSON.stringify(ids.find((_, i) => same[i] !== undefined))
    const why = same.includes(undefined) ? 'but not the others of this batch' : 'and other content'
    throw new SessionError(
      'DUPLICATE',
      `Session ${JSON.stringify(this.id)} holds an entry with id ${id} already, ${why}. Choose another id.`,
    )
  }

  async #parent(
    parent: EntryReference | null | undefined,
    state: RecordState,
    fresh: boolean,
  ): Promise<Parent | null | 'look again'> {
    if (parent === null) return null
    const reference = parent ?? state.leaf
    if (!reference) return null
    const found = await findEntry(this.#journal, reference)
    if (found) return { ...leafOf(found), digest: found.record.digest }
    if (parent === undefined) throw brokenReference(this.#journal, idOf(reference))
    if (!fresh) return 'look again'
    throw new SessionError(
      'INVALID_PARENT',
      `Entry ${JSON.stringify(idOf(parent))} is not in session ${JSON.stringify(this.id)}; name one of its entries as parent.`,
    )
  }

  #encode(entry: {
    readonly id: string
    readonly createdAt: string
    readonly content: RecordContent
    readonly hash: string
    readonly parent: Parent | null
    readonly leaf: Leaf | null | 'self'
    readonly state: RecordState
    readonly at?: number
  }): { readonly text: string; readonly digest: string } {
    const { id, createdAt, content, hash, parent, leaf, state, at } = entry
    const isBefore = at !== undefined && parent?.position[1] === at - 1
    return encodeRecord({
      id,
      parentId: parent?.id ?? null,
      parentDigest: parent?.digest ?? ROOT_DIGEST,
      createdAt,
      content,
      hash,
      leaf,
      epoch: state.epoch,
      turn: state.turn,
      hints: parent && !isBefore ? { parent: parent.position } : {},
    })
  }

  async #leafAt(reference: EntryReference): Promise<Leaf> {
    const found = await findEntry(this.#journal, reference)
    if (!found) throw this.#notFound(reference)
    return leafOf(found)
  }

  #entry({ text, position }: JournalRecord): Entry<Message> {
    const { id, parentId, turnId, createdAt, hash, digest, content } = decodeRecord(text, position, this.#journal.log)
    const envelope = { id, parentId, ...(turnId === undefined ? {} : { turnId }), createdAt, hash, digest, position }
    return { ...envelope, ...content } as unknown as Entry<Message>
  }

  #now(given?: Date | string): string {
    const date = given === undefined ? new Date(this.#clock.now()) : new Date(given)
    if (Number.isNaN(date.getTime())) throw new TypeError(`createdAt: ${String(given)} is not a time`)
    return date.toISOString()
  }

  #notFound(reference: EntryReference): SessionError {
    return new SessionError(
      'NOT_FOUND',
      `There is no entry ${JSON.stringify(idOf(reference))} in session ${JSON.stringify(this.id)}; entries() lists what there is.`,
    )
  }
}

/** What the caller has been shown: `reject` compares it with what is there. */
interface View {
  /** The leaf's id, null for none; undefined before anything was shown. */
  leaf: string | null | undefined
  length: number
}

interface Parent extends Leaf {
  readonly digest: string
}
