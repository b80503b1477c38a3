import type { Signal } from './runtime.ts'

/**
 * A place where sessions are kept. Two primitives: a **log** (dense, append-only, extended by compare-and-append) and a
 * **document** (a small text, replaced by compare-and-swap). An adapter never parses a record or a document.
 *
 * `docs/adapter-contract.md` is the normative text; the ids in brackets are its rules and the cases of
 * `@sessiontree/contract`. Write an adapter with {@link defineAdapter}, which checks arguments, freezes the capabilities and
 * closes in order.
 *
 * Contract, for every method
 * - `[name]` A name that breaks the rules of {@link checkName}, `[text]` a text that breaks those of {@link checkText} and
 *   `[args]` any other argument out of bounds is a `TypeError`; `[args.first]` before anything else. `[args.copy]` What was passed may
 *   be changed as soon as the call has returned.
 * - `[errors]` Any other failure is a `SessionError` with the backend's error as `cause`; `written: "no"` means never, not "not yet".
 * - `[uncertain]` When nobody can know whether a write took effect: `UNCERTAIN`. Of several attempts the least certain one decides.
 * - `[abort]` A signal that is aborted before anything was handed to the store rejects with the signal's reason and
 *   nothing is written. Later it may be ignored; a write that it interrupts rejects with `UNCERTAIN`.
 * - `[absent]` Only the precise "no such log or document" means empty or undefined. A missing bucket, directory, permission or
 *   credential, and a store that was replaced under an open handle, is `UNAVAILABLE` or `DENIED` with its cause, on reads too; an adapter
 *   never throws `NOT_FOUND`.
 * - `[open]` The store is opened by the factory or by the first operation; a failure to open is a `SessionError` like any other.
 * - `[see]` Committed writes of any handle, as far as `capabilities.sharing` reaches, are seen by every operation that starts
 *   afterwards.
 */
export interface StorageAdapter {
  /** The version of this interface. */
  readonly contract: 1
  /** "memory", "node-fs", "indexeddb", "s3", … for messages. */
  readonly name: string
  /** What this store promises. Frozen; it never changes while the handle lives. */
  readonly capabilities: Capabilities

  /**
   * Appends `records` so that the first has index `at`, and resolves when all of them are durable.
   *
   * Contract
   * - `[append.atomic]` All records become visible or none; no reader sees some of them.
   * - `[append.cas]` Takes effect only if the log holds exactly `at` records at that moment. Any other length, in the middle of somebody's batch, beyond the end, or of a log never seen, is
   *   {@link ConflictError} with `atLeast` ≤ the length, and nothing is written.
   * - `[append.race]` Of several writers racing for one `at` exactly one resolves.
   * - `[append.durable]` Resolves only when the records would survive what `capabilities.durability` names, with every record
   *   before them.
   * - `[append.uncertain]` If it cannot be known whether the records took effect: `UNCERTAIN`, never a plain failure, never a guess. They may
   *   still appear later. The caller settles it by appending to the same `at` again and looking at who holds it.
   * - `[append.poisoned]` After a flush that it knows to have failed, the handle answers `UNCERTAIN` to every later append to that log.
   * - `[append.corrupt]` The tail alone decides: damage before it does not keep anybody from appending.
   * - `[args]` 1 to {@link MAX_BATCH_RECORDS} records, together at most {@link MAX_RECORD_BYTES} of UTF-8.
   */
  append(log: string, at: number, records: readonly string[], options?: OperationOptions): Promise<void>

  /**
   * Reads a log in batches; yields nothing for a log that does not exist.
   *
   * Contract
   * - `[read.prefix]` Delivers a consistent prefix: no hole, no torn or half-committed batch, nothing that a later reader would
   *   not find at that index. Characters come back exactly as given.
   * - `[read.snapshot]` The end is fixed at the first pull: later appends are not delivered.
   * - `[read.dropped]` A log that is dropped meanwhile is read to that end, or the read rejects with `DELETED`; it never ends early.
   * - `[read.order]` Inside a batch records ascend: `records[i]` has index `at + i`. Batches ascend too and follow one another
   *   without gap; with `reverse` the batches descend (the newest batch first), still ascending inside.
   * - `[read.range]` `from ≤ index < to`, cut to the log; `limit` counts records from the side where reading starts.
   * - `[read.cost]` `limit` and `reverse` cost what they return, not what the log holds; memory stays bounded; nothing is
   *   fetched before the first pull, nothing is held between pulls that blocks others, and leaving the loop ends all work.
   * - `[read.ahead]` The first `readAhead` bytes cost no more dependent round trips than one record; it changes nothing else.
   * - `[read.corrupt]` Damage: what is before it (in reading direction) is delivered, then {@link CorruptError} with `at`. With `salvage`
   *   reading goes on behind it, and the gap shows as a jump of `at`.
   */
  read(log: string, range?: ReadRange): AsyncIterable<RecordBatch>

