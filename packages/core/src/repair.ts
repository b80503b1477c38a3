import { v7 } from 'uuid'
import { MAX_BATCH_RECORDS } from './adapter.ts'
import { utf8Length } from './check.ts'
import { endLog } from './end-log.ts'
import { backOff, type Environment } from './environment.ts'
import { CorruptError, SessionError } from './errors.ts'
import { initialState, Lineage, type LineageSegment } from './forks/lineage.ts'
import { LogView } from './log-view.ts'
import { readAround } from './read-log.ts'
import { contentHash, encodeRecord, ROOT_DIGEST } from './record.ts'
import { Draft, journalRecord } from './records.ts'
import { throwIfAborted, type Signal } from './runtime.ts'
import {
  readSessionDocument,
  reserveIncarnation,
  switchIncarnation,
  type SessionReference,
} from './session-document.ts'
import { SETTLE_TRIES, takeIndex } from './take-index.ts'

/** Options of {@link Session.repair}. */
export interface RepairOptions {
  /** Between two steps; a repair that was begun and not ended is taken up by the next one. */
  readonly signal?: Signal | undefined
  /** Called now and then with how many records were copied. */
  readonly onProgress?: ((progress: { readonly records: number }) => void) | undefined
}

/** What {@link Session.repair} did. */
export interface Repair {
  /** Whether anything was damaged: if not, nothing was written. */
  readonly repaired: boolean
  /** How many records were copied. */
  readonly records: number
  /** The indexes that could not be read: each now holds a `lost` record. */
  readonly lost: readonly Gap[]
  /** Whether damage reached up to the end: what was there, and how much, nobody can tell. */
  readonly lostEnd: boolean
}

/** Indexes that follow one another. */
export interface Gap {
  readonly first: number
  readonly last: number
}

/** A hole larger than this was made by no writer. */
const MAX_LOST = 1_000_000
const MAX_BATCH_BYTES = 4 * 1024 * 1024

/**
 * Moves a session whose log is damaged to a copy of all that can be read.
 *
 * Contract
 * - The old log ends first: whoever appended to it goes on in the copy, and is told `BUSY` until it is there.
 * - Every record keeps its text and its index; a `lost` record stands wherever none can be read.
 * - Nothing of the old log is changed or removed; a sweep drops it later.
 * - Any number may repair at once, or take up what was interrupted: one copy counts.
 */
export async function repairSession(
  environment: Environment,
  session: SessionReference,
  logOf: (incarnation: number) => string,
  options: RepairOptions = {},
): Promise<Repair> {
  const { signal } = options
  const { adapter } = environment
  for (;;) {
    const { document } = await readSessionDocument(adapter, session.key, session.id, signal)
    const { segment, incarnation: from, lineage = [] } = document
    if (!(await needsRepair(environment, { log: logOf(from), segment }, signal))) {
      return { repaired: false, records: 0, lost: [], lostEnd: false }
    }
    const { incarnation: to } = await reserveIncarnation(environment, session, { signal })
    await endLog(environment, logOf(from), { segment, initial: initialState(lineage), signal })
    const copied = await copyLog(environment, { from: logOf(from), to: logOf(to), segment, lineage }, options)
    if (await switchIncarnation(environment, session, { from, to }, { signal })) return { repaired: true, ...copied }
    // Somebody else repaired it meanwhile, and this copy is nobody's.
    await adapter.drop(logOf(to))
  }
}

/** A part of a damaged log: texts that follow one another, indexes that hold none, an end that cannot be read, or its proper end. */
type Part = { readonly texts: readonly string[] } | { readonly lost: Gap | 'end' } | { readonly closed: true }

/** A log, and the segment that its positions name. */
interface LogName {
  readonly log: string
  readonly segment: number
}

/** Whether there is anything to mend: a record that cannot be read or decoded, or a log that has ended although its session lives. */
async function needsRepair(environment: Environment, name: LogName, signal: Signal | undefined): Promise<boolean> {
  for await (const part of readableParts(environment, name, signal)) if (!('texts' in part)) return true
  return false
}

interface LogToCopy {
  readonly from: string
  readonly to: string
  readonly segment: number
  readonly lineage: readonly LineageSegment[]
}

