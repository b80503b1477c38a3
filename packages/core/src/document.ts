import { bytesToHex } from '@noble/hashes/utils.js'
import type { StorageAdapter } from './adapter.ts'
import { MAX_DEPTH, nestsAtMost } from './canonical.ts'
import type { Json } from './entry.ts'
import { backOff, type Environment } from './environment.ts'
import { CorruptError, SessionError, UncertainError } from './errors.ts'
import { parseJson } from './parse-json.ts'
import { FORMAT } from './record.ts'
import { throwIfAborted, type Random, type Signal } from './runtime.ts'

/** The fields of a document. One that is `undefined` is not written. */
export interface DocumentFields {
  readonly [field: string]: Json | undefined
}

/** What every document holds that changes. Fields that this version does not know survive every change. */
export interface StoredDocument extends DocumentFields {
  /** The version of `docs/format.md` that it follows; a newer one is refused with `FORMAT`. */
  readonly format: number
  /** Fresh in every put. */
  readonly rev: string
  /** The last {@link KEPT_REVS} `rev`s before it: whoever put one of them knows that it took effect. */
  readonly revs: readonly string[]
}

/** Makes a document of the text at a key, or throws what {@link parseDocument} throws. */
export type ParseDocument<Stored> = (value: string, key: string) => Stored

/** A document, and the version that the adapter gave it. */
export interface VersionedDocument<Stored> {
  readonly document: Stored
  readonly version: string
}

/** Options of {@link changeDocument}. */
export interface ChangeDocumentOptions<Stored> {
  readonly parse: ParseDocument<Stored>
  /** The document as somebody saw it last: spares the read, as long as nobody else changed it. */
  readonly known?: VersionedDocument<Stored> | undefined
  /** Honoured until the first put is handed to the adapter, and again between two attempts. */
  readonly signal?: Signal | undefined
  /** Also take away what the store may still hold of earlier values. */
  readonly forget?: boolean | undefined
}

/** What {@link changeDocument} left behind. */
export interface ChangedDocument<Stored> {
  /** As this call found or left it; undefined if there is none. */
  readonly document: Stored | undefined
  /** Its version, unless another writer may have changed it since. */
  readonly version: string | undefined
  /** Whether this call changed it. */
  readonly changed: boolean
}

/** How many `rev`s a document remembers: as many changes may come between an uncertain put and the look at what became of it. */
export const KEPT_REVS = 32
const CHANGE_TRIES = 64
const SETTLE_TRIES = 6

/** A fresh `rev`: 96 random bits. */
export function freshRev(random: Random): string {
  return bytesToHex(random.bytes(12))
}

/** Reads the document at a key; undefined if there is none. */
export async function readDocument<Stored>(
  adapter: StorageAdapter,
  key: string,
  parse: ParseDocument<Stored>,
  signal?: Signal,
): Promise<VersionedDocument<Stored> | undefined> {
  throwIfAborted(signal)
  const stored = await adapter.get(key, { signal })
  return stored && { document: parse(stored.value, key), version: stored.version }
}

/**
 * Creates a document unless there is one; resolves with whether this call did.
 *
 * Contract
 * - An uncertain put is settled as in {@link changeDocument}. A document without `rev` cannot be told from another one: then it resolves with false.
 */
export async function createDocument(environment: Environment, key: string, document: NewDocument): Promise<boolean> {
  return (await putNewDocument(environment, key, document)).tookEffect
}

/** {@link createDocument}, with the version that the document got, if it is known. */
export function putNewDocument(environment: Environment, key: string, document: NewDocument): Promise<SettledPut> {
  const value = JSON.stringify(document)
  return settledPut(environment, { key, value, expect: 'absent', rev: document.rev, base: undefined, forget: false })
}

type NewDocument = DocumentFields & { readonly rev?: string }

/**
 * Reads the document, asks `change` for its new fields and writes them by compare-and-swap; resolves with what stands there.
 *
 * Contract
 * - `change` gets the document, or undefined where there is none; it returns all fields of the next one, or undefined to leave all as it is. It is asked again
 *   whenever another writer was first, and what it throws rejects the call with nothing written.
 * - With `known` the first put goes without a read. Nothing is rejected or left as it is on the word of `known` alone.
 * - Takes effect exactly once or not at all, however many callers race and answers get lost. What cannot be settled, because the store does not
 *   answer or more than {@link KEPT_REVS} others changed the document meanwhile, is `UNCERTAIN`.
 * - A text of more than 1 MiB is a `TypeError`, and `BUSY` if others keep being first; nothing is written.
 */