  /**
   * Removes a log.
   *
   * Contract
   * - `[drop.gone]` Nothing that the log held is delivered by any read that starts afterwards, on any handle.
   * - `[drop.again]` Dropping a log that does not exist, or twice, resolves.
   * - `[drop.late]` A dropped name is spent: its writers are told `CONFLICT` at the length that the log had. A late append at another
   *   index may be refused or become garbage; it never makes anything from before the drop readable again.
   * - `[drop.only]` No other log and no document is touched.
   * - `[drop.forget]` With `forget` also removes the trace that keeps late appends out. Only for names that no writer can still hold.
   * - `[removal]` May resolve with what it knows about the bytes that it took away.
   */
  drop(log: string, options?: ForgetOptions): Promise<Removal | void>

  /**
   * Lists the names of logs strictly below `prefix` (whole segments; `""` is everything), ascending, in pages.
   *
   * Contract
   * - `[logs.all]` Every log that holds a record, readable or damaged, is listed exactly once; a dropped one may be listed, and must be
   *   while anything of it but its trace is left.
   * - `[list.order]` As for `keys`.
   */
  logs(prefix: string, options?: ListOptions): AsyncIterable<readonly string[]>

  /** Reads a document: its value and version, or `undefined` if there is none; `[remove.gone]` a removed one is none. */
  get(key: string, options?: OperationOptions): Promise<Document | undefined>

  /**
   * Writes a document if it is still at the version expected, and resolves with the new version.
   *
   * Contract
   * - `[put.cas]` `expect: "absent"` needs that there is no document, a version that this very version is current; else
   *   {@link ConflictError} and nothing changes. Of several racing puts exactly one wins.
   * - `[put.version]` A version names one put of one key, for ever: it never returns, not for an equal value (A→B→A), not
   *   after `remove`, not after `forget`. It is the same string in `get` and `put`, and never `"absent"`.
   * - `[put.durable]`, `[put.uncertain]` as for `append`.
   * - `[put.forget]` With `forget`, no earlier value of this document is left in the store when the call resolves, as far as the store can
   *   take it away.
   * - `[text]` The value is at most {@link MAX_DOCUMENT_BYTES} of UTF-8.
   */
  put(key: string, value: string, options: PutOptions): Promise<string>

  /**
   * Removes a document.
   *
   * Contract
   * - `[remove.cas]` With `expect`, only at that version; else {@link ConflictError}, also when there is none.
   * - `[remove.again]` Without `expect`, removing a document that does not exist resolves.
   * - `[remove.forget]` With `forget` also removes the trace that a store may keep in place of the document, its name included.
   * - `[removal]` As for `drop`.
   */
  remove(key: string, options?: RemoveOptions): Promise<Removal | void>

  /**
   * Lists the keys of documents strictly below `prefix` (whole segments; `""` is everything), ascending, in pages.
   *
   * Contract
   * - `[keys.all]` Every document that exists for the whole listing, readable or damaged, is named exactly once. A removed one may be
   *   named until it is forgotten: `get` tells.
   * - `[list.prefix]` `a` covers `a/b` and `a/b/c`, not `a`, `a.b` or `ab/c`.
   * - `[list.order]` Ascending by UTF-16 code unit of the whole name; `after` is exclusive and need not exist; `limit` counts names.
   * - `[keys.cost]` Costs no fetch per document.
   */
  keys(prefix: string, options?: ListOptions): AsyncIterable<readonly string[]>