async function copyLog(
  environment: Environment,
  { from, to, segment, lineage }: LogToCopy,
  { signal, onProgress }: RepairOptions,
): Promise<Omit<Repair, 'repaired'>> {
  const copy = new LogCopy(environment, { log: to, segment, lineage })
  let lostEnd = false
  for await (const part of readableParts(environment, { log: from, segment }, signal)) {
    throwIfAborted(signal)
    if ('texts' in part) await copy.append(part.texts)
    else if ('closed' in part) break
    else if (part.lost === 'end') lostEnd = true
    else await copy.lose(part.lost)
    onProgress?.({ records: copy.records })
  }
  await copy.flush()
  return { records: copy.records, lost: copy.lost, lostEnd }
}

/** What a log holds before the record that ended it. */
async function* readableParts(
  { adapter }: Environment,
  { log, segment }: LogName,
  signal: Signal | undefined,
): AsyncGenerator<Part, void, void> {
  for await (const part of readAround(adapter, log, signal)) {
    if ('gap' in part) {
      const { from, to, error } = part.gap
      if (to === undefined) {
        yield { lost: 'end' }
        return
      }
      if (to - from > MAX_LOST)
        throw error ?? new CorruptError(`Log ${log} lacks records ${from} to ${to - 1}.`, { log })
      yield { lost: { first: from, last: to - 1 } }
      continue
    }
    let texts: string[] = []
    const { at, records } = part.batch
    for (const [i, text] of records.entries()) {
      const type = typeOf(log, segment, at + i, text)
      if (type !== undefined && type !== 'closed') {
        texts.push(text)
        continue
      }
      if (texts.length > 0) yield { texts }
      if (type === 'closed') {
        yield { closed: true }
        return
      }
      texts = []
      yield { lost: { first: at + i, last: at + i } }
    }
    if (texts.length > 0) yield { texts }
  }
}

/** The type of a record's content; undefined for what is no record. */
function typeOf(log: string, segment: number, at: number, text: string): string | undefined {
  try {
    return journalRecord(log, segment, at, text).record.content.type
  } catch (error) {
    if (SessionError.is(error, 'CORRUPT')) return undefined
    throw error
  }
}

/** A log in the making, written in large batches. */
class LogCopy {
  readonly lost: Gap[] = []
  readonly #environment: Environment
  readonly #view: LogView
  #draft: Draft
  #bytes = 0

  constructor(environment: Environment, { log, segment, lineage: segments }: LogName & Pick<LogToCopy, 'lineage'>) {
    this.#environment = environment
    const { adapter } = environment
    const vouch = async () => {}
    const lineage = new Lineage(adapter, segments, vouch)
    this.#view = new LogView({ adapter, log, segment, lineage, vouch, tick: () => 0 })
    this.#draft = new Draft(this.#view)
  }

  get records(): number {
    return this.#draft.length
  }

  async append(texts: readonly string[]): Promise<void> {
    for (const text of texts) await this.#add(text)
  }

  async lose(gap: Gap): Promise<void> {
    this.lost.push(gap)
    const { clock, random } = this.#environment
    const content = { type: 'lost', first: gap.first, last: gap.last }
    const { leaf, epoch, turn } = this.#draft.state
    for (let at = gap.first; at <= gap.last; at++) {
      const { text } = encodeRecord({
        id: v7({ msecs: clock.now(), random: random.bytes(16) }),
        parentId: null,
        parentDigest: ROOT_DIGEST,
        createdAt: new Date(clock.now()).toISOString(),
        content,
        hash: contentHash(content),
        leaf,
        epoch,
        turn,
        hints: {},
      })
      await this.#add(text)
    }
  }

  async #add(text: string): Promise<void> {
    const size = utf8Length(text)
    if (this.#draft.added.length === MAX_BATCH_RECORDS || this.#bytes + size > MAX_BATCH_BYTES) await this.flush()
    this.#draft.add([text])
    this.#bytes += size
  }

  async flush(): Promise<void> {
    const records = this.#draft.added
    if (records.length === 0) return
    const at = this.#view.length
    for (let attempt = 0; ; attempt++) {
      const taken = await takeIndex(this.#environment, this.#view, { at, records })
      if (taken.outcome === 'stored') break
      if (taken.outcome === 'uncertain') throw taken.error
      const { log } = this.#view
      if (this.#view.length > at || attempt === SETTLE_TRIES) {
        throw new CorruptError(`Log ${log} was to be a new copy, but somebody writes to it.`, { log, at })
      }
      await backOff(this.#environment, attempt)
    }
    this.#draft = new Draft(this.#view)
    this.#bytes = 0
  }
}
