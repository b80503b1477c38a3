import { sha256 } from '@noble/hashes/sha2.js'
import { bytesToHex, utf8ToBytes } from '@noble/hashes/utils.js'
import type { Removal, StorageAdapter } from './adapter.ts'
import type { Environment } from './environment.ts'
import { SessionError, type ErrorCode } from './errors.ts'
import type { ScopeLevel } from './names.ts'
import { throwIfAborted, type Signal } from './runtime.ts'
import { erasedPrefixes, type Scope } from './scope.ts'
import { sideBySide } from './side-by-side.ts'

/** Options of `sessions.erase`. */
export interface EraseOptions {
  /** Honoured between two steps: what is left to do is then done by the next `erase` or `sweep`. */
  readonly signal?: Signal | undefined
  /** Called after each removal. */
  readonly onProgress?: ((progress: EraseProgress) => void) | undefined
}

/** How far an erasure is. */
export interface EraseProgress {
  readonly logs: number
  readonly documents: number
  readonly failed: number
}

/** Something that could not be done, while the rest went on. */
export interface Failure {
  /** The log's name or document's key. */
  readonly name: string
  readonly code: ErrorCode
  readonly message: string
}

/** What `sessions.erase` did. */
export interface EraseReceipt {
  readonly scope: readonly string[]
  /** The number under which the scope goes on, empty. */
  readonly incarnation: number
  /** When the scope moved there. UTC, ISO 8601 with milliseconds. */
  readonly erasedAt: string
  /** How many logs and documents this call removed. */
  readonly logs: number
  readonly documents: number
  /** How many bytes the store holds less; undefined if it did not tell of every one. */
  readonly bytes: number | undefined
  /** Whether the store keeps older versions readable in its own history, as a bucket with versioning does: then remove those there. */
  readonly keepsVersions: boolean
  /** SHA-256, in hex, over the sorted names of what was removed, each followed by a line feed. */
  readonly namesHash: string
  /** What could not be removed. */
  readonly failed: readonly Failure[]
  /** Whether a last look found nothing left. If not, erase or sweep again. */
  readonly complete: boolean
}

/**
 * Erases a scope with all its inner scopes: moves it to a new incarnation, then removes everything that lies below the earlier ones, names of
 * deleted sessions included.
 *
 * Contract
 * - From the first write on, whoever opens the scope finds it empty. Handles that were open before write into the void: what they
 *   still put there nobody else sees, and the next erasure or sweep removes it.
 * - What cannot be removed is listed in the receipt and does not stop the rest. Interrupted anywhere, an erasure or a sweep of the scope finishes it.
 * - Nothing of another scope is touched, also not what an interrupted erasure of an outer one left. What stays is one document with the scope's name and the number of erasures.
 * - A `TypeError` without a scope.
 */
export async function eraseScope(
  environment: Environment,
  scope: Scope,
  { signal, onProgress }: EraseOptions = {},
): Promise<EraseReceipt> {
  const { levels } = await scope.advance(signal)
  const erasedAt = new Date(environment.clock.now()).toISOString()
  const removals = new Removals(environment.adapter, onProgress)
  const complete = await clearEarlier(removals, levels, signal)
  return {
    scope: scope.path,
    incarnation: levels.at(-1)?.incarnation as number,
    erasedAt,
    logs: removals.logs,
    documents: removals.documents,
    bytes: removals.bytes,
    keepsVersions: removals.keepsVersions,
    namesHash: removals.namesHash(),
    failed: removals.failed,
    complete,
  }
}

/** Removes everything that lies below earlier incarnations of the innermost of these levels; resolves with whether nothing is left. */
export async function clearEarlier(
  removals: Removals,
  levels: readonly ScopeLevel[],
  signal: Signal | undefined,
): Promise<boolean> {
  let isEmpty = true
  for (const prefix of erasedPrefixes(levels)) isEmpty = (await clear(removals, prefix, signal)) && isEmpty
  return isEmpty
}

// A handle that was open before may go on writing: whoever erases does not run after it for ever.
const ROUNDS = 8

async function clear(removals: Removals, prefix: string, signal: Signal | undefined): Promise<boolean> {
  for (let round = 0; round < ROUNDS; round++) {
    const found = await removals.removeBelow(prefix, signal)
    if (found.names === 0) return true
    // Nothing but what fails again.
    if (found.removed === 0) return false
  }
  return false
}

/** Removes logs and documents for good, and counts. */
export class Removals {
  readonly #adapter: StorageAdapter
  readonly #onProgress: EraseOptions['onProgress']
  readonly #names = new Set<string>()
  readonly #failed = new Map<string, Failure>()
  logs = 0
  documents = 0
  /** Undefined as soon as one removal did not tell. */
  bytes: number | undefined = 0
  keepsVersions = false

  constructor(adapter: StorageAdapter, onProgress?: EraseOptions['onProgress']) {
    this.#adapter = adapter
    this.#onProgress = onProgress
  }

  get failed(): readonly Failure[] {
    return [...this.#failed.values()]
  }

  namesHash(): string {
    const hash = sha256.create()
    for (const name of [...this.#names].toSorted(byCodeUnit)) hash.update(utf8ToBytes(`${name}\n`))
    return bytesToHex(hash.digest())
  }

  /**
   * Removes all that is listed below a prefix; resolves with how much that was. Documents first: without its document no session is opened,
   * and none looks as if it had lost its records.
   */
  async removeBelow(
    prefix: string,
    signal: Signal | undefined,
  ): Promise<{ readonly names: number; readonly removed: number }> {
    const adapter = this.#adapter
    const before = this.logs + this.documents
    let names = 0
    // What failed before and is not listed any more is gone.
    for (const name of this.#failed.keys()) if (name.startsWith(`${prefix}/`)) this.#failed.delete(name)
    throwIfAborted(signal)
    await sideBySide(adapter.keys(prefix, { signal }), signal, async (key) => {
      names++
      await this.#remove(key, 'documents', () => adapter.remove(key, { forget: true }))
    })
    await sideBySide(adapter.logs(prefix, { signal }), signal, async (log) => {
      names++
      await this.#remove(log, 'logs', () => adapter.drop(log, { forget: true }))
    })
    return { names, removed: this.logs + this.documents - before }
  }

  async #remove(name: string, kind: 'logs' | 'documents', remove: () => Promise<Removal | void>): Promise<void> {
    try {
      const removal = await remove()
      this[kind]++
      this.#names.add(name)
      this.bytes = removal?.bytes === undefined || this.bytes === undefined ? undefined : this.bytes + removal.bytes
      this.keepsVersions ||= removal?.keepsVersions === true
    } catch (error) {
      this.#failed.set(name, failureOf(name, error))
    }
    this.#onProgress?.({ logs: this.logs, documents: this.documents, failed: this.#failed.size })
  }
}

/** The entry for a failure that does not stop the rest; throws what does: a closed handle, a mistake in the program. */
export function failureOf(name: string, error: unknown): Failure {
  if (!SessionError.is(error) || error.code === 'CLOSED') throw error
  return { name, code: error.code, message: error.message }
}

const byCodeUnit = (a: string, b: string) => (a < b ? -1 : 1)
