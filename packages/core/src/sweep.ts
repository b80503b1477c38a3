import { checkIndex } from './check.ts'
import { deleteSession } from './delete-session.ts'
import { createDocument, readDocument } from './document.ts'
import type { Environment } from './environment.ts'
import { clearEarlier, failureOf, Removals, type Failure } from './erase.ts'
import { CorruptError, SessionError } from './errors.ts'
import { ancestorsOf } from './forks/lineage.ts'
import { isForgottenBase, isShared } from './forks/shared-logs.ts'
import { isBaseLog, type ScopeNames } from './names.ts'
import type { Signal } from './runtime.ts'
import type { Scope } from './scope.ts'
import {
  changeSession,
  discardCopies,
  highestIncarnation,
  parseSessionDocument,
  type SessionDocument,
} from './session-document.ts'
import { sideBySide } from './side-by-side.ts'

/** Options of `sessions.sweep`. */
export interface SweepOptions {
  readonly signal?: Signal | undefined
  /** Called after each session, log and index entry that was looked at. */
  readonly onProgress?: ((progress: SweepProgress) => void) | undefined
  /** How many milliseconds the log that a session had before a repair is kept: a writer may be asleep with an older view of it. Default: one day. */
  readonly keepFor?: number | undefined
}

/** How far a sweep is. */
export interface SweepProgress {
  readonly sessions: number
  readonly logs: number
  readonly indexEntries: number
  /** Of forks and sub-agents to the sessions that they depend on. */
  readonly references: number
}

/** What `sessions.sweep` did. */
export interface SweepReport {
  /** Deletions that somebody began and this call finished. */
  readonly deletesFinished: number
  /** Logs that no session uses any more, those of erased scopes included. */
  readonly logsDropped: number
  /** Index entries of deleted sessions, references of those who do not depend on a session, and everything that erased scopes left. */
  readonly documentsRemoved: number
  /** Sessions that no list showed. */
  readonly indexEntriesAdded: number
  /** Logs without a session: damage, left alone. */
  readonly orphans: readonly string[]
  /** What could not be looked at or removed. */
  readonly failed: readonly Failure[]
}

/** What a sweep keeps in mind of a document. It may be old by the time it is used. */
interface Fate extends Pick<SessionDocument, 'state' | 'id' | 'createdAt' | 'incarnation' | 'reserved' | 'switchedAt'> {
  /** The keys of its references and marks at the sessions on which it depends. */
  readonly marks: readonly string[]
}

/** A log below a session. */
interface FoundLog {
  /** Of the session's document. */
  readonly key: string
  readonly log: string
  readonly fate: Fate
  /** The last part of the log's name. */
  readonly number: string
}

const A_DAY = 24 * 60 * 60 * 1000

/**
 * Finishes what was interrupted and removes what nobody needs any more, in one scope without its inner ones.
 *
 * Contract
 * - Safe beside everything else, other sweeps included: it acts only on what can never change back. `docs/decisions/0006` has the races.
 * - Finishes deletions and erasures, drops logs that no session uses, puts the index right.
 * - What cannot be done is in `failed` and does not stop the rest; a session that this version cannot read is left alone.
 * - Reads each session's document once, and holds a few hundred bytes of each.
 */
export async function sweepScope(
  environment: Environment,
  scope: Scope,
  options: SweepOptions = {},
): Promise<SweepReport> {
  const { signal, keepFor = A_DAY } = options
  checkIndex(keepFor, 'keepFor')
  const { levels, names } = await scope.look(signal)
  const sweep = new Sweep(environment, names, { ...options, keepFor })
  await sweep.sessions()
  await sweep.logs()
  await sweep.index()
  await sweep.references()
  for (const depth of levels.keys()) await clearEarlier(sweep.removals, levels.slice(0, depth + 1), signal)
  const orphans = sweep.orphans.toSorted()
  // Whoever erases the scope meanwhile removes the documents first.
  const isHere = orphans.length === 0 || (await scope.look(signal)).names.root === names.root
  return { ...sweep.report(), orphans: isHere ? orphans : [] }
}

