import { v7 } from 'uuid'
import { MAX_BATCH_RECORDS, MAX_RECORD_BYTES } from './adapter.ts'
import {
  brokenReference,
  findEntry,
  findLeaf,
  idOf,
  inherited,
  isBefore,
  leafOf,
  type EntryReference,
} from './ancestry.ts'
import { utf8Length } from './check.ts'
import { CONTROL_TYPES, type Position } from './entry.ts'
import { SessionError } from './errors.ts'
import { parseJson } from './parse-json.ts'
import {
  checkId,
  contentHash,
  encodeRecord,
  ROOT_DIGEST,
  type Leaf,
  type RecordContent,
  type RecordState,
} from './record.ts'
import { compactionOf, type JournalRecord, type Records } from './records.ts'
import type { Clock, Random, Signal } from './runtime.ts'

/** Options of {@link Session.append} and {@link Session.record}. */
export interface AppendOptions {
  /** The entry's id; an array for a batch. Makes the append idempotent: the same id with the same content is stored once. Default: a UUIDv7. */
  readonly id?: string | readonly string[] | undefined
  /**
   * How far back a given `id` is looked for: among what this handle has in memory and at least the last 256 records or 256 KiB
   * (`"recent"`, default), or in the whole log, which is then read.
   */
  readonly ifAbsent?: 'recent' | 'whole-log' | undefined
  /** The entry to follow; null to start a new root. Default: the leaf. */
  readonly parent?: EntryReference | null | undefined
  /** When it was made. Default: now. */
  readonly createdAt?: Date | string | undefined
  /**
   * What to do when another writer moved the leaf first: `"reject"` (default) with the missed entries, `"rebase"` behind them, or `"fork"`: follow the
   * leaf that this handle has shown, beside what the other one wrote.
   */
  readonly onConflict?: 'reject' | 'rebase' | 'fork' | undefined
  /** Whether the last entry becomes the leaf (`"take"`, default), or the leaf stays where it is (`"keep"`). */
  readonly leaf?: 'take' | 'keep' | undefined
  /** Go on as if no turn were open: the turn keeps its own branch, and leaves the leaf alone from then on. */
  readonly force?: boolean | undefined
  /** Until the entries are on their way an abort writes nothing; afterwards the call rejects with `UNCERTAIN` while they go on. */
  readonly signal?: Signal | undefined
}

/** The entry that another one follows. */
export interface Parent extends Leaf {
  readonly digest: string
  readonly turnId: string | undefined
  /** See {@link compactionOf}. */
  readonly compaction: Position | null | undefined
}

/** The ids of `count` entries: those given, or new ones. */
export function entryIds(
  count: number,
  given: AppendOptions['id'],
  { clock, random }: { readonly clock: Clock; readonly random: Random },
): readonly string[] {
  if (given === undefined) {
    return Array.from({ length: count }, () => v7({ msecs: clock.now(), random: random.bytes(16) }))
  }
  // A copy: the caller may change its own list at once.
  const ids = typeof given === 'string' ? [given] : [...given]
  for (const id of ids) checkId(id)
  if (ids.length !== count || new Set(ids).size !== count) {
    throw new TypeError(`id: expected ${count} different id(s), one for each entry`)
  }
  return ids
}

/** When an entry was made, in ISO 8601: the time given, or now. */
export function entryTime(given: Date | string | undefined, clock: Clock): string {
  const date = given === undefined ? new Date(clock.now()) : new Date(given)
  if (Number.isNaN(date.getTime())) throw new TypeError(`createdAt: ${String(given)} is not a time`)
  return date.toISOString()
}

/**
 * Looks for entries with these ids; undefined if there is none, `DUPLICATE` unless they are all there with this content; `"look again"` if
 * others may have appended the missing ones meanwhile.
 */
