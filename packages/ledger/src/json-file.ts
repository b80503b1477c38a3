import { CorruptError } from '@sessiontree/core'
import { byUtf8 } from './by-utf8.ts'
import { replay, type Ledger, type ReplayOptions } from './ledger.ts'

/** Writes a ledger as the earlier system kept it in a file: two spaces, states sorted, empty ones left out, a line feed at the end. */
export function formatLedger(ledger: Ledger): string {
  const { criterion_states, phase_blocks, ...rest } = ledger
  const states = { criterion_states, phase_blocks }
  const kept = Object.entries(states).filter(([, map]) => Object.keys(map).length > 0)
  const sorted = kept.map(([name, map]) => [
    name,
    Object.fromEntries(Object.entries(map).toSorted(([a], [b]) => byUtf8(a, b))),
  ])
  return `${JSON.stringify({ ...rest, ...Object.fromEntries(sorted) }, null, 2)}\n`
}

/** Reads such a file and replays it. Unknown fields are kept. `CORRUPT` for what is no ledger. */
export function parseLedger(text: string, options?: ReplayOptions): Ledger {
  let parsed: Ledger | null
  try {
    parsed = JSON.parse(text) as Ledger | null
  } catch (cause) {
    throw new CorruptError('This is no ledger: it is not JSON.', { cause })
  }
  if (
    typeof parsed?.task_id !== 'string' ||
    !Array.isArray(parsed.entries) ||
    typeof parsed.schema_version !== 'number'
  ) {
    throw new CorruptError('This is no ledger: it lacks schema_version, task_id or entries.')
  }
  return replay(parsed, options)
}
