/** How an invocation can end. */
export const STATUSES = ['pass', 'fail', 'skip'] as const
export type Status = (typeof STATUSES)[number]

const ALIASES: ReadonlyMap<string, Status> = new Map<string, Status>([
  ...STATUSES.map((status) => [status, status] as const),
  ['ok', 'pass'],
  ['passed', 'pass'],
  ['success', 'pass'],
  ['error', 'fail'],
  ['failed', 'fail'],
  ['failure', 'fail'],
  ['skipped', 'skip'],
])

/** What a word of any age means; undefined for one that nobody knows. */
export const statusOf = (word: string | undefined): Status | undefined => ALIASES.get(word?.trim().toLowerCase() ?? '')

/** The words that are understood. */
export const statusWords = (): readonly string[] => [...ALIASES.keys()]
