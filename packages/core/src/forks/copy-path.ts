import { MAX_BATCH_RECORDS } from '../adapter.ts'
import { inherited } from '../ancestry.ts'
import { utf8Length } from '../check.ts'
import { backOff, type Environment } from '../environment.ts'
import { CorruptError } from '../errors.ts'
import { LogView } from '../log-view.ts'
import { journalRecord, type JournalRecord } from '../records.ts'
import { throwIfAborted, type Signal } from '../runtime.ts'
import { SETTLE_TRIES, takeIndex } from '../take-index.ts'
import type { AncestorLog } from './ancestor-log.ts'
import { PathIndex } from './inherited-path.ts'
import { Lineage, type LineageSegment } from './lineage.ts'

/** Which part of a path to copy where. */
export interface PathCopy {
  /** A lineage; what its last segment hands down is copied, and nothing of those before it. */
  readonly segments: readonly LineageSegment[]
  readonly to: string
}

/** Options of {@link copyPath}. */
export interface CopyPathOptions {
  readonly signal?: Signal | undefined
  /** Called with how many records were added to the copy. */
  readonly copied?: ((records: number) => void) | undefined
}

const MAX_BATCH_BYTES = 1024 * 1024

/**
 * Copies what the last segment of a lineage hands down into a log of its own; resolves with how many records that are, or undefined if the copy
 * was dropped meanwhile.
 *
 * Contract
 * - The copy holds the texts of the path, unchanged, oldest first, and nothing else: any number may make it at once, or go on with what
 *   somebody left.
 * - Holds where the records lie, and one batch of them. `CORRUPT` if the path is damaged; then nobody may rely on the copy.
 */
export async function copyPath(
  environment: Environment,
  { segments, to }: PathCopy,
  { signal, copied }: CopyPathOptions,
): Promise<number | undefined> {
  const { adapter } = environment
  const vouch = async () => {}
  const path = await indexLast(new Lineage(adapter, segments, vouch), signal)
  const { segment, tip } = segments.at(-1) as LineageSegment
  const lineage = new Lineage(adapter, [], vouch)
  const view = new LogView({ adapter, log: to, segment, lineage, vouch, tick: () => 0 })
  for (let refusals = 0; refusals < SETTLE_TRIES; refusals++) {
    await view.catchUp()
    const before = view.length
    for await (const batch of inBatches(path.forward(view.length, signal))) {
      throwIfAborted(signal)
      const at = view.length
      const records = batch.map(({ text }, i) => journalRecord(to, segment, at + i, text))
      const taken = await takeIndex(environment, view, { at, records })
      if (taken.outcome === 'uncertain') throw taken.error
      // Somebody else makes the same copy: go on behind it.
      if (taken.outcome === 'lost') break
      copied?.(records.length)
    }
    if (view.length >= path.length) {
      await assertWhole(view, path.length, tip)
      return path.length
    }
    if (view.length > before) refusals = -1
    else await backOff(environment, refusals, signal)
  }
  return undefined
}

/** Where the records lie that the last of these logs hands down. */
async function indexLast({ logs }: Lineage, signal: Signal | undefined): Promise<PathIndex> {
  const log = logs.at(-1) as AncestorLog
  const path = new PathIndex()
  for await (const found of inherited(logs, signal)) {
    if (found.position[0] !== log.segment) break
    path.prepend(found, log)
  }
  return path
}

async function* inBatches(records: AsyncIterable<JournalRecord>): AsyncGenerator<JournalRecord[], void, void> {
  let batch: JournalRecord[] = []
  let bytes = 0
  for await (const found of records) {
    const size = utf8Length(found.text)
    if (batch.length === MAX_BATCH_RECORDS || (batch.length > 0 && bytes + size > MAX_BATCH_BYTES)) {
      yield batch
      batch = []
      bytes = 0
    }
    batch.push(found)
    bytes += size
  }
  if (batch.length > 0) yield batch
}

async function assertWhole(view: LogView, length: number, tip: string): Promise<void> {
  const last = await view.at(length - 1)
  const isTip = last?.record.id === tip || last?.record.content.type === 'lost'
  if (view.length === length && isTip) return
  throw new CorruptError(`Log ${view.log} was to be a copy of a path, but holds something else.`, { log: view.log })
}
