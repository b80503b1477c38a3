import { changeDocument, createDocument, freshRev, readDocument, type DocumentFields } from '../document.ts'
import type { Environment } from '../environment.ts'
import { SessionError } from '../errors.ts'
import type { ScopeNames } from '../names.ts'
import { FORMAT } from '../record.ts'
import { throwIfAborted, type Signal } from '../runtime.ts'
import { parseSessionDocument, type SessionDocument } from '../session-document.ts'
import { copyPath, type CopyPathOptions } from './copy-path.ts'
import { isSameLineage, type LineageSegment } from './lineage.ts'
import { settleMarks } from './settle-marks.ts'

/** How far a deletion is. */
export interface DeleteProgress {
  /** How many forks got what they share, or turned out not to need it. */
  readonly forks: number
  /** How many records were copied for them. */
  readonly records: number
}

/** A session that is being deleted. */
export interface Deleting {
  readonly id: string
  readonly deleteId: string
}

/** Options of {@link releaseForks}. */
export interface ReleaseOptions {
  readonly signal?: Signal | undefined
  readonly onProgress?: ((progress: DeleteProgress) => void) | undefined
}

// How often a fork's document may change, or its copy be dropped, before somebody has to look at it.
const TRIES = 64

/**
 * Sees to it that no fork needs the logs of a session that is being deleted, now or later.
 *
 * Contract
 * - Each fork that is there gets a copy of what it shares; one that is not there yet cannot come any more.
 * - Any number may do it at once, or take up what somebody left. Its result rests only on what it wrote itself, or wrote again.
 */
export async function releaseForks(
  environment: Environment,
  names: ScopeNames,
  deleting: Deleting,
  { signal, onProgress }: ReleaseOptions,
): Promise<void> {
  const released = new Set<string>()
  const progress = { forks: 0, records: 0 }
  const copied = (records: number) => {
    progress.records += records
    onProgress?.({ ...progress })
  }
  await settleMarks(environment, names.references(deleting.id), signal, async (reference) => {
    await releaseFork(environment, names, deleting, { key: names.referring(reference), copied, signal })
    progress.forks = released.add(reference).size
    onProgress?.({ ...progress })
  })
}

interface ForkToRelease {
  /** Of its document. */
  readonly key: string
  readonly copied: (records: number) => void
  readonly signal: Signal | undefined
}

async function releaseFork(
  environment: Environment,
  names: ScopeNames,
  deleting: Deleting,
  { key, copied, signal }: ForkToRelease,
): Promise<void> {
  for (let attempt = 0; attempt < TRIES; attempt++) {
    throwIfAborted(signal)
    const found = await readDocument(environment.adapter, key, parseSessionDocument, signal)
    if (!found) {
      if (await createDocument(environment, key, blockedDocument(environment))) return
      continue
    }
    const { document } = found
    if (document.state === 'tombstone') return
    let bases: ReadonlyMap<string, Base>
    try {
      bases = await copyShared(environment, names, deleting, document, { copied, signal })
    } catch (error) {
      // Somebody else was faster, and dropped what this call was about to read.
      const isGone = SessionError.is(error, 'CORRUPT') || SessionError.is(error, 'DELETED')
      if (isGone && (await hasMoved(environment, key, document))) continue
      throw error
    }
    // Also what needs no change is written again: it may be what somebody left whose write can be read but does not last.
    const move = (current: SessionDocument | undefined) => current && withBases(current, deleting.id, bases)
    const now = await changeDocument(environment, key, move, { parse: parseSessionDocument, signal })
    if (now.document && !shares(now.document, deleting.id)) return
  }
  throw new SessionError('BUSY', `Fork ${key} of a session that is being deleted kept changing; try again.`)
}

/** Copies what a fork shares with a session that is being deleted; by the name of the log where it lies now. */
async function copyShared(
  environment: Environment,
  names: ScopeNames,
  { id: from, deleteId }: Deleting,
  { id, state, lineage = [] }: SessionDocument,
  options: CopyPathOptions,
): Promise<ReadonlyMap<string, Base>> {
  const bases = new Map<string, Base>()
  for (const [rank, { session, log, segment }] of lineage.entries()) {
    if (state !== 'live' || session !== from) continue
    const to = names.base(id, deleteId, segment)
    const length = await copyPath(environment, { segments: lineage.slice(0, rank + 1), to }, options)
    if (length !== undefined) bases.set(log, { session, log: to, length })
  }
  return bases
}

async function hasMoved({ adapter }: Environment, key: string, { state, lineage }: SessionDocument): Promise<boolean> {
  const now = (await readDocument(adapter, key, parseSessionDocument))?.document
  return now?.state !== state || !isSameLineage(now.lineage, lineage)
}

interface Base {
  readonly session: string
  readonly log: string
  readonly length: number
}

/** Whether a session lives and sees something of another one's logs. */
function shares({ state, lineage = [] }: SessionDocument, session: string): boolean {
  return state === 'live' && lineage.some((segment) => segment.session === session)
}

/** The document with the copies in place of what they are copies of. Their positions have new numbers: old ones name nothing any more. */
function withBases(
  document: SessionDocument,
  session: string,
  bases: ReadonlyMap<string, Base>,
): SessionDocument | undefined {
  const { id, state, segment, lineage = [] } = document
  if (state === 'tombstone') return undefined
  if (!shares(document, session)) return document
  let highest = Math.max(segment, ...lineage.map((one) => one.segment))
  const moved = lineage.map((one): LineageSegment => {
    const base = one.session === session ? bases.get(one.log) : undefined
    if (!base) return one
    return { session: id, log: base.log, segment: ++highest, upTo: base.length - 1, tip: one.tip }
  })
  return { ...document, lineage: moved }
}

/** Keeps an id free of a fork whose maker may be asleep, without spending it. */
export function blockedDocument({ random }: Environment): DocumentFields & { readonly rev: string } {
  return { format: FORMAT, rev: freshRev(random), revs: [], state: 'blocked' }
}
