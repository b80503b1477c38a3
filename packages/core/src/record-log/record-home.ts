import type { StorageAdapter } from '../adapter.ts'
import { checkIndex } from '../check.ts'
import { changeDocument, createDocument, freshRev, readDocument, type DocumentFields } from '../document.ts'
import { endLog } from '../end-log.ts'
import type { JsonObject } from '../entry.ts'
import type { Environment } from '../environment.ts'
import { CorruptError, SessionError } from '../errors.ts'
import { InFlight } from '../in-flight.ts'
import { encodeSegment } from '../names.ts'
import { checkId, FORMAT } from '../record.ts'
import { systemClock, systemRandom, throwIfAborted, type Clock, type Random, type Signal } from '../runtime.ts'
import { Scope } from '../scope.ts'
import { sideBySide } from '../side-by-side.ts'
import type { LogPlace } from './append-queue.ts'
import { parseHomeDocument, type HomeDocument } from './home-document.ts'
import { RecordLog } from './record-log.ts'
import { Stop } from './stop.ts'

/** What every record home of a kind has in common. */
export interface RecordHomeOptions {
  readonly adapter: StorageAdapter
  /** A word of its own: `events`, `ledger`, … Becomes part of every name. */
  readonly kind: string
  /** The names of its logs. */
  readonly logs: readonly string[]
  /** Whose it is, as in `openSessions`. Default: none. */
  readonly scope?: readonly string[] | undefined
  readonly clock?: Clock | undefined
  readonly random?: Random | undefined
}

/** What {@link RecordHome.close} may be told. */
export interface CloseOptions {
  /** How many milliseconds what is under way may take. Default 5,000. */
  readonly timeout?: number | undefined
  readonly signal?: Signal | undefined
}

/** What {@link RecordHome.clear} may be told. */
export interface ClearOptions {
  /** Whether the old logs are kept for good. Default false. */
  readonly keep?: boolean | undefined
  /** How many milliseconds they are kept otherwise. Default: one day. 0 only where no other handle writes. */
  readonly keepFor?: number | undefined
  readonly signal?: Signal | undefined
}

const A_DAY = 24 * 60 * 60 * 1000
const RESERVED: ReadonlySet<string> = new Set(['session', 'index', 'refs', 'scope', 'base'])
const DEFAULT_DRAIN = 5000

/**
 * A document and the record logs that belong to it: all are cleared together, and deleted together.
 *
 * `docs/decisions/0012-events-ledger-invocations.md` has the rules and the schedules behind them.
 */
export class RecordHome {
  readonly id: string
  readonly #environment: Environment
  readonly #options: RecordHomeOptions
  readonly #scope: Scope
  readonly #inFlight: InFlight
  readonly #closed = new Stop()
  readonly #logs: Map<string, RecordLog<unknown>> = new Map()
  #creates = false
  #known: HomeDocument | undefined
  #about: JsonObject = {}
  #state: 'open' | 'closing' | 'closed' = 'open'

  /** Costs nothing: nothing is read or written before the first call. */
  constructor(options: RecordHomeOptions, id: string) {
    checkKind(options.kind)
    checkId(id)
    const { adapter, scope = [], clock = systemClock, random = systemRandom } = options
    this.id = id
    this.#options = options
    this.#environment = { adapter, clock, random }
    this.#scope = new Scope(this.#environment, scope)
    this.#inFlight = new InFlight(`${options.kind} handle`)
  }

  /** The document as this handle saw it last, undefined if there was none: whatever is derived for an append comes after a look. */
  get known(): HomeDocument | undefined {
    return this.#known
  }

  get clock(): Clock {
    return this.#environment.clock
  }

  get random(): Random {
    return this.#environment.random
  }

  /** From now on the first write creates the document, with this in it; where there is none, there is nothing to read. */
  createWith(about: JsonObject = {}): this {
    this.#creates = true
    this.#about = about
    return this
  }