export async function findStored(
  records: Records,
  { ids, hashes }: { readonly ids: readonly string[]; readonly hashes: readonly string[] },
  { wholeLog, fresh, session }: { readonly wholeLog: boolean; readonly fresh: boolean; readonly session: string },
): Promise<readonly JournalRecord[] | undefined | 'look again'> {
  const wanted = new Set(ids)
  const found = new Map<string, JournalRecord>()
  const collect = (record: JournalRecord) => {
    const { id, content } = record.record
    if (wanted.has(id) && !found.has(id) && !CONTROL_TYPES.has(content.type)) found.set(id, record)
  }
  for (const record of records.recent().toReversed()) collect(record)
  for (const record of records.lineage.recent) collect(record)
  if (wholeLog) {
    for (const older of [records.backward(records.length), inherited(records.lineage.logs)]) {
      if (found.size === ids.length) break
      for await (const record of older) {
        collect(record)
        if (found.size === ids.length) break
      }
    }
  }
  if (found.size === 0) return undefined
  const same = ids.map((id) => found.get(id))
  const isSame = same.every((record, i) => record === undefined || record.record.hash === hashes[i])
  if (isSame && !same.includes(undefined)) return same as readonly JournalRecord[]
  if (isSame && !fresh) return 'look again'
  const id = JSON.stringify(ids.find((_, i) => same[i] !== undefined))
  const why = same.includes(undefined) ? 'but not the others of this batch' : 'and other content'
  throw new SessionError(
    'DUPLICATE',
    `Session ${JSON.stringify(session)} holds an entry with id ${id} already, ${why}. Choose another id.`,
  )
}

/** The entry to follow: the one given, else the leaf; `"look again"` if others may have appended it meanwhile. */
export async function findParent(
  records: Records,
  parent: EntryReference | null | undefined,
  { fresh, session }: { readonly fresh: boolean; readonly session: string },
): Promise<Parent | null | 'look again'> {
  if (parent === null) return null
  if (parent === undefined) {
    const leaf = await survivingLeaf(records)
    return leaf && parentFrom(leaf)
  }
  const found = await findEntry(records, parent)
  if (found) return parentFrom(found)
  if (!fresh) return 'look again'
  await records.vouch()
  throw new SessionError(
    'INVALID_PARENT',
    `Entry ${JSON.stringify(idOf(parent))} is not in session ${JSON.stringify(session)}; name one of its entries as parent.`,
  )
}

/** A record as the parent of what follows it. */
export function parentFrom(found: JournalRecord): Parent {
  const { digest, turnId } = found.record
  return { ...leafOf(found), digest, turnId, compaction: compactionOf(found) }
}

/** The record of the leaf; where a repair found it lost, that of the leaf before the gap. Null if there is none. */
export async function survivingLeaf(records: Records): Promise<JournalRecord | null> {
  let bound: JournalRecord | undefined
  for (let { leaf } = records.state; leaf;) {
    const found = await findLeaf(records, leaf)
    if (found.record.content.type !== 'lost') return found
    // Only ever backwards, whatever a damaged record says.
    if (bound && !isBefore(records, found, bound)) throw await brokenReference(records, leaf.id)
    bound = found
    leaf = found.record.state.leaf
  }
  return null
}

/** What {@link encodeEntry} needs. */
export interface NewEntry {
  readonly id: string
  /** The turn that it belongs to. */
  readonly turnId?: string | undefined
  readonly createdAt: string
  readonly content: RecordContent
  readonly hash: string
  readonly parent: Parent | null
  readonly leaf: Leaf | null | 'self'
  /** The epoch and the turn that it leaves behind. */
  readonly state: Pick<RecordState, 'epoch' | 'turn'>
  /** Where it will lie. */
  readonly position: Position
}

