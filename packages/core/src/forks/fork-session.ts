import { v5, v7 } from 'uuid'
import type { EntryReference } from '../ancestry.ts'
import { checkDocument } from '../check.ts'
import { createInPlace, newSessionDocument } from '../create-session.ts'
import { createDocument, readDocument } from '../document.ts'
import type { JsonObject } from '../entry.ts'
import { SessionError } from '../errors.ts'
import { checkId } from '../record.ts'
import { throwIfAborted, type Signal } from '../runtime.ts'
import { liveDocument, parseSessionDocument, readSessionDocument, type SessionDocument } from '../session-document.ts'
import type { SessionState } from '../session-state.ts'
import { findCut, type Cut } from './cut.ts'
import { ancestorsOf, isSameLineage } from './lineage.ts'
import { putMark } from './put-mark.ts'

/** Options of {@link Session.fork}. */
export interface ForkOptions {
  /** The new session's id. Default: one made of `requestId`, else a UUIDv7. */
  readonly id?: string | undefined
  /** The last entry that the fork shares. Default: the leaf. */
  readonly at?: EntryReference | undefined
  /** The fork ends before this entry: with the entry that it follows, or empty. */
  readonly before?: EntryReference | undefined
  /** At most 1,024 characters. */
  readonly title?: string | undefined
  readonly metadata?: JsonObject | undefined
  /** Names what the caller wants, 1–1,024 characters: the same request again gives the same fork. */
  readonly requestId?: string | undefined
  /** Honoured between two steps; the same call again goes on. */
  readonly signal?: Signal | undefined
}

// Any constant of our own: what ids are made of that follow from a request.
const REQUESTS = '6f9c1a52-83b5-4c1e-9f0e-5d6a37c1b2e4'
// How often the source may move to other logs while it is forked.
const TRIES = 16

/**
 * Makes a session that begins with what another one holds up to an entry; resolves with its document, and the version of that if it is known. Nothing is
 * copied.
 *
 * The order is what keeps a deletion beside it from taking the data: first a reference at each session that the fork depends on, then
 * a look at the source, then the fork's document. Whoever deletes does it the other way round. See `docs/decisions/0011`.
 */
export async function forkSession<Message>(state: SessionState<Message>, options: ForkOptions): Promise<MadeFork> {
  const { adapter, clock, random, names, format } = state.options
  const { requestId, signal } = options
  checkForkOptions(options)
  const requested = requestId === undefined ? undefined : v5(JSON.stringify([state.id, requestId]), REQUESTS)
  const id = options.id ?? requested ?? v7({ msecs: clock.now(), random: random.bytes(16) })
  const blank = newSessionDocument(state.options, { id, messageFormat: format.id, names }, options)
  throwIfAborted(signal)
  const fork = new Fork(state, blank, options)
  try {
    return await fork.make()
  } catch (error) {
    // The source is gone. What an earlier call of the same request made is there all the same.
    if (!SessionError.is(error, 'DELETED') || requestId === undefined) throw error
    const found = await readDocument(adapter, names.session(id), parseSessionDocument, signal)
    const isMade = found?.document.state === 'live' && found.document.forkedFrom?.session === state.id
    if (!isMade || found.document.requestId !== requestId) throw error
    return found
  }
}

interface MadeFork {
  readonly document: SessionDocument
  readonly version: string | undefined
}

/** One call that forks. */
class Fork<Message> {
  readonly #state: SessionState<Message>
  /** The fork's document but for where it begins. */
  readonly #blank: SessionDocument
  readonly #options: ForkOptions
  /** The sessions that have a reference from this fork, as far as this call put them. */
  readonly #marked = new Set<string>()
  /** The `rev` of what keeps the id free, if anything does. */
  #blocked: string | undefined

  constructor(state: SessionState<Message>, blank: SessionDocument, options: ForkOptions) {
    this.#state = state
    this.#blank = blank
    this.#options = options
  }

