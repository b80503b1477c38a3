import {
  canonicalJson,
  CorruptError,
  LogFold,
  SessionError,
  type CloseOptions,
  type HomeDocument,
  type LogDraft,
  type RecordHome,
  type Signal,
} from '@sessiontree/core'
import { checkEntry, type LedgerEntry, type NewEntry } from './entry.ts'
import { replay, SCHEMA_VERSION, type Ledger, type ReplayOptions } from './ledger.ts'
import { receiptChain, sealReceipt } from './receipts.ts'
import { truncateOutput } from './truncate-output.ts'

/** How a ledger is kept. */
export interface LedgerSettings extends ReplayOptions {
  /** How many bytes of a criterion's output are kept. Default 1,000. */
  readonly maxOutputBytes?: number | undefined
}

/** Options of every call. */
export interface LedgerCallOptions {
  readonly signal?: Signal | undefined
}

/** What is appended: entries, or what decides about them from the ledger as it is. */
export type LedgerInput = NewEntry | readonly NewEntry[] | ((ledger: Ledger) => Additions | Promise<Additions>)

type Additions = NewEntry | readonly NewEntry[] | undefined

/** What an append did. */
export interface Appended {
  /** The entries, as they are stored: also one that was there already. */
  readonly entries: readonly LedgerEntry[]
  /** The ledger behind them. */
  readonly ledger: Ledger
}

const DEFAULT_OUTPUT = 1000