  /**
   * `[watch]` Calls `wake` when the log may have grown, until the signal aborts or the handle is closed. Only a hint: late, spurious or
   * missing; carries no data, and is never called before `watch` returned.
   * Present if and only if `capabilities.watch`.
   */
  watch?(log: string, wake: () => void, signal: Signal): void

  /**
   * `[prepare]` Says that a read of this range is about to start, so that a store far away may begin with it. Only a hint: changes nothing that any
   * call delivers, and a read that starts later shows all that was acknowledged before it. Never throws for what happens in the store.
   * For adapters whose reads take several dependent round trips.
   */
  prepare?(log: string, range?: ReadRange): void

  /**
   * Closes this handle; the store and other handles stay.
   *
   * Contract
   * - `[close.wait]` Resolves after everything in flight has settled; what was in flight keeps its own outcome.
   * - `[close.closed]` Whatever starts afterwards rejects with `CLOSED`, the next step of an open iterator too.
   * - `[close.twice]` Closing again resolves.
   */
  close(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

/** `[capabilities]` What a store promises; declared by the adapter, read by the contract suite and by users. */
export interface Capabilities {
  /** What a resolved append survives: a crash of the `process`, of the machine (`disk`), of the client and its machine (`remote`), or nothing. */
  readonly durability: 'none' | 'process' | 'disk' | 'remote'
  /** How far apart two handles may be and still keep this contract; each includes the ones before it. `none`: one handle at a time. */
  readonly sharing: 'none' | 'handle' | 'tab' | 'process' | 'network'
  /** Whether `watch` is there. */
  readonly watch: boolean
}

/** Options that every operation takes. */
export interface OperationOptions {
  readonly signal?: Signal | undefined
}

/** Which records of a log to read. */
export interface ReadRange extends OperationOptions {
  /** The first index wanted. Default 0. */
  readonly from?: number | undefined
  /** The index after the last one wanted. Default: the end of the log. */
  readonly to?: number | undefined
  /** At most this many records, counted from where reading starts. */
  readonly limit?: number | undefined
  /** Newest batch first. */
  readonly reverse?: boolean | undefined
  /** How many bytes of records the caller expects to use: an adapter may fetch that many in one go. Never changes what is delivered. Default 65,536. */
  readonly readAhead?: number | undefined
  /** Read on behind damage instead of throwing. */
  readonly salvage?: boolean | undefined
}

/** Consecutive records: `records[i]` has index `at + i`. */
export interface RecordBatch {
  readonly at: number
  readonly records: readonly string[]
}

/** A document's text and the version that `put` and `remove` take. */
export interface Document {
  readonly value: string
  readonly version: string
}

/** What `drop` and `remove` know about what they took away; the receipt of an erasure adds it up. */
export interface Removal {
  /** How many bytes the store holds less. */
  readonly bytes?: number | undefined
  /** Whether older versions stay readable in the store's own history, as in a bucket with versioning. */
  readonly keepsVersions?: boolean | undefined
}

export interface PutOptions extends OperationOptions {
  /** The version to replace, or `"absent"` to create. */
  readonly expect: string
  /** Also take earlier values away that the store may still hold (earlier lines of a file). Default false. */
  readonly forget?: boolean | undefined
}

export interface ForgetOptions extends OperationOptions {
  /** Also remove what the store keeps in its place (a tombstone, a drop marker). Default false. */
  readonly forget?: boolean | undefined
}

export interface RemoveOptions extends ForgetOptions {
  /** Remove only this version. Default: whatever is there. */
  readonly expect?: string | undefined
}

export interface ListOptions extends OperationOptions {
  /** Only names greater than this one. */
  readonly after?: string | undefined
  /** At most this many names. */
  readonly limit?: number | undefined
}

/** The largest record, and the largest batch, in bytes of UTF-8. */
export const MAX_RECORD_BYTES: number = 64 * 1024 * 1024
/** The most records in one append. */
export const MAX_BATCH_RECORDS: number = 1024
/** The largest document, in bytes of UTF-8. */
export const MAX_DOCUMENT_BYTES: number = 1024 * 1024
/** The largest index: 2^48 − 1, twelve hex digits in an object's key. */
export const MAX_INDEX: number = 2 ** 48 - 1
/** What a read fetches ahead unless told otherwise. */
export const DEFAULT_READ_AHEAD: number = 65_536
