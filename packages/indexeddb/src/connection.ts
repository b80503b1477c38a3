import { SessionError, throwIfAborted, type Clock, type Random, type Signal } from '@sessiontree/core'
import { unwrap, wrap, type IDBPDatabase, type IDBPTransaction } from 'idb'
import { openingError, storageError, transactionError } from './failures.ts'
import { isOutOfSpace, quotaError } from './quota.ts'
import { createLayout, freshToken, identityOf, LAYOUT_VERSION, type Layout, type StoreName } from './layout.ts'

type Database = IDBPDatabase<Layout>
export type Transaction<Mode extends IDBTransactionMode> = IDBPTransaction<Layout, StoreName[], Mode>

/** How to reach a database. */
export interface ConnectionOptions {
  readonly name: string
  readonly durability: 'strict' | 'relaxed'
  readonly clock: Clock
  readonly random: Random
  readonly factory: () => Pick<IDBFactory, 'open'> | undefined
}

// The browser queues an open request behind another tab's unfinished upgrade or deletion, and need not say so.
const PATIENCE = 10_000

/**
 * One handle's way to its database: opened at the first transaction, again when the browser ended the connection, and given up
 * when another tab upgrades or deletes the database.
 */
export class Connection {
  readonly name: string
  readonly #options: ConnectionOptions
  #opened: Database | undefined
  #opening: Promise<Database> | undefined
  /** Which database this handle works on: never another one of the same name. */
  #identity: string | undefined
  #refusal: (() => SessionError) | undefined
  #closed = false

  constructor(options: ConnectionOptions) {
    this.name = options.name
    this.#options = options
  }

  /**
   * Runs a read-only transaction: `body` sees one state of the stores. It may wait for nothing but its own requests, and runs once more if the
   * browser ended the connection meanwhile.
   */
  read<Result>(
    stores: StoreName[],
    signal: Signal | undefined,
    body: (transaction: Transaction<'readonly'>) => Promise<Result>,
  ): Promise<Result> {
    return this.#run(stores, 'readonly', signal, body)
  }

  /** Runs a read-write transaction, likewise, and resolves once it is committed. If `body` rejects, nothing is written. */
  write<Result>(
    stores: StoreName[],
    signal: Signal | undefined,
    body: (transaction: Transaction<'readwrite'>) => Promise<Result>,
  ): Promise<Result> {
    return this.#run(stores, 'readwrite', signal, body)
  }

  /** Resolves once the database is open. */
  async open(signal: Signal | undefined): Promise<void> {
    await this.#database(signal)
    throwIfAborted(signal)
  }

  close(): void {
    this.#closed = true
    this.#opened?.close()
  }

