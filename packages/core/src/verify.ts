import type { StorageAdapter } from './adapter.ts'
import { CONTROL_TYPES } from './entry.ts'
import { SessionError } from './errors.ts'
import { readAround } from './read-log.ts'
import { contentHash, recordDigest, ROOT_DIGEST } from './record.ts'
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
  /** How many records could be read, control records included. */
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
   * - `closed`: a record behind the one that ends the log. `expected`: no entry has the digest that was expected.
   */
  readonly kind: 'missing' | 'unreadable' | 'hash' | 'digest' | 'parent' | 'leaf' | 'duplicate' | 'closed' | 'expected'
  /** The index in the log; of `missing`, the first one. */
  readonly at: number | undefined
  /** The id of the entry. */
  readonly id: string | undefined
  /** One sentence for a person. */
  readonly message: string
  /** Where to look, if the adapter said so: file, line and offset; bucket and key. */
  readonly where: string | undefined
}

const MAX_PROBLEMS = 1000
const DIGEST = /^[0-9a-f]{64}$/

/** Reads a whole log and checks every record, hash, digest and reference. Holds about 200 bytes for each entry. */
export async function verifyLog(
  adapter: StorageAdapter,
  { log, segment }: { readonly log: string; readonly segment: number },
  { expect, signal, onProgress }: VerifyOptions,
): Promise<Verification> {
  // A mistyped digest would look like a log that was cut off.
  if (expect !== undefined && (typeof expect !== 'string' || !DIGEST.test(expect))) {
    throw new TypeError('expect: expected a digest as verify() returns it, 64 hexadecimal digits in lower case')
  }
  const check = new LogCheck()
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
  #entries = 0
  #lost = 0
  #problems: Problem[] = []
  #problemCount = 0
  /** The digests of the entries by id: usually one. */
  readonly #digests: Map<string, readonly string[]> = new Map()
  #last: JournalRecord | undefined
  /** Whether something before is missing, so that a reference may name it. */
  #hasGap = false

  report(kind: Problem['kind'], problem: Partial<Problem> & Pick<Problem, 'message'>): void {
    this.#problemCount++
    if (this.#problems.length >= MAX_PROBLEMS) return
    this.#problems.push({ kind, at: undefined, id: undefined, where: undefined, ...problem })
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
    if (hash !== contentHash(content)) {
      this.report('hash', { at, id, message: `The content of record ${at} does not have its hash.` })
    }
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
    }
    const { leaf } = state
    if (leaf && !this.#hasGap && !this.#digests.has(leaf.id)) {
      this.report('leaf', { at, id, message: `Record ${at} names a leaf that is not in the log.` })
    }
  }

  #checkDigest({ at, record }: JournalRecord): void {
    const { id, parentId } = record
    const parents = parentId === null ? [ROOT_DIGEST] : this.#digests.get(parentId)
    if (!parents) {
      // Damage before it is reported already.
      if (!this.#hasGap) this.report('parent', { at, id, message: `The parent of record ${at} is not in the log.` })
      return
    }
    if (parents.some((parentDigest) => recordDigest({ ...record, parentDigest }) === record.digest)) return
    this.report('digest', {
      at,
      id,
      message: `Record ${at} does not have its digest: its path or envelope was changed.`,
    })
  }

  end(expect: string | undefined): Verification {
    const leaf = this.#last?.record.state.leaf
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