export async function changeDocument<Stored extends StoredDocument>(
  environment: Environment,
  key: string,
  change: (current: Stored | undefined) => DocumentFields | undefined,
  { parse, signal, forget = false, known }: ChangeDocumentOptions<Stored>,
): Promise<ChangedDocument<Stored>> {
  const replace = async (found: VersionedDocument<Stored> | undefined, fields: DocumentFields) => {
    const rev = freshRev(environment.random)
    const value = JSON.stringify({ ...fields, rev, revs: historyBehind(found?.document) })
    throwIfAborted(signal)
    const put = { key, value, expect: found?.version ?? 'absent', rev, base: found?.document.rev, forget }
    const { tookEffect, version } = await settledPut(environment, put)
    return tookEffect ? { document: parse(value, key), version, changed: true } : undefined
  }
  const guessed = known && changeOf(known.document, change)
  const changed = guessed && (await replace(known, guessed))
  if (changed) return changed
  for (let attempt = 0; attempt < CHANGE_TRIES; attempt++) {
    if (attempt > 0) await backOff(environment, attempt, signal)
    const found = await readDocument(environment.adapter, key, parse, signal)
    const fields = change(found?.document)
    if (!fields) return { document: found?.document, version: found?.version, changed: false }
    const replaced = await replace(found, fields)
    if (replaced) return replaced
  }
  throw new SessionError('BUSY', `Others kept changing document ${key}, ${CHANGE_TRIES} times in a row; try again.`)
}

/**
 * Parses a document's text into an object of a format that this version knows.
 *
 * @throws {SessionError} `FORMAT` for a newer format, `CORRUPT` for what is no object or has no format.
 */
export function parseDocument(value: string, key: string): DocumentFields & { readonly format: number } {
  // One level more than metadata may have.
  if (!nestsAtMost(value, MAX_DEPTH + 1))
    throw new CorruptError(`Document ${key} nests deeper than ${MAX_DEPTH} levels.`)
  let document: DocumentFields | null
  try {
    document = parseJson(value) as DocumentFields | null
  } catch (error) {
    throw new CorruptError(`Document ${key} is not JSON.`, { cause: error })
  }
  const format = document?.['format']
  if (typeof format !== 'number') throw new CorruptError(`Document ${key} has no format.`)
  if (format > FORMAT) {
    throw new SessionError(
      'FORMAT',
      `Document ${key} has format ${format}; this version reads up to ${FORMAT}. Update @sessiontree/core.`,
    )
  }
  return { ...document, format }
}

interface Put {
  readonly key: string
  readonly value: string
  readonly expect: string
  /** The `rev` in the value, if it has one. */
  readonly rev: string | undefined
  /** The `rev` of the document that it replaces. */
  readonly base: string | undefined
  readonly forget: boolean
}

/** What `change` makes of a document that may be out of date; undefined if only a read can tell. */
function changeOf<Stored>(
  document: Stored,
  change: (current: Stored | undefined) => DocumentFields | undefined,
): DocumentFields | undefined {
  try {
    return change(document)
  } catch {
    // As it stands by now it may be fine: what is read decides, and throws again.
    return undefined
  }
}

/** What became of a put; `version` is undefined where another one may have followed it. */
export interface SettledPut {
  readonly tookEffect: boolean
  readonly version?: string | undefined
}

/** Puts a value and resolves with whether it took effect; putting again with the same `expect` settles an uncertain answer. */
async function settledPut(environment: Environment, put: Put): Promise<SettledPut> {
  const { key, value, expect, forget } = put
  let uncertain: unknown
  for (let attempt = 0; attempt < SETTLE_TRIES; attempt++) {
    // Without the signal: an outcome in the open is worth these milliseconds.
    if (attempt > 0) await backOff(environment, attempt)
    try {
      return { tookEffect: true, version: await environment.adapter.put(key, value, { expect, forget }) }
    } catch (error) {
      if (SessionError.is(error, 'UNCERTAIN')) {
        uncertain = error
        continue
      }
      if (uncertain === undefined) {
        if (SessionError.is(error, 'CONFLICT')) return { tookEffect: false }
        throw error
      }
      // A failure now says nothing about the attempts before it.
      if (!SessionError.is(error, 'CONFLICT')) break
    }
    try {
      const fate = fateOf(put, (await environment.adapter.get(key))?.value)
      if (fate !== 'unknown') return { tookEffect: fate === 'took effect' }
    } catch (error) {
      uncertain = error
    }
  }
  throw new UncertainError(`Nobody can tell whether document ${key} was written; the same call again finds out.`, {
    cause: uncertain,
  })
}

/** What became of a put whose `expect` is no longer the current version. */
function fateOf({ rev, base }: Put, value: string | undefined): 'took effect' | 'never will' | 'unknown' {
  // Removed since: before the put or after it.
  if (value === undefined) return 'unknown'
  if (rev === undefined) return 'never will'
  const current = parseJson(value) as Partial<StoredDocument> | null
  const revs = current?.revs ?? []
  if (current?.rev === rev || revs.includes(rev)) return 'took effect'
  // Another one followed the base directly. A list that is not full goes back to the beginning.
  const isComplete = base === undefined ? revs.length < KEPT_REVS : revs.includes(base)
  return isComplete ? 'never will' : 'unknown'
}

function historyBehind(document: StoredDocument | undefined): readonly string[] {
  const { rev, revs = [] } = (document ?? {}) as Partial<StoredDocument>
  return rev === undefined ? revs : [...revs, rev].slice(-KEPT_REVS)
}
