import type { StorageAdapter } from './adapter.ts'
import { CONTROL_TYPES } from './entry.ts'
import { SessionError } from './errors.ts'
import { inherited } from './ancestry.ts'
import type { Lineage } from './forks/lineage.ts'
import { CompactionCheck } from './verify-compactions.ts'
import { readAround } from './read-log.ts'
import { contentHash, recordDigest, ROOT_DIGEST, type RecordState } from './record.ts'
import { journalRecord, type JournalRecord } from './records.ts'
import type { Signal } from './runtime.ts'

/** Options of {@link Session.verify}. */
export interface VerifyOptions {
  /** A digest that was kept elsewhere: proves that the entry which had it, and all before it on its path, are still there. */
  readonly expect?: string | undefined
  readonly signal?: Signal | undefined
  /** Called now and then with how many records were looked at. */
  readonly onProgress?: ((progress: { readonly records: number }) => void) | undefined
}

/** What {@link Session.verify} found. */
export interface Verification {
  /** Whether there is no problem. */
  readonly ok: boolean
  /** How many records could be read, control records included; of ancestors, those of the path. */
  readonly records: number
  /** How many of them are entries. */
  readonly entries: number
  /** How many indexes hold a `lost` record, which a repair put there. */
  readonly lost: number
  /** The leaf's digest: keep it elsewhere and pass it as `expect` later. Undefined if there is no leaf, or it is not in the log. */
  readonly digest: string | undefined
  /** The first 1,000 problems, by index. */
  readonly problems: readonly Problem[]
  readonly problemCount: number
}

/** One thing that is wrong with a log. */
export interface Problem {
  /**
   * - `missing`: no record can be read there. `unreadable`: what is there is no record.
   * - `hash`: the content is not what was written. `digest`: the envelope or the path before it is not.
   * - `parent`, `leaf`: an entry is named that is not there. `duplicate`: an id is there twice.
   * - `compaction`: an entry says that the newest compaction before it lies where it does not, so that a context may not show it.
   * - `closed`: a record behind the one that ends the log. `expected`: no entry has the digest that was expected.
   */
  readonly kind:
    | 'missing'
    | 'unreadable'
    | 'hash'
    | 'digest'
    | 'parent'
    | 'leaf'
    | 'duplicate'
    | 'compaction'
    | 'closed'
    | 'expected'
  /** The index in the log; of `missing`, the first one. */
  readonly at: number | undefined
  /** The log: the session's own, or one of an ancestor's. */
  readonly log: string | undefined
  /** The id of the entry. */
  readonly id: string | undefined
  /** One sentence for a person. */
  readonly message: string
  /** Where to look, if the adapter said so: file, line and offset; bucket and key. */
  readonly where: string | undefined
}

const MAX_PROBLEMS = 1000
const DIGEST = /^[0-9a-f]{64}$/

/** What a session consists of. */
export interface VerifiedLog {
  readonly log: string
  readonly segment: number
  readonly lineage: Lineage
}

/**
 * Reads a whole log, and the path that ancestors hand down to it, and checks every record, hash, digest and reference. Holds about 200 bytes for
 * each entry.
 */
export async function verifyLog(
  adapter: StorageAdapter,
  { log, segment, lineage }: VerifiedLog,
  { expect, signal, onProgress }: VerifyOptions,
): Promise<Verification> {
  // A mistyped digest would look like a log that was cut off.
  if (expect !== undefined && (typeof expect !== 'string' || !DIGEST.test(expect))) {
    throw new TypeError('expect: expected a digest as verify() returns it, 64 hexadecimal digits in lower case')
  }
  const check = new LogCheck(log, lineage.state, [segment, ...lineage.logs.map((one) => one.segment)])
  await check.inherit(lineage, signal)
  for await (const part of readAround(adapter, log, signal)) {
    if ('gap' in part) {
      const { from, to, error } = part.gap
      const which = to === undefined ? `from ${from} on` : `${from} to ${to - 1}`
      check.report('missing', { at: from, message: `Records ${which} cannot be read.`, where: error?.where })
      check.skip()
      continue
    }
    const { at, records } = part.batch
    for (const [i, text] of records.entries()) {
      try {
        check.record(journalRecord(log, segment, at + i, text))
      } catch (error) {
        if (!SessionError.is(error, 'CORRUPT')) throw error
        check.report('unreadable', { at: at + i, message: error.message })
        check.skip()
      }
    }
    onProgress?.({ records: check.records })
  }
  return check.end(expect)
}

/** What a walk through a log has seen so far. */
class LogCheck {
  records = 0
  readonly #log: string
  readonly #initial: RecordState
  #entries = 0
  #lost = 0
  #problems: Problem[] = []
  #problemCount = 0
  /** The digests of the entries by id: usually one. */
  readonly #digests: Map<string, readonly string[]> = new Map()
  #last: JournalRecord | undefined
  /** Whether something before is missing, so that a reference may name it. */
  #hasGap = false
  readonly #compactions: CompactionCheck

