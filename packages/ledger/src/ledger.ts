import { byUtf8 } from './by-utf8.ts'
import type { LedgerEntry } from './entry.ts'

/** The version of the model that this package writes. */
export const SCHEMA_VERSION = 1

/** What is known of a criterion or phase: the last entry about it. */
export interface StateRecord {
  readonly status: string
  readonly reason?: string
  readonly updated_at?: string
  /** The id of the entry that says so; its type where it has none. */
  readonly source_id: string
}

/** The evidence about one task, and the state that follows from it. */
export interface Ledger {
  readonly schema_version: number
  readonly task_id: string
  readonly created_at?: string
  readonly updated_at?: string
  readonly entries: readonly LedgerEntry[]
  /** By criterion id. Derived. */
  readonly criterion_states: Readonly<Record<string, StateRecord>>
  /** By phase id: the state of every phase, not only of blocked ones. Derived. */
  readonly phase_blocks: Readonly<Record<string, StateRecord>>
  readonly [field: string]: unknown
}

/** Options of {@link replay}. */
export interface ReplayOptions {
  /** `strict`: only entries of type `phase` say how a phase is. `seed`: every entry with a phase id, as in the earlier system. Default `strict`. */
  readonly phases?: 'strict' | 'seed' | undefined
}

/** Makes the ledger of a task that has no evidence yet. */
export function newLedger(taskId: string, now: string): Ledger {
  return {
    schema_version: SCHEMA_VERSION,
    task_id: taskId,
    created_at: now,
    updated_at: now,
    entries: [],
    criterion_states: {},
    phase_blocks: {},
  }
}

/** The ledger with one more entry, replayed; the one that was passed stays as it is. */
export function withEntry(ledger: Ledger, entry: LedgerEntry, options?: ReplayOptions): Ledger {
  return replay({ ...ledger, entries: [...ledger.entries, entry] }, options)
}

/**
 * Derives the states from the entries; returns a new ledger.
 *
 * Contract
 * - States that are in the ledger already are ignored. Entries count in their order, whatever their times say; a later one replaces all of an earlier one.
 * - A status that is empty is the entry's type, and so is a source without id. Unknown types are kept and count like any other.
 * - `updated_at` is the last entry's `recorded_at`; without one it stays. Replaying twice changes nothing; the argument is never changed.
 */
export function replay(ledger: Ledger, { phases = 'strict' }: ReplayOptions = {}): Ledger {
  const criteria = new Map<string, StateRecord>()
  const blocks = new Map<string, StateRecord>()
  for (const entry of ledger.entries) {
    const { criterion_id, phase_id, type } = entry
    if (criterion_id) criteria.set(criterion_id, stateFrom(entry))
    if (phase_id && (phases === 'seed' || type === 'phase')) blocks.set(phase_id, stateFrom(entry))
  }
  const updated = ledger.entries.at(-1)?.recorded_at || ledger.updated_at
  return {
    ...ledger,
    ...(updated === undefined ? {} : { updated_at: updated }),
    entries: [...ledger.entries],
    // fromEntries defines properties instead of assigning them: `__proto__` may be an id.
    criterion_states: Object.fromEntries(criteria),
    phase_blocks: Object.fromEntries(blocks),
  }
}

/** The ids of the criteria that have a state, in the order of their UTF-8 bytes; empty if there are none. */
export function orderedCriterionIds(ledger: Pick<Ledger, 'criterion_states'>): readonly string[] {
  return Object.keys(ledger.criterion_states).toSorted(byUtf8)
}

function stateFrom({ id, type, status, reason, recorded_at }: LedgerEntry): StateRecord {
  return {
    status: status || type,
    ...(reason ? { reason } : {}),
    ...(recorded_at ? { updated_at: recorded_at } : {}),
    source_id: id || type,
  }
}