/** The text of an entry, and the entry as the parent of what follows it. */
export function encodeEntry({ id, turnId, createdAt, content, hash, parent, leaf, state, position }: NewEntry): {
  readonly text: string
  readonly asParent: Parent
} {
  const [segment, at] = position
  const isRightBefore = parent?.position[0] === segment && parent.position[1] === at - 1
  const before = parent ? parent.compaction : null
  const { text, digest } = encodeRecord({
    id,
    turnId,
    parentId: parent?.id ?? null,
    parentDigest: parent?.digest ?? ROOT_DIGEST,
    createdAt,
    content,
    hash,
    leaf,
    epoch: state.epoch,
    turn: state.turn,
    hints: {
      ...(parent && !isRightBefore && { parent: parent.position }),
      // A root says it by having no parent.
      ...(parent && before !== undefined && { compaction: before }),
    },
  })
  const compaction = content.type === 'compaction' ? position : before
  return { text, asParent: { id, position, digest, turnId, compaction } }
}

/** The texts of entries of which each follows the one before it, and the first one `parent`. */
export function encodeChain(
  records: Records,
  parent: Parent | null,
  { ids, createdAt, contents, hashes, leaf, turnId, turnAfter }: NewChain & ChainPlace,
): readonly string[] {
  const { state } = records
  let before = parent
  const texts = contents.map((content, i) => {
    const [id, hash] = [ids[i] as string, hashes[i] as string]
    const position: Position = [records.segment, records.length + i]
    const isLast = i === contents.length - 1
    const after = isLast && turnAfter !== undefined ? { epoch: state.epoch, turn: turnAfter } : state
    const own = leaf === 'take' ? 'self' : state.leaf
    const place = { position, parent: before, leaf: own, state: after } as const
    const { text, asParent } = encodeEntry({ id, turnId, createdAt, content, hash, ...place })
    before = asParent
    return text
  })
  const bytes = texts.reduce((sum, text) => sum + utf8Length(text), 0)
  if (bytes > MAX_RECORD_BYTES) throw tooMany(`${bytes} bytes`, `${MAX_RECORD_BYTES} bytes`)
  return texts
}

/** Entries that go behind one another, one of each list. */
export interface NewChain {
  readonly ids: readonly string[]
  readonly createdAt: string
  readonly contents: readonly RecordContent[]
  readonly hashes: readonly string[]
}

/** Where a chain of entries belongs. */
export interface ChainPlace {
  /** `"take"`: each becomes the leaf, so that the last one is it in the end. */
  readonly leaf: 'take' | 'keep'
  readonly turnId?: string | undefined
  /** The turn that is open behind them; undefined: the one that is open before them. */
  readonly turnAfter?: string | null | undefined
}

/**
 * Prepares entries for {@link encodeChain}: copies them, before anything is awaited, since the caller may change its objects at once. A `TypeError` for more than
 * one append takes: they become visible together, so they cannot be split.
 */
export function newChain(
  contents: readonly RecordContent[],
  options: Pick<AppendOptions, 'id' | 'createdAt'>,
  environment: { readonly clock: Clock; readonly random: Random },
): NewChain {
  if (contents.length > MAX_BATCH_RECORDS) throw tooMany(`${contents.length} entries`, `${MAX_BATCH_RECORDS} entries`)
  const ids = entryIds(contents.length, options.id, environment)
  const createdAt = entryTime(options.createdAt, environment.clock)
  for (const content of contents) contentHash(content)
  const copies = contents.map((content) => parseJson(JSON.stringify(content)) as RecordContent)
  return { ids, createdAt, contents: copies, hashes: copies.map(contentHash) }
}

function tooMany(what: string, most: string): TypeError {
  return new TypeError(
    `append: ${what} are more than become visible together (at most ${most}); append them in several calls, or save() the whole array`,
  )
}

/** Throws a `TypeError` for an option that no append has. */
export function checkAppendOptions({ onConflict, leaf }: AppendOptions): void {
  if (onConflict !== undefined && !['reject', 'rebase', 'fork'].includes(onConflict)) {
    throw new TypeError(`onConflict: expected reject, rebase or fork, got ${JSON.stringify(onConflict)}`)
  }
  if (leaf !== undefined && leaf !== 'take' && leaf !== 'keep') {
    throw new TypeError(`leaf: expected take or keep, got ${JSON.stringify(leaf)}`)
  }
}