  constructor(log: string, initial: RecordState, segments: readonly number[]) {
    this.#log = log
    this.#initial = initial
    this.#compactions = new CompactionCheck(this.#digests, segments, ({ at, record: { id } }, where = log) => {
      const message = `Record ${at} says that the newest compaction before it lies where it does not: a context may not show it.`
      this.report('compaction', { at, id, log: where, message })
    })
  }

  report(kind: Problem['kind'], problem: Partial<Problem> & Pick<Problem, 'message'>): void {
    this.#problemCount++
    if (this.#problems.length >= MAX_PROBLEMS) return
    this.#problems.push({ kind, at: undefined, id: undefined, where: undefined, log: this.#log, ...problem })
  }

  /** Checks the path that ancestors hand down, from its end to the root: each digest as soon as the parent's is known. */
  async inherit({ logs }: Lineage, signal: Signal | undefined): Promise<void> {
    let child: JournalRecord | undefined
    const logOf = ({ position }: JournalRecord) => logs.find(({ segment }) => segment === position[0])?.log
    const settle = (parentDigest: string) => {
      if (child && recordDigest({ ...child.record, parentDigest }) !== child.record.digest)
        this.#wrongDigest(child, logOf(child))
      child = undefined
    }
    try {
      for await (const found of inherited(logs, signal)) {
        const { at, record } = found
        const { id, content, digest } = record
        this.records++
        if (content.type === 'lost') {
          // Nobody knows what its child followed.
          child = undefined
          this.#compactions.lose()
          this.#lost++
          this.#hasGap = true
          continue
        }
        this.#compactions.inherit(found, logOf(found))
        settle(digest)
        if (record.hash !== contentHash(content)) this.#wrongHash(found, logOf(found))
        this.#entries++
        if (this.#digests.has(id)) {
          this.report('duplicate', {
            at,
            id,
            log: logOf(found),
            message: `Record ${at} has the id of an entry behind it.`,
          })
        }
        this.#digests.set(id, [...(this.#digests.get(id) ?? []), digest])
        child = found
      }
      settle(ROOT_DIGEST)
      this.#compactions.endOfInherited()
    } catch (error) {
      if (!SessionError.is(error, 'CORRUPT')) throw error
      const { at, log, where, message } = error
      this.report(at === undefined ? 'parent' : 'missing', { at, log, where, message })
      this.skip()
    }
  }

  skip(): void {
    this.#hasGap = true
  }

  record(found: JournalRecord): void {
    const { at, record } = found
    const { id, content, hash, state } = record
    const { type } = content
    this.records++
    if (this.#last?.record.content.type === 'closed') {
      this.report('closed', { at, id, message: `Record ${at} stands behind the one that ended the log.` })
    }
    this.#last = found
    if (hash !== contentHash(content)) this.#wrongHash(found)
    this.#checkDigest(found)
    if (type === 'lost') {
      this.#lost++
      this.#hasGap = true
    }
    if (!CONTROL_TYPES.has(type)) {
      this.#entries++
      const same = this.#digests.get(id) ?? []
      if (same.length > 0) {
        this.report('duplicate', { at, id, message: `Record ${at} has the id of an entry before it.` })
      }
      this.#digests.set(id, [...same, record.digest])
      if (!this.#hasGap) this.#compactions.record(found)
    }
    const { leaf } = state
    if (leaf && !this.#hasGap && !this.#digests.has(leaf.id)) {
      this.report('leaf', { at, id, message: `Record ${at} names a leaf that is not in the log.` })
    }
  }

  #wrongHash({ at, record: { id } }: JournalRecord, log: string = this.#log): void {
    this.report('hash', { at, id, log, message: `The content of record ${at} does not have its hash.` })
  }

  #wrongDigest({ at, record: { id } }: JournalRecord, log: string = this.#log): void {
    const message = `Record ${at} does not have its digest: its path or envelope was changed.`
    this.report('digest', { at, id, log, message })
  }

  #checkDigest(found: JournalRecord): void {
    const { at, record } = found
    const { id, parentId } = record
    const parents = parentId === null ? [ROOT_DIGEST] : this.#digests.get(parentId)
    if (!parents) {
      // Damage before it is reported already.
      if (!this.#hasGap) this.report('parent', { at, id, message: `The parent of record ${at} is not in the log.` })
      return
    }
    if (parents.some((parentDigest) => recordDigest({ ...record, parentDigest }) === record.digest)) return
    this.#wrongDigest(found)
  }

  end(expect: string | undefined): Verification {
    const { leaf } = this.#last?.record.state ?? this.#initial
    const digest = leaf ? this.#digests.get(leaf.id)?.at(-1) : undefined
    if (expect !== undefined && ![...this.#digests.values()].some((digests) => digests.includes(expect))) {
      this.report('expected', {
        message:
          'No entry has the digest that was expected: the entry or its path was changed or lost, the end of the log was cut off, or ' +
          'the digest is that of another session.',
      })
    }
    return {
      ok: this.#problemCount === 0,
      records: this.records,
      entries: this.#entries,
      lost: this.#lost,
      digest,
      problems: this.#problems,
      problemCount: this.#problemCount,
    }
  }
}
