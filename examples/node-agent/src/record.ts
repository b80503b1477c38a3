import { openSessions, type AppendOptions, type Entry, type Session } from '@sessiontree/core'
import type { Acknowledge } from './acknowledge.ts'
import { counting, type Counts } from '@sessiontree/contract'
import { costLines } from './costs.ts'
import { piFormat, type PiMessage } from './pi-format.ts'
import type { Place } from './places.ts'
import { formatNumber, Progress, tallyLines, type Print } from './report.ts'
import { Tally, type TallyRow } from './tally.ts'
import type { Transcript, TranscriptEntry } from './transcript.ts'

/** What was recorded, as plain JSON: handed to whoever reads it back. */
export interface Recorded {
  readonly id: string
  readonly entries: number
  /** Counted in the file, before anything was written. */
  readonly rows: readonly TallyRow[]
  /** pi's own leaf, the last entry of the file, with its digest; null for a transcript without entries. */
  readonly leaf: { readonly id: string; readonly digest: string } | null
}

/** What to record where. */
export interface RecordOptions {
  readonly transcript: Transcript
  readonly place: Place
  readonly id: string
  readonly print: Print
  readonly signal: AbortSignal
  /** Told of every entry when it is stored; the next one begins when this has resolved. */
  readonly acknowledge?: Acknowledge
}

/** Where an entry lies; spares the search for it when it becomes a parent. */
type Stored = Pick<Entry, 'id' | 'position' | 'digest'>

/**
 * Records a transcript into a fresh session, one append for each entry, and prints what that took.
 *
 * Contract
 * - Ids, parents and times are the transcript's own: the leaf's digest is the same on every adapter, every time.
 * - A session of this id is `EXISTS`; nothing is written.
 * - Aborted, it stops between two entries with the signal's reason; what it recorded is stored and whole.
 */
export async function record(options: RecordOptions): Promise<Recorded> {
  const { transcript, place, id, signal } = options
  const { title, metadata, createdAt, entries } = transcript
  const sizeBefore = await place.size?.()
  const { adapter, counts } = counting(place.adapter)
  const sessions = openSessions(adapter, { format: piFormat })
  const session = await sessions.create(id, { title, metadata, createdAt, signal })
  return write(options, { session, counts, sizeBefore, entries, stored: new Map() })
}

/**
 * Records the rest of a transcript, from an index on, behind what another process left; like {@link record} otherwise.
 *
 * Contract
 * - An entry that got there unacknowledged is recognised by its id and stored once.
 */
export async function recordRest(options: RecordOptions, from: number): Promise<Recorded> {
  const { transcript, place, id, signal } = options
  const sizeBefore = await place.size?.()
  const { adapter, counts } = counting(place.adapter)
  const sessions = openSessions(adapter, { format: piFormat })
  const session = await sessions.open(id, { signal })
  const stored = new Map<string, Stored>()
  for await (const { id: entryId, position, digest } of session.entries({ signal })) {
    stored.set(entryId, { id: entryId, position, digest })
  }
  return write(options, { session, counts, sizeBefore, entries: transcript.entries.slice(from), stored })
}

async function write(
  { transcript, place, id, print, signal, acknowledge }: RecordOptions,
  work: {
    readonly session: Session<PiMessage>
    readonly counts: Counts
    readonly sizeBefore: number | undefined
    /** Those to append. */
    readonly entries: readonly TranscriptEntry[]
    readonly stored: Map<string, Stored>
  },
): Promise<Recorded> {
  const { session, counts, sizeBefore, entries, stored } = work
  const durations: number[] = []
  const progress = new Progress({ print, total: entries.length, what: 'entries' })
  for (const entry of entries) {
    if (signal.aborted) {
      print(
        `  stopped after ${formatNumber(durations.length)} of ${formatNumber(entries.length)} entries; these are stored`,
      )
      signal.throwIfAborted()
    }
    const started = performance.now()
    const { position, digest } = await append(session, entry, stored)
    durations.push(performance.now() - started)
    stored.set(entry.id, { id: entry.id, position, digest })
    await acknowledge?.({ id: entry.id, digest })
    progress.step(durations.length)
  }

  const last = stored.get(transcript.entries.at(-1)?.id ?? '')
  await session.moveTo(last ?? null)
  const tally = new Tally()
  for (const { kind, content } of transcript.entries) tally.add(kind, content.type)
  for (const line of [...tallyLines(tally.rows), '']) print(line)
  const grown = sizeBefore === undefined ? undefined : ((await place.size?.()) ?? 0) - sizeBefore
  for (const line of costLines({ entries, durations, counts, sizeOnDisk: grown, requests: place.requests })) {
    print(line)
  }
  return {
    id,
    entries: transcript.entries.length,
    rows: tally.rows,
    leaf: last ? { id: last.id, digest: last.digest } : null,
  }
}

function append(
  session: Session<PiMessage>,
  { id, parentId, createdAt, message, content }: TranscriptEntry,
  stored: ReadonlyMap<string, Stored>,
): Promise<Entry<PiMessage>> {
  const parent = parentId === null ? null : (stored.get(parentId) ?? parentId)
  const options: AppendOptions = { id, createdAt, parent }
  return message ? session.append(message, options) : session.record(content, options)
}