/** The ledger of one task. Made by `openLedger`. */
export class TaskLedger {
  readonly taskId: string
  readonly #home: RecordHome
  readonly #settings: LedgerSettings
  readonly #entries = new LogFold<LedgerEntry, LedgerEntry[]>(
    () => [],
    (entries, { value }) => {
      entries.push(value)
      return entries
    },
  )

  /** @internal Use `openLedger`. */
  constructor(home: RecordHome, settings: LedgerSettings) {
    this.taskId = home.id
    this.#home = home
    this.#settings = settings
  }

  /**
   * Resolves with the ledger as it is now.
   *
   * Contract
   * - `NOT_FOUND` if there is none; `CORRUPT` if any entry cannot be read, and nothing is changed.
   */
  async load({ signal }: LedgerCallOptions = {}): Promise<Ledger> {
    const document = await this.#home.find(signal)
    const entries = document && (await this.#entries.upTo(await this.#log.committed(signal), signal))
    if (!document || !entries?.length) throw this.#missing()
    return this.#ledger(document, entries)
  }

  /**
   * Appends entries, or what a function derives from the ledger as it is, and resolves with them and the ledger behind them. Creates the ledger
   * if there is none.
   *
   * Contract
   * - All or none, behind exactly the ledger that the function saw: it is asked again when somebody else was first. What it throws rejects the call, and
   *   nothing is written; so it is when it returns nothing.
   * - An entry without id gets `entry-N`, one without time the time of now. An id that is taken: the same entry is not stored again, another is `DUPLICATE`.
   * - A bad field is a `TypeError`, a ledger of a newer schema `FORMAT`, one whose receipts do not hang together `CORRUPT`; nothing is written.
   * - `signal`: until the entries are handed to the adapter the call rejects with the reason, and nothing is written.
   */
  async append(input: LedgerInput, { signal }: LedgerCallOptions = {}): Promise<Appended> {
    if (typeof input !== 'function') for (const entry of listOf(input)) checkEntry(entry)
    let found: Omit<Appended, 'ledger'> = { entries: [] }
    let entries: readonly LedgerEntry[] = []
    await this.#log.append(async (draft) => {
      const ledger = await this.#drafted(draft)
      const additions = listOf(typeof input === 'function' ? await input(ledger) : input)
      const { all, added } = this.#admit(ledger, additions)
      found = { entries: all }
      entries = [...ledger.entries, ...added]
      return added
    }, signal)
    return { ...found, ledger: this.#ledger(this.#head(), entries) }
  }

  /** Deletes the ledger; its task id stays spent. */
  delete({ signal }: LedgerCallOptions = {}): Promise<void> {
    return this.#home.delete({ signal })
  }

  /** Waits for what is under way, then ends this handle; the adapter stays open. See `RecordHome.close`. */
  close(options?: CloseOptions): Promise<void> {
    return this.#home.close(options)
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  get #log() {
    return this.#home.log<LedgerEntry>('entry')
  }

  async #drafted(draft: LogDraft<LedgerEntry>): Promise<Ledger> {
    const head = this.#head()
    const version = schemaOf(head)
    if (version > SCHEMA_VERSION) {
      throw new SessionError(
        'FORMAT',
        `Ledger ${JSON.stringify(this.taskId)} has schema version ${version}; this version writes ${SCHEMA_VERSION}. Update @sessiontree/ledger.`,
      )
    }
    const committed = await this.#entries.upTo(draft)
    const entries = [...committed.slice(0, draft.committed), ...draft.drafted.map(({ value }) => value)]
    const { broken } = receiptChain(entries)
    if (broken) throw this.#brokenChain(broken)
    return this.#ledger(head, entries)
  }

  /** What the document says of the ledger: it never changes once it is there. */
  #head(): Pick<HomeDocument, 'createdAt' | 'about'> {
    return this.#home.known ?? { createdAt: new Date(this.#home.clock.now()).toISOString() }
  }

  /** Fills entries in, leaves out those that are there, and refuses those that contradict. */
  #admit(ledger: Ledger, additions: readonly NewEntry[]): { all: LedgerEntry[]; added: LedgerEntry[] } {
    const now = new Date(this.#home.clock.now()).toISOString()
    const known = new Map(ledger.entries.map((entry) => [entry.id, entry]))
    let { head } = receiptChain(ledger.entries)
    const all: LedgerEntry[] = []
    const added: LedgerEntry[] = []
    for (const addition of additions) {
      const given = this.#truncated(checkEntry(addition))
      const stored = given.id === undefined ? undefined : known.get(given.id)
      if (stored) {
        assertSame(stored, given)
        all.push(stored)
        continue
      }
      const id = given.id ?? freeId(known, ledger.entries.length + added.length + 1)
      const filled = { id, ...given, recorded_at: given.recorded_at ?? now } as LedgerEntry
      const entry = filled.type === 'receipt' ? sealReceipt(head, filled) : filled
      if (entry.type === 'receipt') head = String(entry['ledger_head'])
      known.set(id, entry)
      all.push(entry)
      added.push(entry)
    }
    return { all, added }
  }

  #truncated(entry: NewEntry): NewEntry {
    if (entry.type !== 'criterion' || entry.output === undefined) return entry
    return { ...entry, ...truncateOutput(entry.output, this.#settings.maxOutputBytes ?? DEFAULT_OUTPUT) }
  }

  #ledger(document: Pick<HomeDocument, 'createdAt' | 'about'>, entries: readonly LedgerEntry[]): Ledger {
    const created = document.createdAt ?? ''
    const { broken } = receiptChain(entries)
    const base: Ledger = {
      ...document.about,
      schema_version: schemaOf(document),
      task_id: this.taskId,
      created_at: created,
      updated_at: created,
      entries,
      criterion_states: {},
      phase_blocks: {},
      ...(broken
        ? { invalid: { entry_id: broken.id, reason: 'its head does not follow from the receipts before it' } }
        : {}),
    }
    return replay(base, this.#settings)
  }

  #missing(): SessionError {
    return new SessionError('NOT_FOUND', `There is no ledger of task ${JSON.stringify(this.taskId)}.`)
  }

  #brokenChain({ id }: LedgerEntry): CorruptError {
    return new CorruptError(
      `The receipts of ledger ${JSON.stringify(this.taskId)} do not hang together at ${JSON.stringify(id)}; nothing was written.`,
    )
  }
}

const schemaOf = ({ about }: Pick<HomeDocument, 'about'>) => Number(about?.['schema_version'] ?? SCHEMA_VERSION)

const listOf = (input: Additions): readonly NewEntry[] =>
  input === undefined ? [] : Array.isArray(input) ? (input as readonly NewEntry[]) : [input as NewEntry]

function freeId(known: ReadonlyMap<string, unknown>, from: number): string {
  let number = from
  while (known.has(`entry-${number}`)) number++
  return `entry-${number}`
}

/** The same id with other fields is a mistake, never an overwrite. What was filled in is not compared. */
function assertSame(stored: LedgerEntry, given: NewEntry): void {
  const filled = new Set(['recorded_at', 'ledger_head'])
  const known = Object.fromEntries(Object.entries(stored).filter(([name]) => name in given || !filled.has(name)))
  if (canonicalJson(known) === canonicalJson(given)) return
  throw new SessionError(
    'DUPLICATE',
    `Entry ${JSON.stringify(stored.id)} is in the ledger with other fields; nothing was written.`,
  )
}