  /** One of its logs. */
  log<Value>(name: string): RecordLog<Value> {
    let log = this.#logs.get(name)
    if (!log) {
      if (!this.#options.logs.includes(name)) throw new TypeError(`There is no log ${JSON.stringify(name)} here.`)
      log = new RecordLog<unknown>({
        ...this.#environment,
        name,
        inFlight: this.#inFlight,
        closed: this.#closed,
        locate: (signal) => this.#locate(name, signal),
        finishClear: (incarnation) => this.#move(incarnation),
        prepare: async () => void (await this.#look(undefined, true)),
      })
      this.#logs.set(name, log)
    }
    return log as RecordLog<Value>
  }

  /**
   * Resolves with the document as it is now.
   *
   * Contract
   * - `NOT_FOUND` if there is none, unless {@link createWith} was called: then it is created. `DELETED`, `FORMAT`, `CORRUPT`.
   */
  look(signal?: Signal): Promise<HomeDocument> {
    return this.#inFlight.run(() => this.#look(signal, true))
  }

  /** Resolves with the document if there is one, and creates none. `DELETED`, `FORMAT`, `CORRUPT`. */
  find(signal?: Signal): Promise<HomeDocument | undefined> {
    return this.#inFlight.run(async () => this.#checked(await this.#find(signal)))
  }

  /** Changes what the owner keeps in the document by compare-and-swap; `change` returns undefined to leave it. */
  change(change: (about: JsonObject) => JsonObject | undefined, signal?: Signal): Promise<HomeDocument> {
    return this.#inFlight.run(async () => {
      await this.#look(signal, true)
      return this.#change((current) => {
        const about = change(current.about ?? {})
        return about && { ...current, about }
      }, signal)
    })
  }

  /**
   * Clears all logs together: what was in them is gone for whoever reads from now on; the handle goes on with a new incarnation, whose
   * number it resolves with.
   *
   * Contract
   * - Readers see all of the old state or nothing of it, in all logs. Interrupted anywhere, the next writer finishes it.
   * - The old logs are taken out of the store `keepFor` milliseconds later, by the next clear or {@link sweep}: until then whoever was
   *   asleep meanwhile is told. With `keep` they stay, for whoever wants to look at what is damaged; `delete` removes all.
   * - `signal`: honoured until the first write.
   */
  clear({ keep = false, keepFor = A_DAY, signal }: ClearOptions = {}): Promise<number> {
    checkIndex(keepFor, 'keepFor')
    return this.#inFlight.run(async () => {
      const { incarnation } = await this.#look(signal, true)
      throwIfAborted(signal)
      if (keep) {
        await this.#change((current) => ({
          ...current,
          quarantined: [...new Set([...(current.quarantined ?? []), incarnation])],
        }))
      }
      await this.#move(incarnation)
      const now = await this.#look(undefined)
      await this.#dropBefore(now, keepFor)
      return now.incarnation
    })
  }

  /** Takes the logs of incarnations out of the store that ended `keepFor` milliseconds ago or longer. */
  sweep({ keepFor = A_DAY, signal }: Omit<ClearOptions, 'keep'> = {}): Promise<void> {
    checkIndex(keepFor, 'keepFor')
    return this.#inFlight.run(async () => this.#dropBefore(await this.#look(signal), keepFor, signal))
  }

  /**
   * Deletes everything; the id stays spent (`DELETED`), and its document keeps nothing but that.
   *
   * Contract
   * - `NOT_FOUND` if there never was one; deleted already resolves. Interrupted anywhere, the next `delete` finishes it.
   */
  delete({ signal }: { readonly signal?: Signal | undefined } = {}): Promise<void> {
    return this.#inFlight.run(async () => {
      const found = await this.#find(signal)
      if (!found) throw this.#missing()
      const deleted = found.deleted ?? new Date(this.clock.now()).toISOString()
      const { adapter } = this.#environment
      const key = await this.#key()
      await changeDocument(
        this.#environment,
        key,
        (current: HomeDocument | undefined) =>
          current && {
            format: current.format,
            rev: current.rev,
            revs: current.revs,
            incarnation: current.incarnation,
            deleted: current.deleted ?? deleted,
          },
        { parse: parseHomeDocument, signal, forget: true },
      )
      for (const name of this.#options.logs) {
        await endLog(this.#environment, `${key}/${found.incarnation}/${name}`, { signal })
      }
      await sideBySide(adapter.logs(key, { signal }), signal, async (log) => void (await adapter.drop(log)))
    })
  }

  /**
   * Waits for what is under way, as long as `timeout` says, then ends the handle; the adapter stays open, it is the caller's.
   *
   * Contract
   * - What starts from now on rejects with `CLOSED`, and so does another `close` until this one has ended; after that it resolves.
   * - `TIMEOUT` if not all ended in time: what had not reached the adapter rejects with `CLOSED`, nothing of it written; the handle is closed all
   *   the same.
   */
  async close({ timeout = DEFAULT_DRAIN, signal }: CloseOptions = {}): Promise<void> {
    if (this.#state === 'closed') return
    if (this.#state === 'closing') throw new SessionError('CLOSED', 'This handle is being closed already.')
    if (!(timeout >= 0)) throw new TypeError(`timeout: expected milliseconds from 0, got ${String(timeout)}`)
    this.#state = 'closing'
    const reason = new SessionError(
      'CLOSED',
      `This ${this.#options.kind} handle was closed before the call was written.`,
    )
    try {
      const drained = this.#inFlight.close(async () => {})
      this.#closed.abort(reason)
      if (!(await this.#inTime(drained, timeout, signal))) {
        const message = `Not everything that was under way ended within ${timeout} ms; the handle is closed all the same.`
        throw new SessionError('TIMEOUT', message, { written: 'unknown', cause: signal?.reason })
      }
    } finally {
      for (const log of this.#logs.values()) log.abandon(reason)
      this.#state = 'closed'
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #inTime(drained: Promise<void>, timeout: number, signal: Signal | undefined): Promise<boolean> {
    let cancel = () => {}
    let end = () => {}
    const late = new Promise<boolean>((resolve) => {
      end = () => resolve(false)
      if (signal?.aborted) return end()
      cancel = this.clock.timer(timeout, end)
      signal?.addEventListener('abort', end, { once: true })
    })
    try {
      return await Promise.race([drained.then(() => true), late])
    } finally {
      cancel()
      signal?.removeEventListener('abort', end)
    }
  }

  async #locate(name: string, signal: Signal | undefined): Promise<LogPlace> {
    const { incarnation } = await this.#look(signal)
    return { log: `${await this.#key()}/${incarnation}/${name}`, incarnation }
  }

  /** The document as it is; as it will be, where there is none yet and it is not to be created now. */
  async #look(signal: Signal | undefined, create = false): Promise<HomeDocument> {
    const found = await this.#find(signal)
    if (found) return this.#checked(found) as HomeDocument
    if (!this.#creates) throw this.#missing()
    return create ? this.#create(signal) : this.#fresh()
  }

  #checked(found: HomeDocument | undefined): HomeDocument | undefined {
    if (found?.deleted !== undefined) {
      throw new SessionError('DELETED', `${this.#what()} was deleted; its id stays spent.`)
    }
    if (found && found.id !== this.id) throw new CorruptError(`The document of ${this.#what()} belongs to another id.`)
    return found
  }

  async #find(signal: Signal | undefined): Promise<HomeDocument | undefined> {
    const found = await readDocument(this.#environment.adapter, await this.#key(), parseHomeDocument, signal)
    this.#known = found?.document
    return found?.document
  }

  async #create(signal: Signal | undefined): Promise<HomeDocument> {
    throwIfAborted(signal)
    await createDocument(this.#environment, await this.#key(), this.#fresh())
    const found = this.#checked(await this.#find(signal))
    if (!found) throw this.#missing()
    return found
  }

  #fresh(): HomeDocument {
    return {
      format: FORMAT,
      id: this.id,
      createdAt: new Date(this.clock.now()).toISOString(),
      incarnation: 0,
      about: this.#about,
      rev: freshRev(this.random),
      revs: [],
    }
  }

  async #change(change: (current: HomeDocument) => DocumentFields | undefined, signal?: Signal): Promise<HomeDocument> {
    const { document } = await changeDocument(
      this.#environment,
      await this.#key(),
      (current: HomeDocument | undefined) => {
        if (!current) throw this.#missing()
        if (current.deleted !== undefined) throw new SessionError('DELETED', `${this.#what()} was deleted.`)
        return change(current)
      },
      { parse: parseHomeDocument, signal },
    )
    return document as HomeDocument
  }

  /** Ends the logs of an incarnation and moves to the next one, unless that has happened. */
  async #move(incarnation: number): Promise<void> {
    const key = await this.#key()
    const now = await this.#look(undefined)
    if (now.incarnation !== incarnation) return
    for (const name of this.#options.logs) await endLog(this.#environment, `${key}/${incarnation}/${name}`)
    const ended = new Date(this.clock.now()).toISOString()
    await this.#change((current) =>
      current.incarnation === incarnation
        ? { ...current, incarnation: incarnation + 1, ended: { ...current.ended, [incarnation]: ended } }
        : undefined,
    )
  }

  async #dropBefore(document: HomeDocument, keepFor: number, signal?: Signal): Promise<void> {
    const { incarnation, quarantined = [], ended = {} } = document
    const { adapter } = this.#environment
    const prefix = await this.#key()
    const isDue = (number: number) =>
      number < incarnation &&
      !quarantined.includes(number) &&
      this.clock.now() >= Date.parse(ended[number] ?? '1970-01-01') + keepFor
    await sideBySide(adapter.logs(prefix, { signal }), signal, async (log) => {
      if (isDue(Number(log.slice(prefix.length + 1).split('/')[0]))) await adapter.drop(log)
    })
  }

  async #key(): Promise<string> {
    return `${(await this.#scope.names()).kind(this.#options.kind)}/${encodeSegment(this.id)}`
  }

  #what(): string {
    return `${this.#options.kind} ${JSON.stringify(this.id)}`
  }

  #missing(): SessionError {
    return new SessionError('NOT_FOUND', `There is no ${this.#what()}.`)
  }
}

