/** One piece of evidence, as it is stored. Fields that this version does not know are kept. */
export interface LedgerEntry {
  readonly id: string
  readonly type: string
  readonly recorded_at: string
  readonly criterion_id?: string
  readonly phase_id?: string
  readonly status?: string
  readonly reason?: string
  readonly provider?: string
  readonly command?: string
  /** 0 is stored; absent: nothing was run. */
  readonly exit_code?: number
  readonly output?: string
  /** Whether the output was longer. */
  readonly output_truncated?: boolean
  readonly path?: string
  readonly [field: string]: unknown
}

/** A piece of evidence as it is appended. */
export interface NewEntry {
  readonly type: string
  /** Default: `entry-N`, with the entry's place in the ledger. */
  readonly id?: string | undefined
  /** Default: now. */
  readonly recorded_at?: string | undefined
  readonly criterion_id?: string | undefined
  readonly phase_id?: string | undefined
  readonly status?: string | undefined
  readonly reason?: string | undefined
  readonly provider?: string | undefined
  readonly command?: string | undefined
  readonly exit_code?: number | undefined
  readonly output?: string | undefined
  readonly path?: string | undefined
  readonly [field: string]: unknown
}

/** The type of an entry that says how the workspace looked before work began. */
export const WORKSPACE_BASELINE = 'workspace_baseline'

const TEXTS = [
  'id',
  'recorded_at',
  'criterion_id',
  'phase_id',
  'status',
  'reason',
  'provider',
  'command',
  'output',
  'path',
] as const

/**
 * Checks an entry and takes out what is not there: undefined fields, and known texts that are empty.
 *
 * @throws {TypeError} naming the field.
 */
export function checkEntry(entry: NewEntry): NewEntry {
  if (typeof entry !== 'object' || entry === null || Array.isArray(entry)) {
    throw new TypeError('entry: expected an object with a type')
  }
  if (typeof entry.type !== 'string' || entry.type.trim() === '') {
    throw new TypeError('type: expected a text that is not blank')
  }
  for (const name of TEXTS) {
    const value = entry[name]
    if (value !== undefined && typeof value !== 'string') throw new TypeError(`${name}: expected a text`)
  }
  const { exit_code } = entry
  if (exit_code !== undefined && !Number.isSafeInteger(exit_code)) {
    throw new TypeError(`exit_code: expected a whole number, got ${String(exit_code)}`)
  }
  const isText = (name: string) => (TEXTS as readonly string[]).includes(name)
  const kept = Object.entries(entry).filter(([name, value]) => value !== undefined && !(value === '' && isText(name)))
  return Object.fromEntries(kept) as unknown as NewEntry
}