  async #run<Mode extends 'readonly' | 'readwrite', Result>(
    stores: StoreName[],
    mode: Mode,
    signal: Signal | undefined,
    body: (transaction: Transaction<Mode>) => Promise<Result>,
  ): Promise<Result> {
    for (let reopened = false; ; reopened = true) {
      const database = await this.#database(signal)
      throwIfAborted(signal)
      const progress = { committing: false }
      try {
        return await this.#attempt(database, stores, mode, body, progress)
      } catch (error) {
        if (SessionError.is(error)) throw error
        if (isOutOfSpace(error)) throw await quotaError(this.name, error)
        // Safari goes on failing on a connection that failed once.
        this.#forget(database)
        // Without a commit nothing was written: the same again, on a connection of its own.
        if (reopened || progress.committing) throw transactionError(this.name, error, progress.committing)
      }
    }
  }

  async #attempt<Mode extends 'readonly' | 'readwrite', Result>(
    database: Database,
    stores: StoreName[],
    mode: Mode,
    body: (transaction: Transaction<Mode>) => Promise<Result>,
    progress: { committing: boolean },
  ): Promise<Result> {
    // Throws if the browser has ended this connection.
    const transaction = database.transaction(stores, mode, { durability: this.#options.durability })
    const outcome = outcomeOf(transaction)
    try {
      const result = await body(transaction)
      if (mode === 'readwrite') {
        // Throws if the browser has aborted the transaction meanwhile.
        transaction.commit()
        progress.committing = true
        await outcome
      }
      return result
    } catch (error) {
      if (!progress.committing) abandon(transaction)
      throw error
    }
  }

  #database(signal: Signal | undefined): Promise<Database> {
    if (this.#refusal) throw this.#refusal()
    if (this.#opened) return Promise.resolve(this.#opened)
    this.#opening ??= this.#open().finally(() => (this.#opening = undefined))
    return this.#patiently(this.#opening, signal)
  }

  /** Waits for a database that is being opened, but not for ever; the request itself cannot be called back. */
  #patiently(opening: Promise<Database>, signal: Signal | undefined): Promise<Database> {
    const { clock } = this.#options
    return new Promise((resolve, reject) => {
      const abort = () => reject(signal?.reason)
      const cancel = clock.timer(PATIENCE, () => reject(storageError(this.name, 'BLOCKED')))
      signal?.addEventListener('abort', abort, { once: true })
      const settled = () => {
        cancel()
        signal?.removeEventListener('abort', abort)
      }
      opening.finally(settled).then(resolve, reject)
    })
  }

  async #open(): Promise<Database> {
    const { random } = this.#options
    const factory = this.#options.factory()
    if (!factory) throw storageError(this.name, 'UNSUPPORTED')
    let gone = false
    const opened = await new Promise<IDBDatabase>((resolve, reject) => {
      const request = factory.open(this.name, LAYOUT_VERSION)
      request.addEventListener('upgradeneeded', () => {
        gone = this.#identity !== undefined
        // An empty database must not take the place of the one that this handle knew.
        if (gone) request.transaction?.abort()
        else createLayout(request.result, freshToken(random))
      })
      request.addEventListener('error', () => reject(request.error))
      request.addEventListener('success', () => resolve(request.result))
    }).catch(async (error: unknown) => {
      if (gone) throw this.#gone(error)
      throw isOutOfSpace(error) ? await quotaError(this.name, error) : openingError(this.name, error)
    })
    return this.#adopt(opened)
  }

  #adopt(opened: IDBDatabase): Database {
    const identity = identityOf(opened)
    if (identity !== undefined) this.#identity ??= identity
    if (identity === undefined || identity !== this.#identity || this.#closed) {
      opened.close()
      throw identity === undefined ? storageError(this.name, 'FORMAT') : this.#gone()
    }
    const database = wrap(opened) as unknown as Database
    opened.addEventListener('versionchange', (event) => {
      this.#forget(database)
      this.#refusal = () => (event.newVersion === null ? this.#gone() : storageError(this.name, 'BLOCKED'))
    })
    this.#opened = database
    return database
  }

  #gone(cause?: unknown): SessionError {
    const advice = 'it was deleted while this handle was open; open another handle to start with an empty one.'
    return storageError(this.name, 'UNAVAILABLE', cause, advice)
  }

  #forget(database: Database): void {
    database.close()
    if (this.#opened === database) this.#opened = undefined
  }
}

// idb has a promise for this, too, but it does not say why a transaction failed.
function outcomeOf(transaction: Transaction<IDBTransactionMode>): Promise<void> {
  const raw = unwrap(transaction)
  const outcome = new Promise<void>((resolve, reject) => {
    raw.addEventListener('complete', () => resolve())
    raw.addEventListener('abort', () => reject(raw.error))
  })
  // A reader waits for neither.
  transaction.done.catch(() => {})
  outcome.catch(() => {})
  return outcome
}

function abandon(transaction: Transaction<IDBTransactionMode>): void {
  try {
    transaction.abort()
  } catch {
    // It has aborted already, which is why its requests failed.
  }
}