/** What {@link recordHomes} yields. */
export type FoundHome =
  | { readonly id: string; readonly document: HomeDocument }
  /** A document that cannot be read. */
  | { readonly key: string; readonly error: SessionError }

/** Streams the record homes of a kind, in the order of their encoded ids; deleted ones are left out. */
export async function* recordHomes(options: RecordHomeOptions, signal?: Signal): AsyncGenerator<FoundHome, void, void> {
  checkKind(options.kind)
  const { adapter, scope = [], clock = systemClock, random = systemRandom } = options
  throwIfAborted(signal)
  const prefix = (await new Scope({ adapter, clock, random }, scope).names()).kind(options.kind)
  for await (const keys of adapter.keys(prefix, { signal })) {
    const found: FoundHome[] = []
    await sideBySide([keys.filter((key) => !key.includes('/', prefix.length + 1))], signal, async (key) => {
      try {
        const document = (await readDocument(adapter, key, parseHomeDocument, signal))?.document
        if (document?.id !== undefined && document.deleted === undefined) found.push({ id: document.id, document })
      } catch (error) {
        if (!SessionError.is(error, 'CORRUPT') && !SessionError.is(error, 'FORMAT')) throw error
        found.push({ key, error })
      }
    })
    yield* found.toSorted((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1))
  }
}

const keyOf = (found: FoundHome) =>
  'id' in found ? encodeSegment(found.id) : found.key.slice(found.key.lastIndexOf('/') + 1)

function checkKind(kind: string): void {
  if (!/^[a-z]{3,40}$/.test(kind) || RESERVED.has(kind)) {
    throw new TypeError(`kind: expected a word of its own in a-z, not ${JSON.stringify(kind)}`)
  }
}
