import type { DocumentFields } from './document.ts'
import { findEntry, idOf, type EntryReference } from './ancestry.ts'
import type { Entry } from './entry.ts'
import { News } from './live/news.ts'
import { SessionError } from './errors.ts'
import { Journal } from './journal.ts'
import { entryFrom, type Leaf } from './record.ts'
import type { JournalRecord } from './records.ts'
import type { Signal } from './runtime.ts'
import { changeSession, readSessionDocument, type ChangedSession, type SessionDocument } from './session-document.ts'
import type { SessionOptions } from './session-options.ts'
import { ShownLeaf } from './shown-leaf.ts'
import { LeaseJudge } from './turns/lease-judge.ts'
import type { TurnBranch } from './turns/turn-branch.ts'

/** What one handle on one session holds: its document, its journal, and the leaf that its callers were shown. */
export class SessionState<Message> {
  readonly options: SessionOptions<Message>
  readonly journal: Journal
  readonly shown: ShownLeaf = new ShownLeaf()
  /** Tells whoever follows the session that there is more. */
  readonly news: News
  /** Who holds the session, as far as this handle can judge. */
  readonly leases: LeaseJudge
  /** The turn that this handle has open. */
  turn: TurnBranch<Message> | undefined
  /** As this handle saw it last. */
  document: SessionDocument
  /** The version of `document`, if it is known. */
  #version: string | undefined
  #changing: Promise<unknown> = Promise.resolve()

  constructor(options: SessionOptions<Message>) {
    const { document, adapter, clock, random, inFlight } = options
    this.options = options
    this.document = document
    this.#version = options.version
    this.news = new News({
      adapter,
      clock,
      inFlight,
      log: () => this.journal.log,
      look: () => this.journal.refresh(),
      lookAtDocument: () => inFlight.run(() => this.readDocument()),
    })
    this.journal = new Journal({
      adapter,
      log: this.log(),
      segment: document.segment,
      lineage: document.lineage ?? [],
      clock,
      random,
      inFlight,
      locate: async () => {
        await this.readDocument()
        return this.log()
      },
      grown: () => this.news.tell(),
    })
    this.leases = new LeaseJudge(options, this.journal)
  }

  get id(): string {
    return this.document.id
  }

  /** The key of the session's document. */
  get key(): string {
    return this.options.names.session(this.id)
  }

  /** The log that is the session's own. */
  log(): string {
    return this.options.names.log(this.document.id, this.document.incarnation)
  }

  /** Looks what is new and shows it to the caller: calls made from now on follow this leaf. */
  async look(signal: Signal | undefined): Promise<Leaf | null> {
    await this.journal.refresh(signal)
    return this.shown.show(this.journal.records)
  }

  async readDocument(signal?: Signal): Promise<void> {
    const { document, version } = await readSessionDocument(this.options.adapter, this.key, this.id, signal)
    this.leases.saw(document)
    this.adopt(document, version)
  }

  /**
   * Changes the session's document by {@link changeSession}; the changes of one handle follow one another, so that each knows what
   * the one before it left.
   */
  async change(
    change: (current: SessionDocument) => DocumentFields | undefined,
    signal?: Signal,
  ): Promise<ChangedSession> {
    const run = async () => {
      const known = this.#version === undefined ? undefined : { document: this.document, version: this.#version }
      const changed = await changeSession(this.options, this, change, { known, signal })
      this.adopt(changed.document, changed.version)
      return changed
    }
    const changing = this.#changing.then(run, run)
    this.#changing = changing
    return changing
  }

  /** Takes over what was read or written; a slow answer must not take the session back to a log that it left. */
  adopt(document: SessionDocument, version: string | undefined): void {
    if (document.incarnation < this.document.incarnation) return
    const isNew = document.rev !== this.document.rev
    this.document = document
    this.#version = version
    this.journal.inherit(document.lineage ?? [])
    if (isNew) this.news.tell()
    if (this.log() !== this.journal.log) this.journal.moveOn()
  }

  /** Does something that reads, and again if an ancestor was deleted meanwhile: what it shared lies elsewhere then. */
  async unlessMoved<Result>(read: () => Promise<Result>): Promise<Result> {
    for (;;) {
      const { lineage } = this.journal.records
      try {
        return await read()
      } catch (error) {
        if (this.journal.records.lineage === lineage) throw error
      }
    }
  }

  entry({ text, position }: JournalRecord): Entry<Message> {
    return entryFrom<Message>(text, position, this.journal.log)
  }

  async find(reference: EntryReference, signal: Signal | undefined): Promise<JournalRecord> {
    const found = await findEntry(this.journal.records, reference, signal)
    if (!found) throw await this.notFound(reference)
    return found
  }

  async notFound(reference: EntryReference): Promise<SessionError> {
    await this.journal.records.vouch()
    return new SessionError(
      'NOT_FOUND',
      `There is no entry ${JSON.stringify(idOf(reference))} in session ${JSON.stringify(this.id)}; entries() lists what there is.`,
    )
  }
}