  async make(): Promise<MadeFork> {
    const state = this.#state
    const { adapter } = state.options
    const { at, before, signal } = this.#options
    for (let attempt = 0; attempt < TRIES; attempt++) {
      const { incarnation, lineage = [] } = state.document
      // Whatever the leaf is, these are the sessions that it may depend on: both can go together.
      const isLeaf = at === undefined && before === undefined
      const cutting = findCut(state, this.#options)
      const marking = isLeaf
        ? this.#mark([...ancestorsOf(lineage, this.#blank.id), state.id])
        : cutting.then(({ ancestors }) => this.#mark(ancestors))
      await Promise.allSettled([cutting, marking])
      const cut = await cutting
      await marking
      if (!cut.ancestors.every((ancestor) => this.#marked.has(ancestor))) continue
      throwIfAborted(signal)
      // The references stay if it is gone: whoever deletes it looks at each, and an earlier call may have made the fork that needs them.
      const { document, version } = await readSessionDocument(adapter, state.key, state.id, signal)
      state.adopt(document, version)
      // It went to other logs: what it shares lies there now, and references come first.
      if (document.incarnation !== incarnation || !isSameLineage(document.lineage, lineage)) continue
      throwIfAborted(signal)
      const made = await this.#put(cut)
      if (made) return made
    }
    throw new SessionError('BUSY', `Session ${JSON.stringify(state.id)} kept moving while it was forked; try again.`)
  }

  /** Makes the fork known to the sessions that it will depend on, and to the list. */
  async #mark(ancestors: readonly string[]): Promise<void> {
    const { names } = this.#state.options
    const { id } = this.#blank
    throwIfAborted(this.#options.signal)
    const marks = [...new Set(ancestors)].map(async (ancestor) => {
      await putMark(this.#state.options, names.reference(ancestor, id), this.#options.signal)
      this.#marked.add(ancestor)
    })
    const steps = [...marks, createDocument(this.#state.options, this.#entry, {})]
    await Promise.allSettled(steps)
    await Promise.all(steps)
  }

  get #entry(): string {
    return this.#state.options.names.indexEntry(this.#blank.id, Date.parse(this.#blank.createdAt))
  }

  /** Resolves with the fork; undefined if all has to be looked at again. */
  async #put(cut: Cut): Promise<MadeFork | undefined> {
    const { adapter, names } = this.#state.options
    const { id, createdAt } = this.#blank
    const { requestId } = this.#options
    const { lineage } = cut
    const document: SessionDocument = {
      ...this.#blank,
      segment: Math.max(-1, ...lineage.map(({ segment }) => segment)) + 1,
      ...(lineage.length === 0 ? {} : { lineage }),
      forkedFrom: { session: this.#state.id, entry: cut.entry },
      ...(requestId === undefined ? {} : { requestId }),
    }
    checkDocument(JSON.stringify(document))
    const put = await createInPlace(this.#state.options, names.session(id), document, this.#blocked)
    if (put.tookEffect) {
      await this.#forget(document)
      return { document, version: put.version }
    }
    const found = await readDocument(adapter, names.session(id), parseSessionDocument)
    if (found?.document.state === 'blocked') {
      this.#blocked = found.document.rev
      return undefined
    }
    if (found?.document.createdAt !== createdAt) await adapter.remove(this.#entry, { forget: true })
    if (found) await this.#forget(found.document)
    const existing = liveDocument(found?.document, id)
    if (isSameRequest(this.#state.id, existing, cut, this.#options))
      return { document: existing, version: found?.version }
    throw new SessionError(
      'EXISTS',
      `There is a session ${JSON.stringify(id)} already, and it is not this fork; choose another id.`,
    )
  }

  /** Removes references that this call put and nobody needs: a lineage never comes to name another session. */
  async #forget({ state, lineage }: SessionDocument): Promise<void> {
    if (state === 'deleting') return
    const { adapter, names } = this.#state.options
    const needed = ancestorsOf(lineage, this.#blank.id)
    for (const ancestor of this.#marked) {
      if (needed.includes(ancestor)) continue
      await adapter.remove(names.reference(ancestor, this.#blank.id), { forget: true })
    }
  }
}

function isSameRequest(
  source: string,
  { forkedFrom, requestId }: SessionDocument,
  { entry }: Cut,
  { at, before, requestId: asked }: ForkOptions,
): boolean {
  if (forkedFrom?.session !== source || requestId !== asked) return false
  const isSameEntry = forkedFrom.entry === entry
  // The leaf may have moved on since the request was made first.
  return isSameEntry || (asked !== undefined && at === undefined && before === undefined)
}

function checkForkOptions({ id, at, before, requestId }: ForkOptions): void {
  if (id !== undefined) checkId(id)
  if (requestId !== undefined) checkId(requestId, 'requestId')
  if (at !== undefined && before !== undefined) throw new TypeError('fork: give at or before, not both')
}