/** One run: concludes from a document, which may have changed meanwhile, only what stays true. */
class Sweep {
  readonly removals: Removals
  readonly orphans: string[] = []
  readonly #environment: Environment
  readonly #names: ScopeNames
  readonly #options: SweepOptions & { readonly keepFor: number }
  readonly #fates = new Map<string, Fate | 'unreadable'>()
  readonly #failed: Failure[] = []
  readonly #looked = { sessions: 0, logs: 0, indexEntries: 0, references: 0 }
  #deletesFinished = 0
  #logsDropped = 0
  #entriesAdded = 0
  #documentsRemoved = 0

  constructor(environment: Environment, names: ScopeNames, options: SweepOptions & { readonly keepFor: number }) {
    this.#environment = environment
    this.#names = names
    this.#options = options
    this.removals = new Removals(environment.adapter)
  }

  report(): Omit<SweepReport, 'orphans'> {
    return {
      deletesFinished: this.#deletesFinished,
      logsDropped: this.#logsDropped + this.removals.logs,
      documentsRemoved: this.#documentsRemoved + this.removals.documents,
      indexEntriesAdded: this.#entriesAdded,
      failed: [...this.#failed, ...this.removals.failed],
    }
  }

  /** Reads all documents, and finishes deletions. */
  async sessions(): Promise<void> {
    const prefix = this.#names.kind('session')
    await this.#each(
      'sessions',
      this.#environment.adapter.keys(prefix, { signal: this.#options.signal }),
      async (key) => {
        if (key.includes('/', prefix.length + 1)) return
        const document = await this.#read(key)
        if (document?.state !== 'deleting') return
        await deleteSession(this.#environment, this.#names, document.id, { signal: this.#options.signal })
        this.#deletesFinished++
      },
    )
  }

  /** Drops the logs that no session uses. */
  async logs(): Promise<void> {
    const prefix = this.#names.kind('session')
    const { adapter } = this.#environment
    await this.#each('logs', adapter.logs(prefix, { signal: this.#options.signal }), async (log) => {
      const [, key, number] = /^(.*)\/(0|[1-9][0-9]*|base-[0-9a-f]*-[0-9]+)$/.exec(log) ?? []
      if (key === undefined || number === undefined || key.lastIndexOf('/') !== prefix.length) return
      const fate = this.#fates.get(key) ?? (await this.#remembered(key))
      if (fate === undefined) this.orphans.push(log)
      else if (fate !== 'unreadable' && (await this.#isSpent({ key, log, fate, number }))) {
        const removal = await adapter.drop(log)
        // A store may list what is dropped already.
        if (removal?.bytes !== 0) this.#logsDropped++
      }
    })
  }

  /** Removes the entries of sessions that are not listed, then adds those that are missing. */
  async index(): Promise<void> {
    const { adapter } = this.#environment
    const missing = new Map<string, string>()
    for (const [key, fate] of this.#fates) {
      if (fate !== 'unreadable' && fate.state === 'live') missing.set(this.#entryOf(fate), key)
    }
    await this.#each(
      'indexEntries',
      adapter.keys(this.#names.index, { signal: this.#options.signal }),
      async (entry) => {
        missing.delete(entry)
        const fate = this.#fates.get(this.#names.indexed(entry).sessionKey)
        // Absent: somebody may be about to create it.
        if (fate === undefined || fate === 'unreadable' || fate.state === 'blocked') return
        if (fate.state !== 'tombstone' && this.#entryOf(fate) === entry) return
        await adapter.remove(entry, { forget: true })
        this.#documentsRemoved++
      },
    )
    await this.#each('indexEntries', [[...missing.keys()]], async (entry) => {
      if (!(await createDocument(this.#environment, entry, {}))) return
      const now = await readDocument(adapter, missing.get(entry) as string, parseSessionDocument)
      if (now?.document.state === 'live') this.#entriesAdded++
      // Deleted or erased since it was read: the entry was nobody's.
      else await adapter.remove(entry, { forget: true })
    })
  }

  /** Removes the references and marks of those who will never depend on the session that they name. */
  async references(): Promise<void> {
    const { adapter } = this.#environment
    const { signal } = this.#options
    for (const kind of ['refs', 'children']) {
      const prefix = this.#names.kind(kind)
      await this.#each('references', adapter.keys(prefix, { signal }), async (key) => {
        if (key.slice(prefix.length + 1).split('/').length !== 2) return
        const fateOf = (session: string) => {
          const fate = this.#fates.get(session)
          return fate === 'unreadable' ? undefined : fate
        }
        const [referred, referring] = [fateOf(this.#names.referred(key)), fateOf(this.#names.referring(key))]
        if (referred?.state !== 'tombstone' && referring?.state !== 'tombstone') {
          // Absent, blocked: somebody may be about to create it. Deleting: it is removed with the rest.
          if (referring?.state !== 'live' || referring.marks.includes(key)) return
          // Written again: that it can be read does not mean that it lasts.
          const session = { key: this.#names.referring(key), id: referring.id }
          const { document } = await changeSession(this.#environment, session, (current) => current, { signal })
          if (this.#marksOf(document).includes(key)) return
        }
        await adapter.remove(key, { forget: true })
        this.#documentsRemoved++
      })
    }
  }

  /** Whether a log will never be the session's own, and has not been for long enough, and no fork reads it. */
  async #isSpent({ key, log, fate, number: last }: FoundLog): Promise<boolean> {
    const { state, id, incarnation, switchedAt } = fate
    if (state !== 'live') return state === 'tombstone'
    if (isBaseLog(log)) return isForgottenBase(this.#environment, this.#names, { key, id, log }, this.#options)
    const number = Number(last)
    if (number > incarnation) {
      // The newest copy may be in the making.
      if (number >= highestIncarnation(fate)) return false
      const now = await discardCopies(this.#environment, { key, id }, { signal: this.#options.signal })
      return now.incarnation < number && number <= (now.discarded ?? 0)
    }
    const until = switchedAt === undefined ? 0 : Date.parse(switchedAt) + this.#options.keepFor
    if (number >= incarnation || this.#environment.clock.now() < until) return false
    // Written again: that the switch can be read does not mean that it lasts.
    const session = { key, id }
    const { document } = await changeSession(this.#environment, session, (current) => current, this.#options)
    if (number >= document.incarnation) return false
    return !(await isShared(this.#environment, this.#names, { id, log }, this.#options))
  }

  #entryOf({ id, createdAt }: Fate): string {
    return this.#names.indexEntry(id, Date.parse(createdAt))
  }

  /** Reads a session's document; undefined if there is none. If it cannot be read, the session's logs and entries are left alone. */
  async #read(key: string): Promise<SessionDocument | undefined> {
    this.#fates.set(key, 'unreadable')
    const found = await readDocument(this.#environment.adapter, key, parseSessionDocument, this.#options.signal)
    const document = found?.document
    if (document === undefined) this.#fates.delete(key)
    else if (document.state === 'tombstone' || document.state === 'blocked') this.#remember(key, document)
    else if (this.#names.session(document.id) === key) this.#remember(key, document)
    else throw new CorruptError(`Document ${key} is the document of another session.`)
    return document
  }

  async #remembered(key: string): Promise<Fate | 'unreadable' | undefined> {
    await this.#read(key)
    return this.#fates.get(key)
  }

  #remember(key: string, document: SessionDocument): void {
    const { state, id, createdAt, incarnation, reserved, switchedAt } = document
    const marks = state === 'live' ? this.#marksOf(document) : []
    this.#fates.set(key, { state, id, createdAt, incarnation, reserved, switchedAt, marks } as Fate)
  }

  #marksOf({ id, lineage, parent }: SessionDocument): readonly string[] {
    const references = ancestorsOf(lineage, id).map((ancestor) => this.#names.reference(ancestor, id))
    return parent ? [...references, this.#names.subAgent(parent.session, id)] : references
  }

  async #each(
    kind: keyof SweepProgress,
    pages: AsyncIterable<readonly string[]> | Iterable<readonly string[]>,
    work: (name: string) => Promise<void>,
  ): Promise<void> {
    const { signal, onProgress } = this.#options
    await sideBySide(pages, signal, async (name) => {
      try {
        await work(name)
      } catch (error) {
        // Somebody else deletes it meanwhile, and removes what this was about.
        if (!SessionError.is(error, 'DELETED')) this.#failed.push(failureOf(name, error))
      }
      this.#looked[kind]++
      onProgress?.({ ...this.#looked })
    })
  }
}
